use super::bounds::Open;
use super::flow::Flow;
use super::plumbing::envelope::Envelope;
use super::plumbing::outlet::Outlet;
use super::plumbing::place::LayerPart;
use super::plumbing::plan::{Build, Layered, Plan, Settings, To};
use super::plumbing::sink_driver::SinkDriver;
use super::plumbing::tasks::Tasks;
use crate::coop::{Pace, give_way};
use crate::edge::edge;
use crate::lane::{Each, Inlet, Lane, Origins, poll_one};
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use pin_project_lite::pin_project;
use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

impl<P, Si> Sealed for DeadLetters<P, Si> {}

impl<P: Layered, Si> Layered for DeadLetters<P, Si> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P, T, X> Flow<P>
where
    P: Open<Item = Result<T, X>>,
{
    /// Passes on the value of each `Ok`, and writes the errors of all lanes into one `Sink`.
    ///
    /// The sink has a task of its own. It is flushed whenever no error is waiting, and closed when all lanes have
    /// ended; the flow ends after that. For the sink to get the items that failed, too, put them into the error
    /// ([`map_err`](Flow::map_err), or the closure of [`try_map`](Flow::try_map)).
    ///
    /// # Demand
    /// At most [`max_demand`](Flow::demand) errors wait for the sink, in equal shares of at least one for each lane,
    /// and one more in each lane. Then a sink that is not ready holds up the lanes that have an error, and these hold
    /// up what feeds them: nothing is dropped.
    ///
    /// # Ordering
    /// Each lane keeps its order, and so do its errors in the sink. [`ordered`](Flow::ordered) can follow.
    ///
    /// # Errors
    /// An error of the sink ends the flow with a panic that names it. If the sink may fail without ending the flow,
    /// wrap it in a sink that does not fail.
    ///
    /// # Drop
    /// Dropping the flow drops the sink as it is, with the errors that wait for it, and does not close it. A lane that
    /// ends before its input does sends the errors that it came to; one that still waits for room is
    /// [discarded](Flow::discarded).
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, channel::mpsc};
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let (sink, dead) = mpsc::channel(8);
    /// let numbers = Flow::from_iter(["4", "x", "8"])
    ///     .lanes(1)
    ///     .map(|text| text.parse::<u32>().map_err(|error| (text, error.to_string())))
    ///     .dead_letters(sink);
    /// assert_eq!(numbers.collect::<Vec<_>>().await, [4, 8]);
    /// assert_eq!(dead.collect::<Vec<_>>().await, [("x", "invalid digit found in string".to_string())]);
    /// # });
    /// ```
    #[track_caller]
    pub fn dead_letters<Si>(self, sink: Si) -> Flow<DeadLetters<P, Si>>
    where
        Si: Sink<X, Error: fmt::Debug> + Send + 'static,
        X: Send + 'static,
    {
        self.operator("dead_letters", |upstream| DeadLetters { upstream, sink })
    }
}

/// The plan behind [`Flow::dead_letters`].
#[must_use = "operators do nothing until the flow is read"]
pub struct DeadLetters<P, Si> {
    upstream: P,
    sink: Si,
}

impl<P, T, X, Si> Plan for DeadLetters<P, Si>
where
    P: Plan<Item = Result<T, X>>,
{
    type Item = T;
    type Carries = P::Carries;

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.upstream.size_hint().1)
    }
}

impl<E, P, T, X, Si> Build<E> for DeadLetters<P, Si>
where
    E: Envelope,
    P: Build<E, Item = Result<T, X>>,
    Si: Sink<X, Error: fmt::Debug> + Send + 'static,
    X: Send + 'static,
{
    type Lane = DeadLettersLane<E, T, P::Lane, X>;

    fn build(mut self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let layer = self.settings().layer.clone();
        let demand = self.settings().demand;
        let lanes = self.upstream.build_all(tasks);
        // An edge from each lane, so that no lane keeps another from sending its errors.
        let share = demand.shared_by(lanes.len());
        let discarded = tasks.discarded().clone();
        let mut edges = Vec::with_capacity(lanes.len());
        for upstream in lanes {
            let (sender, receiver) = edge(share);
            edges.push(receiver);
            let outlet = Outlet::new(sender, share.batch());
            let letters = LaneErrors { outlet, held: None, discarded: discarded.clone() };
            to(tasks, DeadLettersLane { upstream, letters, pace: Pace::default(), carries: PhantomData });
        }
        tasks.spawn(
            &layer.part(LayerPart::DeadLetters),
            SinkDriver::new(Inlet::new(edges, discarded), self.sink, |error| {
                panic!("the sink of dead letters failed: {error:?}")
            }),
        );
    }
}

/// The errors of a lane on their way to the sink.
struct LaneErrors<X> {
    outlet: Outlet<X>,
    /// An error that waits for room.
    held: Option<X>,
    discarded: Arc<AtomicU64>,
}

impl<X> LaneErrors<X> {
    /// Breaks when there is no room for the error, or when the batch is full.
    #[cold]
    fn put(&mut self, error: X) -> ControlFlow<()> {
        if self.outlet.room() == 0 {
            self.held = Some(error);
            return ControlFlow::Break(());
        }
        self.outlet.push(error)
    }

    /// Waits for room for the error that is held, if there is one.
    fn poll_put(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.held.is_none() {
            return Poll::Ready(());
        }
        ready!(self.outlet.poll_open(cx));
        if self.outlet.is_closed() {
            // The sink has failed: the flow hears of it from the sink's task, and drops this lane.
            return Poll::Pending;
        }
        if let Some(error) = self.held.take() {
            let _ = self.outlet.push(error);
        }
        Poll::Ready(())
    }
}

impl<X> Drop for LaneErrors<X> {
    fn drop(&mut self) {
        // Also when the lane ends before its input does: the sink is closed when all lanes have ended.
        self.outlet.finish();
        let lost = self.outlet.take().len() + usize::from(self.held.is_some());
        self.discarded.fetch_add(lost as u64, Ordering::Relaxed);
    }
}

pin_project! {
    /// A lane of a layer with [`Flow::dead_letters`].
    #[must_use = "a lane does nothing until it is polled"]
    pub struct DeadLettersLane<E, T, L, X> {
        #[pin]
        upstream: L,
        letters: LaneErrors<X>,
        pace: Pace,
        carries: PhantomData<fn(T) -> E>,
    }
}

impl<E, T, L, X> Lane for DeadLettersLane<E, T, L, X>
where
    E: Envelope,
    L: Lane<Item = E::Of<Result<T, X>>>,
{
    #[inline]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Self::Item) -> ControlFlow<()>,
    {
        let mut this = self.project();
        let letters = this.letters;
        this.pace.begin();
        loop {
            ready!(letters.poll_put(cx));
            let mut stopped = false;
            let polled = this.upstream.as_mut().poll_each(cx, &mut |of| {
                let mut waits = false;
                let passed = E::step(of, |result| match result {
                    Ok(value) => Some(value),
                    Err(error) => {
                        waits = letters.put(error).is_break();
                        None
                    }
                });
                if let Some(of) = passed {
                    if each(of).is_break() {
                        stopped = true;
                        return ControlFlow::Break(());
                    }
                }
                if waits { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            letters.outlet.flush(None);
            if stopped || polled != Poll::Ready(Each::Stopped) {
                return polled;
            }
            // The lane below bounds what it passes in one call, but this loop could go on for ever.
            if this.pace.is_over() {
                return give_way(cx);
            }
        }
    }

    fn origins(self: Pin<&mut Self>) -> Origins {
        self.project().upstream.origins()
    }
}

impl<E, T, L, X> Stream for DeadLettersLane<E, T, L, X>
where
    E: Envelope,
    L: Lane<Item = E::Of<Result<T, X>>>,
{
    type Item = E::Of<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_one(self, cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.upstream.size_hint().1)
    }
}

impl<E, T, L, X> FusedStream for DeadLettersLane<E, T, L, X>
where
    E: Envelope,
    L: Lane<Item = E::Of<Result<T, X>>> + FusedStream,
{
    fn is_terminated(&self) -> bool {
        self.letters.held.is_none() && self.upstream.is_terminated()
    }
}

impl<P: fmt::Debug, Si> fmt::Debug for DeadLetters<P, Si> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetters").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

impl<E, T, L: fmt::Debug, X> fmt::Debug for DeadLettersLane<E, T, L, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLettersLane").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
