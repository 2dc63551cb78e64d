pub(super) mod keys;
pub(super) mod lane;
pub(super) mod mode;
pub(super) mod table;

use super::bounds::Reducible;
use super::flow::Flow;
use super::join::keys::{JoinKeys, Keys};
use super::join::lane::JoinLane;
use super::join::mode::{JoinMode, Side};
use super::merge::Merge;
use super::plumbing::envelope::{Bare, InWindow};
use super::plumbing::exchange::{Exchange, Routed};
use super::plumbing::plan::{Build, Hashed, Layered, Plan, Settings, To};
use super::plumbing::step::{Step, Stepped};
use super::plumbing::tasks::Tasks;
use super::window::InWindows;
use crate::dispatch::adapters::{ByKey, Route};
use crate::lane::{Each, Lane, poll_one};
use crate::reduce::{Settled, Signal, Spread};
use crate::sealed::Sealed;
use crate::window::adapters::{LateItems, Triggering};
use crate::window::{Window, Windowing};
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The items of two flows, marked by the flow they come from and partitioned by their keys: the layer a join works in.
pub type Sides<P, Q, A, B> = Exchange<
    Merge<Stepped<P, IntoLeft<<Q as Plan>::Item>>, Stepped<Q, IntoRight<<P as Plan>::Item>>>,
    Routed<BySide<A, B>>,
>;

/// # Several flows
impl<P> Flow<P> {
    /// Makes a row of every pair of items, one of each flow, with equal keys.
    ///
    /// `mode` says what becomes of items whose key the other flow does not have: [`Inner`](super::Inner) drops them,
    /// [`LeftOuter`](super::LeftOuter), [`RightOuter`](super::RightOuter) and [`FullOuter`](super::FullOuter) make rows
    /// of them too, at the end of input. A row comes out as soon as the second of its two items has come. Where many
    /// items have one key, each left item meets each right one.
    ///
    /// It opens a layer, in which items with one key meet in one lane; rows go on as items, through any operators.
    /// [`lanes`](Flow::lanes) and [`demand`](Flow::demand) after it are those of that layer.
    ///
    /// All items of both flows are kept until the end of input: for flows without end see
    /// [`window_join`](Flow::window_join).
    ///
    /// For a key that is a part of the item, `|post| &post.author`, see [`bounded_join_ref`](Flow::bounded_join_ref):
    /// here the compiler says of such a function that a lifetime may not live long enough.
    ///
    /// # Ordering
    /// None between keys. Rows of one key come in the order in which they are completed; left rows without a partner
    /// before right ones.
    ///
    /// # Panics
    /// A panic in a closure ends the flow with that panic. When one of the flows is already being read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::flow::LeftOuter;
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let posts = Flow::from_iter([(1, "first"), (2, "second")]);
    /// let comments = Flow::from_iter([(1, "nice"), (1, "really?"), (3, "lost")]);
    /// let mut rows: Vec<(&str, Option<&str>)> = posts
    ///     .bounded_join(LeftOuter, comments, |post| post.0, |comment| comment.0)
    ///     .map(|(post, comment)| (post.1, comment.map(|comment| comment.1)))
    ///     .collect()
    ///     .await;
    /// rows.sort();
    /// assert_eq!(rows, [("first", Some("nice")), ("first", Some("really?")), ("second", None)]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.bounded_join/7`. Rows are pairs: what the join function of Flow does with them is `map`.
    #[track_caller]
    pub fn bounded_join<M, Q, K, F, G>(
        self,
        mode: M,
        right: Flow<Q>,
        left_key: F,
        right_key: G,
    ) -> Flow<Join<Sides<P, Q, ByKey<F>, ByKey<G>>, M, Keys<F, G>>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        M: JoinMode<P::Item, Q::Item>,
        Q: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        K: Hash + Eq,
        F: FnMut(&P::Item) -> K + Clone + Send + 'static,
        G: FnMut(&Q::Item) -> K + Clone + Send + 'static,
    {
        let keys = Keys { left: left_key, right: right_key };
        self.sides("bounded_join", right, by_side(&keys)).wrap(|upstream| Join::new(upstream, mode, keys))
    }

    /// Makes a row of every pair of items, one of each flow, with equal keys and in one window.
    ///
    /// Like [`bounded_join`](Flow::bounded_join), window by window. Items without a partner make rows when their window
    /// is done, and what was kept for the window is dropped then, so that this works on flows without end. `window` is
    /// given a [`Side`]: an item of either flow; [`Side::by`] makes one time function of two. Windows that may merge,
    /// which are sessions, cannot be joined.
    ///
    /// A window waits for the slower of the two flows, and items of the faster one are kept until then. Where one flow
    /// sends nothing to a lane, the window needs [`idle_after`](Window::idle_after).
    ///
    /// For a key that is a part of the item see [`window_join_ref`](Flow::window_join_ref).
    ///
    /// Rows go on as items; a [`reduce`](Flow::reduce) after the join reduces them in their windows. They are not in
    /// the order of time: another window of event time after the join takes some of them for late.
    ///
    /// # Errors
    /// Items that are too late for their windows are not joined: they are counted, or go where
    /// [`late_output`](Window::late_output) says.
    ///
    /// # Panics
    /// A panic in a closure ends the flow with that panic. When one of the flows is already being read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::flow::{FullOuter, Side};
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// // Pairs of key and time.
    /// let asked = Flow::from_iter([("a", 0), ("b", 400)]);
    /// let answered = Flow::from_iter([("a", 900), ("b", 1100)]);
    /// let time = Side::by(|asked: &(&str, i64)| asked.1, |answered: &(&str, i64)| answered.1);
    /// let second = Window::fixed(Duration::from_secs(1), time);
    /// let mut rows: Vec<_> = asked
    ///     .window_join(FullOuter, answered, second, |asked| asked.0, |answered| answered.0)
    ///     .map(|(asked, answered)| (asked.map(|a| a.1), answered.map(|a| a.1)))
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
    pub fn window_join<M, Q, K, F, G, W, C, O>(
        self,
        mode: M,
        right: Flow<Q>,
        window: Window<W, C, O>,
        left_key: F,
        right_key: G,
    ) -> Flow<Join<InWindows<Sides<P, Q, ByKey<F>, ByKey<G>>, W, C, O>, M, Keys<F, G>>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        M: JoinMode<P::Item, Q::Item>,
        Q: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        K: Hash + Eq,
        F: FnMut(&P::Item) -> K + Clone + Send + 'static,
        G: FnMut(&Q::Item) -> K + Clone + Send + 'static,
        W: Windowing<Side<P::Item, Q::Item>, Places: Settled> + Clone,
        C: Triggering<Side<P::Item, Q::Item>, W::Places> + Clone,
        O: LateItems<Side<P::Item, Q::Item>> + Clone,
    {
        let keys = Keys { left: left_key, right: right_key };
        self.sides("window_join", right, by_side(&keys))
            .wrap(|sides| InWindows::new(sides, window))
            .wrap(|upstream| Join::new(upstream, mode, keys))
    }

    /// Opens the layer in which both flows meet.
    #[track_caller]
    pub(super) fn sides<Q, A, B>(
        self,
        name: &'static str,
        right: Flow<Q>,
        route: BySide<A, B>,
    ) -> Flow<Sides<P, Q, A, B>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        Q: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
    {
        self.open_over(name, right, |mut left, mut right, layer| {
            // The task that partitions the items marks them too.
            left.pass_through();
            right.pass_through();
            let left = Stepped::new(left, IntoLeft(PhantomData));
            let right = Stepped::new(right, IntoRight(PhantomData));
            let both = Merge::new(left, right, layer.clone());
            Exchange::new(both, Routed(route), layer)
        })
    }
}

fn by_side<F: Clone, G: Clone>(keys: &Keys<F, G>) -> BySide<ByKey<F>, ByKey<G>> {
    BySide { left: ByKey::new(keys.left.clone()), right: ByKey::new(keys.right.clone()) }
}

/// Marks items as those of the left flow.
#[derive(Debug)]
pub struct IntoLeft<R>(PhantomData<fn() -> R>);

/// Marks items as those of the right flow.
#[derive(Debug)]
pub struct IntoRight<L>(PhantomData<fn() -> L>);

impl<R> Sealed for IntoLeft<R> {}

impl<L, R> Step<L> for IntoLeft<R> {
    type Out = Side<L, R>;

    #[inline(always)]
    fn step(&mut self, item: L) -> Option<Side<L, R>> {
        Some(Side::Left(item))
    }

    fn size_hint(&self, upstream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        upstream
    }
}

impl<L> Sealed for IntoRight<L> {}

impl<L, R> Step<R> for IntoRight<L> {
    type Out = Side<L, R>;

    #[inline(always)]
    fn step(&mut self, item: R) -> Option<Side<L, R>> {
        Some(Side::Right(item))
    }

    fn size_hint(&self, upstream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        upstream
    }
}

impl<R> Clone for IntoLeft<R> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<L> Clone for IntoRight<L> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

/// Routes items of two flows, each by the way of its side: equal keys of both have one hash, and meet in one lane.
#[derive(Debug, Clone)]
pub struct BySide<A, B> {
    pub(super) left: A,
    pub(super) right: B,
}

impl<L, R, A: Route<L>, B: Route<R>> Route<Side<L, R>> for BySide<A, B> {
    #[inline(always)]
    fn route(&mut self, side: &Side<L, R>, lanes: usize) -> Option<usize> {
        match side {
            Side::Left(item) => self.left.route(item, lanes),
            Side::Right(item) => self.right.route(item, lanes),
        }
    }

    fn seed(&mut self, seed: u64) {
        self.left.seed(seed);
        self.right.seed(seed);
    }
}

/// The plan of [`Flow::bounded_join`], [`Flow::window_join`] and their like.
#[must_use = "operators do nothing until the flow is read"]
pub struct Join<P, M, K> {
    upstream: P,
    keys: K,
    mode: PhantomData<fn() -> M>,
}

impl<P, M, K> Join<P, M, K> {
    pub(super) fn new(upstream: P, _mode: M, keys: K) -> Self {
        Self { upstream, keys, mode: PhantomData }
    }
}

impl<P, M, K> Sealed for Join<P, M, K> {}

impl<P: Layered, M, K> Layered for Join<P, M, K> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P: Layered, M, K> Hashed for Join<P, M, K> {}

impl<P, M, L, R, K> Plan for Join<P, M, K>
where
    P: Reducible<Item = Side<L, R>>,
    M: JoinMode<L, R>,
{
    type Item = M::Row;
    type Carries = InWindow<P::Places, P::Id>;

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl<P, M, L, R, K> Build<InWindow<P::Places, P::Id>> for Join<P, M, K>
where
    P: Reducible<Item = Side<L, R>, Places: Spread<Side<L, R>> + Settled>,
    M: JoinMode<L, R>,
    L: Clone,
    R: Clone,
    K: JoinKeys<L, R> + Clone,
{
    type Lane = JoinLane<P::Feed, M, L, R, K, P::Places, P::Id>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        self.upstream.feed(tasks, &mut |tasks, lane| to(tasks, JoinLane::new(lane, self.keys.clone())));
    }
}

impl<P, M, L, R, K> Build<Bare> for Join<P, M, K>
where
    P: Reducible<Item = Side<L, R>, Places: Spread<Side<L, R>> + Settled>,
    M: JoinMode<L, R>,
    L: Clone,
    R: Clone,
    K: JoinKeys<L, R> + Clone,
{
    type Lane = JoinRows<JoinLane<P::Feed, M, L, R, K, P::Places, P::Id>>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        Build::<InWindow<P::Places, P::Id>>::build(self, tasks, &mut |tasks, lane| {
            to(tasks, JoinRows { lane });
        });
    }
}

pin_project! {
    /// The rows of a join that is not reduced, without the signals about windows.
    #[derive(Debug)]
    #[must_use = "a lane does nothing until it is polled"]
    pub struct JoinRows<L> {
        #[pin]
        lane: L,
    }
}

impl<T, P, Id, L: Lane<Item = Signal<T, P, Id>>> Lane for JoinRows<L> {
    #[inline(always)]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(T) -> ControlFlow<()>,
    {
        self.project().lane.poll_each(cx, &mut |signal| match signal {
            Signal::Item(_, row) => each(row),
            Signal::Fire(_) | Signal::Merge { .. } => ControlFlow::Continue(()),
        })
    }
}

impl<T, P, Id, L: Lane<Item = Signal<T, P, Id>>> Stream for JoinRows<L> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        poll_one(self, cx)
    }
}

impl<P: fmt::Debug, M, K> fmt::Debug for Join<P, M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
