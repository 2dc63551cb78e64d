use super::bounds::Reducible;
use super::flow::Flow;
use super::reduce::Reduce;
use crate::reduce::{Items, KeepsState, MergeBy, OnTrigger};
use crate::window::Info;

impl<P, R, M> Flow<Reduce<P, R, Items, M>>
where
    P: Reducible,
    R: KeepsState,
{
    /// Emits what `f` makes of the state whenever a trigger goes off, and when a window is done.
    ///
    /// `f` may change the state: the next items of the window are reduced into what it leaves there. Left as it is, the
    /// state accumulates; if `f` takes it with [`take`](std::mem::take), each emission is of what came since the last
    /// one. After [`Trigger::Done`](crate::window::Trigger::Done) the state is dropped. Without windows `f` is called
    /// once for each lane, at the end of input.
    ///
    /// # Ordering
    /// What comes out is in the order of the items that caused it.
    ///
    /// # Panics
    /// A panic in `f` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    ///
    /// # tokio_test::block_on(async {
    /// let sums = Flow::from_iter(1..=5)
    ///     .lanes(1)
    ///     .window(Window::global().every(2))
    ///     .reduce(|| 0, |sum, n| *sum += n)
    ///     .on_trigger(|sum, info| [(info.trigger.to_string(), std::mem::take(sum))]);
    /// let sums: Vec<(String, u32)> = sums.collect().await;
    /// let of_two = |sum| ("every 2 items".to_string(), sum);
    /// assert_eq!(sums, [of_two(3), of_two(7), ("done".to_string(), 5)]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.on_trigger/2`. The state is changed in place, not returned. Each `reduce` takes one: a second
    /// `on_trigger`, or one after `emit_state`, does not compile.
    #[track_caller]
    pub fn on_trigger<U, F>(self, f: F) -> Flow<Reduce<P, R, OnTrigger<F>, M>>
    where
        U: IntoIterator,
        F: FnMut(&mut R::State, Info<P::Id>) -> U + Clone,
    {
        self.emit_by("on_trigger", OnTrigger(f))
    }
}

impl<P, R, E> Flow<Reduce<P, R, E>>
where
    P: Reducible,
    R: KeepsState,
{
    /// Says how the states of two windows become one, when an item between two sessions joins them.
    ///
    /// `f` gets the state that stays and the one to take into it.
    ///
    /// # Panics
    /// A panic in `f` ends the flow with that panic.
    ///
    /// # Examples
    /// An item between two sessions joins them.
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let gap = Duration::from_millis(10);
    /// let by_key = Window::session(gap, |click: &(&str, i64)| click.0, |click| click.1);
    /// let counts = Flow::from_iter([("a", 0), ("a", 16), ("a", 8)])
    ///     .lanes(1)
    ///     .window(by_key.allowed_lateness(gap))
    ///     .reduce(|| 0, |n, _| *n += 1)
    ///     .merge_states(|n, other| *n += other)
    ///     .on_trigger(|n, info| info.is_done().then_some((info.window.start, info.window.end, *n)));
    /// assert_eq!(counts.collect::<Vec<(i64, i64, u32)>>().await, [(0, 26, 3)]);
    /// # });
    /// ```
    /// Without `merge_states`, sessions cannot be reduced.
    /// ```compile_fail,E0277
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// let gap = Duration::from_millis(10);
    /// let by_key = Window::session(gap, |click: &(&str, i64)| click.0, |click| click.1);
    /// let counts = Flow::from_iter([("a", 0)]).window(by_key).reduce(Vec::new, Vec::push).collect::<Vec<_>>();
    /// ```
    #[track_caller]
    pub fn merge_states<F>(self, f: F) -> Flow<Reduce<P, R, E, MergeBy<F>>>
    where
        F: FnMut(&mut R::State, R::State) + Clone,
    {
        self.operator("merge_states", |reduce| Reduce {
            upstream: reduce.upstream,
            reducer: reduce.reducer,
            emit: reduce.emit,
            merge: MergeBy(f),
        })
    }
}
