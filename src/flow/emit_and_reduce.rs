use super::bounds::Reducible;
use super::flow::Flow;
use super::reduce::Reduce;
use crate::reduce::{EmitAndFold, Nothing, Reducer};
use std::marker::PhantomData;

impl<P> Flow<P> {
    /// Folds items into a state as [`reduce`](Flow::reduce) does, and at once emits what `f` returns.
    ///
    /// At triggers, and at the end, the items of the state come out, too, as with [`reduce`](Flow::reduce), unless
    /// [`emit_state`](Flow::emit_state), [`emit_nothing`](Flow::emit_nothing) or [`on_trigger`](Flow::on_trigger) says
    /// otherwise.
    ///
    /// # Ordering
    /// When an item sets off a trigger, what `f` returns for the item comes out before what the trigger emits.
    ///
    /// # Panics
    /// A panic in `init` or `f` ends the flow with that panic.
    ///
    /// # Examples
    /// Sums so far, and the whole sum at the end.
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let sums = Flow::from_iter(1..=3)
    ///     .lanes(1)
    ///     .emit_and_reduce(
    ///         || 0,
    ///         |sum, n| {
    ///             *sum += n;
    ///             [format!("{sum} so far")]
    ///         },
    ///     )
    ///     .on_trigger(|sum, _| [format!("{sum} in all")]);
    /// assert_eq!(sums.collect::<Vec<_>>().await, ["1 so far", "3 so far", "6 so far", "6 in all"]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.emit_and_reduce/3`, with the difference that triggers never overtake items.
    #[track_caller]
    pub fn emit_and_reduce<S, V, I, F>(self, init: I, f: F) -> Flow<Reduce<P, EmitAndFold<I, F>>>
    where
        P: Reducible,
        V: IntoIterator,
        I: FnMut() -> S + Clone,
        F: FnMut(&mut S, P::Item) -> V + Clone,
    {
        self.reduce_by("emit_and_reduce", EmitAndFold { init, f })
    }
}

impl<P: Reducible, I, F> Flow<Reduce<P, EmitAndFold<I, F>>> {
    /// Emits nothing at triggers and at the end: only what was emitted at once.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let rising = Flow::from_iter([1, 3, 2, 5])
    ///     .lanes(1)
    ///     .emit_and_reduce(|| 0, |last, n| Some(n).filter(|n| *n > std::mem::replace(last, *n)))
    ///     .emit_nothing();
    /// assert_eq!(rising.collect::<Vec<_>>().await, [1, 3, 5]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.emit(:nothing)`.
    #[track_caller]
    pub fn emit_nothing<U>(self) -> Flow<Reduce<P, EmitAndFold<I, F>, Nothing<U>>>
    where
        EmitAndFold<I, F>: Reducer<P::Item, U>,
    {
        self.emit_by("emit_nothing", Nothing(PhantomData))
    }
}
