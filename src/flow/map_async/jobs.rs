//! The futures of one lane: each is polled in place, and moves to a task of its own if it is pending.

use crate::failure::raise_from;
use crate::flow::map_async::limit::Permit;
use crate::meter::LaneMeter;
use crate::span::TaskSpan;
use crate::sync::keep_waker;
use pin_project_lite::pin_project;
use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tracing::Span;

type Payload = Box<dyn Any + Send>;

/// The futures of one lane.
///
/// A future is polled at once where it is put, in a place on the heap that is used again and again. One that is pending
/// moves, with that place, to a task of its own, so that it is driven whether or not the lane is polled.
pub(in crate::flow) struct Jobs<Fut: Future> {
    /// Where the next future is put.
    place: Place<Fut>,
    jobs: Vec<Job<Fut>>,
    /// Which of `jobs` have no future.
    idle: Vec<usize>,
    finished: Arc<Finished<Fut::Output>>,
    /// Taken out of `finished`, and not yet read.
    unread: VecDeque<(usize, JobOutcome<Fut::Output>)>,
    runtime: Handle,
    meter: LaneMeter,
}

struct Job<Fut> {
    seat: Arc<Seat<Fut>>,
    task: Option<JoinHandle<()>>,
}

/// A pending future, where both its task and its lane can get at it.
///
/// The task takes the lock for each poll. The lane takes it to put a future in, while no task polls, and to stop the
/// future, without waiting.
type Seat<Fut> = Mutex<Seated<Fut>>;

struct Seated<Fut> {
    place: Place<Fut>,
    permit: Option<Permit>,
}

type Place<Fut> = Pin<Box<JobSlot<Fut>>>;

pin_project! {
    struct JobSlot<Fut> {
        #[pin]
        future: Option<Fut>,
    }
}

impl<Fut> JobSlot<Fut> {
    fn empty() -> Place<Fut> {
        Box::pin(Self { future: None })
    }

    #[inline(always)]
    fn put(self: Pin<&mut Self>, future: Option<Fut>) {
        self.project().future.set(future);
    }
}

impl<Fut: Future> JobSlot<Fut> {
    /// Polls the future that was put here; one that is ready is dropped.
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fut::Output> {
        let mut future = self.project().future;
        let Some(running) = future.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let polled = running.poll(cx);
        if polled.is_ready() {
            future.set(None);
        }
        polled
    }
}

enum JobOutcome<T> {
    Done(T),
    Panicked(Payload),
    /// The runtime dropped the task.
    Gone,
}

struct Finished<T> {
    state: Mutex<FinishedState<T>>,
}

struct FinishedState<T> {
    queue: VecDeque<(usize, JobOutcome<T>)>,
    lane: Option<Waker>,
}

impl<T> Finished<T> {
    fn lock(&self) -> MutexGuard<'_, FinishedState<T>> {
        // No code of users runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Fut: Future> Jobs<Fut> {
    /// How many futures run, or have a result that was not read yet.
    #[inline]
    pub(in crate::flow) fn outstanding(&self) -> usize {
        self.jobs.len() - self.idle.len()
    }
}

impl<Fut> Jobs<Fut>
where
    Fut: Future<Output: Send> + Send + 'static,
{
    pub(in crate::flow) fn new(runtime: Handle, meter: LaneMeter) -> Self {
        let state = Mutex::new(FinishedState { queue: VecDeque::new(), lane: None });
        Self {
            place: JobSlot::empty(),
            jobs: Vec::new(),
            idle: Vec::new(),
            finished: Arc::new(Finished { state }),
            unread: VecDeque::new(),
            runtime,
            meter,
        }
    }

    /// Polls a future for the first time. If it is pending, it is to be [spawned](Self::spawn).
    #[inline(always)]
    pub(in crate::flow) fn begin(&mut self, future: Fut) -> Poll<Fut::Output> {
        self.place.as_mut().put(Some(future));
        // This poll need not wake anything: the task polls the future again in any case.
        self.place.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Moves the pending future that [began](Self::begin) into a task of its own; returns its job number.
    #[inline(never)]
    pub(in crate::flow) fn spawn(&mut self, permit: Option<Permit>) -> usize {
        let at = self.idle.pop().unwrap_or_else(|| {
            let seat = Arc::new(Mutex::new(Seated { place: JobSlot::empty(), permit: None }));
            self.jobs.push(Job { seat, task: None });
            self.jobs.len() - 1
        });
        let job = &mut self.jobs[at];
        let mut seated = job.seat.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut seated.place, &mut self.place);
        seated.permit = permit;
        drop(seated);
        let (seat, finished) = (Arc::clone(&job.seat), Some(Arc::clone(&self.finished)));
        job.task =
            Some(self.runtime.spawn(JobTask { at, seat, finished, span: TaskSpan::debug(Span::current) }));
        self.meter.show_futures(self.outstanding());
        at
    }

    /// The next result, in the order in which futures finished.
    ///
    /// # Panics
    /// With the panic of a future.
    #[inline]
    pub(in crate::flow) fn next_finished(&mut self) -> Option<(usize, Fut::Output)> {
        if self.outstanding() == 0 {
            return None;
        }
        if self.unread.is_empty() {
            std::mem::swap(&mut self.unread, &mut self.finished.lock().queue);
        }
        while let Some((at, outcome)) = self.unread.pop_front() {
            match outcome {
                JobOutcome::Done(output) => {
                    self.idle.push(at);
                    self.meter.show_futures(self.outstanding());
                    return Some((at, output));
                }
                JobOutcome::Panicked(payload) => raise_from("a future", payload),
                // The job stays outstanding, so that the lane does not end: the flow learns of this from its own tasks.
                JobOutcome::Gone => {}
            }
        }
        None
    }

    /// Waits until there is a result that was not read. Call it only while a future is outstanding.
    pub(in crate::flow) fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.unread.is_empty() {
            return Poll::Ready(());
        }
        let state = self.finished.lock();
        if !state.queue.is_empty() {
            return Poll::Ready(());
        }
        keep_waker(state, |state| &mut state.lane, cx.waker());
        Poll::Pending
    }
}

impl<Fut: Future> Drop for Jobs<Fut> {
    fn drop(&mut self) {
        let mut panicked = None;
        for job in self.jobs.drain(..) {
            if let Some(task) = job.task {
                task.abort();
            }
            // A future that is being polled at this moment is dropped when that poll returns.
            let dropped = catch_unwind(AssertUnwindSafe(|| empty(&job.seat)));
            panicked = panicked.or(dropped.err());
        }
        if let Some(payload) = panicked {
            if !std::thread::panicking() {
                resume_unwind(payload);
            }
        }
    }
}

/// Drops the future and gives its permit back, unless it is being polled.
fn empty<Fut>(seat: &Seat<Fut>) {
    let mut seated = match seat.try_lock() {
        Ok(seated) => seated,
        Err(TryLockError::Poisoned(seated)) => seated.into_inner(),
        Err(TryLockError::WouldBlock) => return,
    };
    let permit = seated.permit.take();
    // Code of the user's runs outside of the lock.
    let place = std::mem::replace(&mut seated.place, JobSlot::empty());
    drop(seated);
    drop(place);
    drop(permit);
}

/// What drives one pending future.
struct JobTask<Fut: Future> {
    at: usize,
    seat: Arc<Seat<Fut>>,
    /// `None` once the outcome was reported.
    finished: Option<Arc<Finished<Fut::Output>>>,
    /// That of the lane.
    span: TaskSpan,
}

impl<Fut: Future> JobTask<Fut> {
    fn report(&mut self, outcome: JobOutcome<Fut::Output>, permit: Option<Permit>) {
        let Some(finished) = self.finished.take() else {
            return;
        };
        let mut state = finished.lock();
        state.queue.push_back((self.at, outcome));
        let lane = state.lane.take();
        drop(state);
        // The result is there before the permit is free, so that the lane that takes the permit sees the result.
        drop(permit);
        if let Some(lane) = lane {
            lane.wake();
        }
    }
}

impl<Fut: Future> Future for JobTask<Fut> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let entered = this.span.enter();
        let mut seated = this.seat.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match catch_unwind(AssertUnwindSafe(|| seated.place.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => JobOutcome::Done(output),
            Err(payload) => {
                // The first panic is the one to be seen.
                let _ = catch_unwind(AssertUnwindSafe(|| seated.place.as_mut().put(None)));
                JobOutcome::Panicked(payload)
            }
        };
        let permit = seated.permit.take();
        drop(seated);
        drop(entered);
        this.report(outcome, permit);
        Poll::Ready(())
    }
}

impl<Fut: Future> Drop for JobTask<Fut> {
    fn drop(&mut self) {
        if self.finished.is_some() {
            self.report(JobOutcome::Gone, None);
            empty(&self.seat);
        }
    }
}

impl<Fut: Future> fmt::Debug for Jobs<Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs")
            .field("outstanding", &(self.jobs.len() - self.idle.len()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::limit::{LanePermits, Limit};
    use super::{Jobs, LaneMeter};
    use futures::future::{BoxFuture, FutureExt, pending, ready};
    use std::future::poll_fn;
    use tokio::runtime::{Builder, Handle};

    type Numbers = Jobs<BoxFuture<'static, u32>>;

    #[tokio::test]
    async fn a_place_is_used_again() {
        let mut jobs = Numbers::new(Handle::current(), LaneMeter::default());
        assert!(jobs.begin(ready(1).boxed()).is_ready());
        assert_eq!(jobs.outstanding(), 0);
        for round in 0..3 {
            for at in 0..2 {
                let later = async move {
                    tokio::task::yield_now().await;
                    round
                };
                assert!(jobs.begin(later.boxed()).is_pending());
                assert!(jobs.spawn(None) < 2, "job {at} of 2");
            }
            assert_eq!((jobs.outstanding(), jobs.jobs.len()), (2, 2));
            for _ in 0..2 {
                poll_fn(|cx| jobs.poll_finished(cx)).await;
                assert_eq!(jobs.next_finished().map(|(_, output)| output), Some(round));
            }
            assert_eq!(jobs.outstanding(), 0);
        }
    }

    #[test]
    fn what_a_runtime_dropped_never_looks_done_and_gives_its_permit_back() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let mut jobs = Numbers::new(runtime.handle().clone(), LaneMeter::default());
        let mut gate = LanePermits::new(Limit::new(1), 0);
        assert!(jobs.begin(pending().boxed()).is_pending());
        jobs.spawn(gate.try_permit());
        assert!(gate.try_permit().is_none());
        drop(runtime);
        assert!(gate.try_permit().is_some());
        assert!(jobs.next_finished().is_none());
        assert_eq!(jobs.outstanding(), 1, "its lane does not end");
        // The runtime is gone already: this job does not look done either.
        assert!(jobs.begin(pending().boxed()).is_pending());
        jobs.spawn(None);
        assert!(jobs.next_finished().is_none());
        assert_eq!(jobs.outstanding(), 2);
    }
}
