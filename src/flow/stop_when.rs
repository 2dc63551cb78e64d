use super::flow::Flow;
use super::monitor::Losses;
use super::plumbing::envelope::Envelope;
use super::plumbing::plan::{Build, LayerStart, Layered, Plan, Settings, To};
use super::plumbing::serial_step::SerialStep;
use super::plumbing::tasks::Tasks;
use crate::lane::Inlet;
use crate::sealed::Sealed;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

impl<P> Sealed for StopWhen<P> {}

impl<P: Layered> Layered for StopWhen<P> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }

    fn pass_through(&mut self) {
        self.upstream.pass_through();
    }
}

impl<P> Flow<P> {
    /// Ends the sources of the flow when `token` is cancelled; what was taken by then still comes out, and then the
    /// flow ends as it does at the end of its input.
    ///
    /// A source that waits ends at once; one that is being read ends after that batch. The sources are those of all
    /// layers above this call. Several tokens may be given, any of which ends them, and one token may end many flows. A
    /// source that is itself a flow is dropped with what is in it: give that flow the token too.
    ///
    /// # Demand
    /// Items in the lanes come out as they are asked for: a flow that is not read does not end by this.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::prelude::*;
    /// use tokio_util::sync::CancellationToken;
    ///
    /// # tokio_test::block_on(async {
    /// let token = CancellationToken::new();
    /// let endless = stream::iter([3, 1, 2]).chain(stream::pending());
    /// let sums = endless.flow().lanes(1).stop_when(token.clone()).reduce(|| 0, |sum, n| *sum += n).emit_state();
    /// let cancel = async {
    ///     tokio::task::yield_now().await;
    ///     token.cancel();
    /// };
    /// assert_eq!(futures::join!(sums.collect::<Vec<u32>>(), cancel).0, [3 + 1 + 2]);
    /// # });
    /// ```
    ///
    /// # Source
    /// Flow has nothing like it: stopping its coordinator ends a flow, and drops what is in it.
    #[track_caller]
    pub fn stop_when(self, token: CancellationToken) -> Flow<StopWhen<P>>
    where
        P: Plan,
    {
        self.operator("stop_when", |upstream| StopWhen { upstream, token, meter: None })
    }
}

/// The plan behind [`Flow::stop_when`].
#[must_use = "operators do nothing until the flow is read"]
pub struct StopWhen<P> {
    upstream: P,
    token: CancellationToken,
    meter: Option<Arc<Meter>>,
}

impl<P> StopWhen<P> {
    /// As [`Flow::stop_when`], and counts in `meter`.
    pub(super) fn metered(upstream: P, token: CancellationToken, meter: Arc<Meter>) -> Self {
        Self { upstream, token, meter: Some(meter) }
    }

    /// What counts the items of the sources, if anything does.
    fn counter(&self, tasks: &Tasks) -> Option<Arc<AtomicU64>> {
        self.meter.as_ref().map(|meter| {
            let _ = meter.losses.set(tasks.losses().clone());
            Arc::clone(&meter.taken)
        })
    }
}

/// The counters of a flow, read through its handle.
#[derive(Debug, Default)]
pub(super) struct Meter {
    taken: Arc<AtomicU64>,
    /// Known once the flow runs.
    losses: OnceLock<Losses>,
    ended: OnceLock<Instant>,
    complete: AtomicBool,
}

impl Meter {
    /// Items taken from the sources.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Items dropped before any operator or reader took them.
    pub(super) fn discarded(&self) -> u64 {
        self.losses.get().map_or(0, Losses::discarded)
    }

    /// Items that came too late for their windows.
    pub(super) fn late(&self) -> u64 {
        self.losses.get().map_or(0, Losses::late)
    }

    /// Items that gave way to newer ones while they were held.
    pub(super) fn replaced(&self) -> u64 {
        self.losses.get().map_or(0, Losses::replaced)
    }

    /// When the flow ended: the time of the first call.
    pub(super) fn ended(&self) -> Instant {
        *self.ended.get_or_init(Instant::now)
    }

    /// Notes that everything has come out.
    pub(super) fn complete(&self) {
        self.complete.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::SeqCst)
    }

    pub(super) fn has_started(&self) -> bool {
        self.losses.get().is_some()
    }
}

impl<P: Plan> Plan for StopWhen<P> {
    type Item = P::Item;
    type Carries = P::Carries;

    fn size_hint(&self) -> (usize, Option<usize>) {
        // It may end before its sources do.
        (0, self.upstream.size_hint().1)
    }
}

impl<E: Envelope, P: Build<E>> Build<E> for StopWhen<P> {
    type Lane = P::Lane;

    /// Builds what is upstream so that the token ends its sources.
    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let counter = self.counter(tasks);
        tasks.gated(self.token, counter, |tasks| self.upstream.build(tasks, to));
    }

    fn build_at_source<U, Op>(
        self,
        step: Op,
        tasks: &mut Tasks,
        to: To<'_, Inlet<E::Of<U>>>,
    ) -> Result<(), (Self, Op)>
    where
        U: Send + 'static,
        Op: SerialStep<P::Item, Out = U> + Send + 'static,
    {
        let counter = self.counter(tasks);
        let Self { upstream, token, meter } = self;
        let built = tasks.gated(token.clone(), counter, |tasks| upstream.build_at_source(step, tasks, to));
        built.map_err(|(upstream, step)| (Self { upstream, token, meter }, step))
    }
}

impl<P: LayerStart> LayerStart for StopWhen<P> {}

impl<P: fmt::Debug> fmt::Debug for StopWhen<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopWhen").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
