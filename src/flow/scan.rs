use super::bounds::OpenLayer;
use super::flow::Flow;
use super::plumbing::envelope::Envelope;
use super::plumbing::plan::{Build, Layered, Plan, Settings, To};
use super::plumbing::serial::SerialSteps;
use super::plumbing::serial_step::SerialStep;
use super::plumbing::tasks::Tasks;
use crate::sealed::Sealed;
use std::fmt;

impl<P, I, F> Sealed for Scan<P, I, F> {}

impl<P: Layered, I, F> Layered for Scan<P, I, F> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P> Flow<P> {
    /// Makes an item of each item and of a state that the lane keeps, until `f` returns `None`: that ends the lane.
    ///
    /// Each lane has a state of its own, which `init` makes. After [`partition_by`](Flow::partition_by) it is that of
    /// the lane, which has the items of many keys, and not that of a key: for a state per key, keep a map of them, or
    /// use [`emit_and_reduce`](Flow::emit_and_reduce) with one. For one state over all items, set one
    /// [lane](Flow::lanes), or put [`ordered`](Flow::ordered) before it.
    ///
    /// # Demand
    /// A lane that has ended drops what feeds it. Lanes that share their items by demand go on with what is left,
    /// without it; what a partition sends to that lane has no reader any more, and is counted as
    /// [discarded](Flow::discarded). The flow ends when all lanes have.
    ///
    /// # Ordering
    /// Each lane keeps its order; `ordered` can follow, and passes over what a lane had that has ended.
    ///
    /// # Panics
    /// A panic in `init` or `f` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let sums = Flow::from_iter([1, 2, 3, 4]).lanes(1).scan(|| 0, |sum, n| {
    ///     *sum += n;
    ///     (*sum < 10).then_some(*sum)
    /// });
    /// assert_eq!(sums.collect::<Vec<_>>().await, [1, 3, 6]);
    /// # });
    /// ```
    ///
    /// A state per key:
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::collections::HashMap;
    ///
    /// # tokio_test::block_on(async {
    /// let numbered = Flow::from_iter(["fox", "dog", "fox"]).partition().scan(HashMap::new, |seen, word| {
    ///     let times = seen.entry(word).or_insert(0);
    ///     *times += 1;
    ///     Some((word, *times))
    /// });
    /// let mut numbered: Vec<(&str, u32)> = numbered.collect().await;
    /// numbered.sort();
    /// assert_eq!(numbered, [("dog", 1), ("fox", 1), ("fox", 2)]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Stream.transform/3`, which Flow has no counterpart for. It is `scan` of `StreamExt`, with a plain function in
    /// place of one that returns a future: see [`then`](Flow::then).
    #[track_caller]
    pub fn scan<S, U, I, F>(self, init: I, f: F) -> Flow<Scan<P, I, F>>
    where
        P: OpenLayer,
        I: FnMut() -> S + Clone,
        F: FnMut(&mut S, P::Item) -> Option<U> + Clone,
    {
        self.operator("scan", |upstream| Scan { upstream, init, f })
    }
}

/// The plan of [`Flow::scan`].
#[must_use = "operators do nothing until the flow is read"]
pub struct Scan<P, I, F> {
    upstream: P,
    init: I,
    f: F,
}

impl<P, S, U, I, F> Plan for Scan<P, I, F>
where
    P: Plan,
    I: FnMut() -> S,
    F: FnMut(&mut S, P::Item) -> Option<U>,
{
    type Item = U;
    type Carries = P::Carries;

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.upstream.size_hint().1)
    }
}

impl<E, P, S, U, I, F> Build<E> for Scan<P, I, F>
where
    E: Envelope,
    P: Build<E>,
    I: FnMut() -> S,
    F: FnMut(&mut S, P::Item) -> Option<U> + Clone,
{
    type Lane = SerialSteps<E, P::Item, P::Lane, ScanStep<S, F>>;

    fn build(mut self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        self.upstream.build(tasks, &mut |tasks, lane| {
            let step = ScanStep { f: self.f.clone(), state: (self.init)(), over: false };
            to(tasks, SerialSteps::new(lane, step));
        });
    }
}

/// The step of [`Flow::scan`] in a lane.
pub struct ScanStep<S, F> {
    f: F,
    state: S,
    over: bool,
}

impl<S, F> Sealed for ScanStep<S, F> {}

impl<T, S, U, F: FnMut(&mut S, T) -> Option<U>> SerialStep<T> for ScanStep<S, F> {
    type Out = U;

    #[inline]
    fn step(&mut self, _: Option<u64>, item: T) -> Option<U> {
        let out = (self.f)(&mut self.state, item);
        self.over = out.is_none();
        out
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.over
    }
}

impl<P: fmt::Debug, I, F> fmt::Debug for Scan<P, I, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

impl<S, F> fmt::Debug for ScanStep<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanStep").field("over", &self.over).finish_non_exhaustive()
    }
}
