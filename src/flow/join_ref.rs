use super::flow::Flow;
use super::join::keys::KeysByRef;
use super::join::mode::{JoinMode, Side};
use super::join::{BySide, Join, Sides};
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use super::window::InWindows;
use crate::dispatch::adapters::ByKeyRef;
use crate::reduce::Settled;
use crate::window::adapters::{LateItems, Triggering};
use crate::window::{Window, Windowing};
use std::hash::Hash;

/// A function that returns a reference into the item cannot be given to the joins above, whose keys are values: the
/// compiler says that a lifetime may not live long enough. These take it. Keys stay in the items that are kept.
impl<P> Flow<P> {
    /// Makes a row of every pair of items, one of each flow, whose keys are equal: keys that are parts of the items.
    ///
    /// It is [`bounded_join`](Flow::bounded_join) without a copy of any key.
    ///
    /// Keys are compared in the items that are kept, so both functions are called more often than once for an item,
    /// and are `Fn`. They return references to one type: for a `String` on one side and a `&str` on the other, both
    /// return `&str`. A key of several parts of an item is a value, for `bounded_join`.
    ///
    /// # Ordering
    /// None between keys. Rows of one key come in the order in which they are completed; left rows without a partner
    /// before right ones.
    ///
    /// # Panics
    /// A panic in a closure, or in the `Hash` or `Eq` of a key, ends the flow with that panic. When one of the flows is
    /// already being read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::flow::LeftOuter;
    /// use gen_stage::prelude::*;
    ///
    /// #[derive(Clone)]
    /// struct Click { user: String, at: u64 }
    ///
    /// # tokio_test::block_on(async {
    /// let clicks = [("anna", 1), ("bert", 2), ("anna", 3)].map(|(user, at)| Click { user: user.into(), at });
    /// let plans = Flow::from_iter([("anna", "free"), ("carl", "team")]);
    /// let mut rows: Vec<(u64, Option<&str>)> = Flow::from_iter(clicks)
    ///     .bounded_join_ref(LeftOuter, plans, |click| click.user.as_str(), |plan| plan.0)
    ///     .map(|(click, plan)| (click.at, plan.map(|plan| plan.1)))
    ///     .collect()
    ///     .await;
    /// rows.sort();
    /// assert_eq!(rows, [(1, Some("free")), (2, None), (3, Some("free"))]);
    /// # });
    /// ```
    ///
    /// A reference is no key of `bounded_join`:
    /// ```compile_fail
    /// use gen_stage::flow::Inner;
    /// use gen_stage::prelude::*;
    ///
    /// let names = || Flow::from_iter(["a", "b"].map(String::from));
    /// let rows = names().bounded_join(Inner, names(), |left| left.as_str(), |right| right.as_str());
    /// ```
    ///
    /// # Source
    /// `Flow.bounded_join/7`. Rows are pairs: what the join function of Flow does with them is `map`.
    #[track_caller]
    pub fn bounded_join_ref<M, Q, K, F, G>(
        self,
        mode: M,
        right: Flow<Q>,
        left_key: F,
        right_key: G,
    ) -> Flow<Join<Sides<P, Q, ByKeyRef<F>, ByKeyRef<G>>, M, KeysByRef<F, G>>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        M: JoinMode<P::Item, Q::Item>,
        Q: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        K: Hash + Eq + ?Sized,
        F: Fn(&P::Item) -> &K + Clone + Send + 'static,
        G: Fn(&Q::Item) -> &K + Clone + Send + 'static,
    {
        let route = BySide { left: ByKeyRef::new(left_key.clone()), right: ByKeyRef::new(right_key.clone()) };
        let keys = KeysByRef { left: left_key, right: right_key };
        self.sides("bounded_join_ref", right, route).wrap(|upstream| Join::new(upstream, mode, keys))
    }

    /// Makes a row of every pair of items, one of each flow, that are in one window and whose keys are equal: keys that
    /// are parts of the items.
    ///
    /// It is [`window_join`](Flow::window_join) without a copy of any key; the functions are as those of
    /// [`bounded_join_ref`](Flow::bounded_join_ref).
    ///
    /// # Ordering
    /// As for [`window_join`](Flow::window_join).
    ///
    /// # Errors
    /// Items that are too late for their windows are not joined: they are counted, or go where
    /// [`late_output`](Window::late_output) says.
    ///
    /// # Panics
    /// A panic in a closure, or in the `Hash` or `Eq` of a key, ends the flow with that panic. When one of the flows is
    /// already being read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::flow::{FullOuter, Side};
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// #[derive(Clone)]
    /// struct Call { id: String, at: i64 }
    ///
    /// # tokio_test::block_on(async {
    /// let calls = |calls: [(&str, i64); 2]| Flow::from_iter(calls.map(|(id, at)| Call { id: id.into(), at }));
    /// let (asked, answered) = (calls([("a", 0), ("b", 400)]), calls([("a", 900), ("b", 1100)]));
    /// let time = Side::by(|asked: &Call| asked.at, |answered: &Call| answered.at);
    /// let second = Window::fixed(Duration::from_secs(1), time);
    /// let mut rows: Vec<_> = asked
    ///     .window_join_ref(FullOuter, answered, second, |asked| &asked.id, |answered| &answered.id)
    ///     .map(|(asked, answered)| (asked.map(|a| a.at), answered.map(|a| a.at)))
    ///     .collect()
    ///     .await;
    /// rows.sort();
    /// assert_eq!(rows, [(None, Some(1100)), (Some(0), Some(900)), (Some(400), None)]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.window_join/8`. A trigger before the end of a window leaves what is kept as it is.
    #[track_caller]
    pub fn window_join_ref<M, Q, K, F, G, W, C, O>(
        self,
        mode: M,
        right: Flow<Q>,
        window: Window<W, C, O>,
        left_key: F,
        right_key: G,
    ) -> Flow<Join<InWindows<Sides<P, Q, ByKeyRef<F>, ByKeyRef<G>>, W, C, O>, M, KeysByRef<F, G>>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        M: JoinMode<P::Item, Q::Item>,
        Q: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        K: Hash + Eq + ?Sized,
        F: Fn(&P::Item) -> &K + Clone + Send + 'static,
        G: Fn(&Q::Item) -> &K + Clone + Send + 'static,
        W: Windowing<Side<P::Item, Q::Item>, Places: Settled> + Clone,
        C: Triggering<Side<P::Item, Q::Item>, W::Places> + Clone,
        O: LateItems<Side<P::Item, Q::Item>> + Clone,
    {
        let route = BySide { left: ByKeyRef::new(left_key.clone()), right: ByKeyRef::new(right_key.clone()) };
        let keys = KeysByRef { left: left_key, right: right_key };
        self.sides("window_join_ref", right, route)
            .wrap(|sides| InWindows::new(sides, window))
            .wrap(|upstream| Join::new(upstream, mode, keys))
    }
}
