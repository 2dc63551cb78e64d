mod closed;
mod handle;
mod naming;
mod outstanding;
mod results;
mod roll;
mod task;

use super::child_error::ChildError;
use crate::failure::Panic;
use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use outstanding::Outstanding;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::coop;

pub use closed::TaskSupervisorClosed;
pub use handle::TaskSupervisorHandle;
pub use naming::{Keyed, Naming, NoKey};

/// Runs a task for each item that is sent to it, and is the stream of their results, each with its item.
///
/// A sink of items and a stream of results at once: `split()` of futures makes two of it, for two tasks. If a task
/// panics, that is its result, and no other task is affected. The tasks run by themselves, whether or not this is
/// polled. [`supervised`](super::StreamSupervised::supervised) puts one after a stream.
///
/// # Demand
/// At most `n` items are outstanding: running, or done and not read. With `n` outstanding it is not ready for another.
/// If nothing reads the results, it is never ready again: to `forward` a stream to it, `split` it and read the other
/// half.
///
/// The sink: *flush* does not wait, for an item is with its task as soon as it was sent. *Close* does not wait either:
/// it means that no more items come, and the stream ends when all results were read.
///
/// # Ordering
/// Results come as tasks end; with [`ordered`](TaskSupervisor::ordered), as items were sent.
///
/// # Errors
/// A result is a [`ChildError`] when there is no output: the task panicked, took [too long](TaskSupervisor::timeout),
/// or lost its runtime. The sink fails only after it was closed, with the item in the error ([`TaskSupervisorClosed`]).
/// It says that it is ready then, so that `start_send` can hand the item back.
///
/// # Panics
/// A panic in `f`, in a future or in its drop is a result, and `f` is called again for the next item. Sending panics
/// when the closure of [`key`](TaskSupervisor::key) or the clone of the item does, and outside of a tokio runtime if
/// none was [named](TaskSupervisor::on); `start_send` also panics when the sink was not ready.
///
/// # Cancel safety
/// A `send` that is dropped before it is done drops its item, and a `next` loses nothing.
///
/// # Drop
/// Aborts all tasks, each at its next `await` or at once, and drops all results that were not read. Each half of a
/// `split` keeps the whole alive: without the results' half the sink takes items until `n` are outstanding, then no
/// more.
///
/// # Examples
/// ```
/// use futures::{SinkExt, StreamExt};
/// use gen_stage::supervisor::{ChildError, TaskSupervisor};
///
/// # tokio_test::block_on(async {
/// let mut tasks = TaskSupervisor::new(2, |n: u32| async move { 100 / n }).ordered();
/// tasks.send(0).await.unwrap();
/// tasks.send(5).await.unwrap();
/// assert!(matches!(tasks.next().await, Some((0, Err(ChildError::Panicked(_))))));
/// assert!(matches!(tasks.next().await, Some((5, Ok(20)))));
/// # });
/// ```
///
/// In two tasks:
/// ```
/// use futures::{StreamExt, stream};
/// use gen_stage::supervisor::TaskSupervisor;
///
/// # tokio_test::block_on(async {
/// let tasks = TaskSupervisor::new(10, |n: u64| async move { n * n });
/// let (sink, results) = tasks.split();
/// tokio::spawn(stream::iter(0..100).map(Ok).forward(sink));
/// let squares = results.map(|(_, square)| square.unwrap()).collect::<Vec<_>>().await;
/// assert_eq!(squares.iter().sum::<u64>(), 328_350);
/// # });
/// ```
///
/// # Source
/// `Task.Supervisor.async_stream_nolink/4` with `zip_input_on_exit`, as a consumer. The limit, there `max_concurrency`,
/// has to be given, and counts results that were not read. There is no timeout by default (there 5 s); a task that
/// takes longer than one that is set has that as its result (there `on_timeout: :kill_task`). Results are ordered only
/// on request.
#[must_use = "it does nothing until items are sent to it, and aborts its tasks when it is dropped"]
pub struct TaskSupervisor<T, O, F, N = NoKey, K = T> {
    f: F,
    naming: N,
    max: usize,
    timeout: Option<Duration>,
    runtime: Option<Handle>,
    outstanding: Outstanding<K, O>,
    closed: bool,
    /// Wakes the task that waits to send.
    sender: Option<Waker>,
    item: PhantomData<fn(T)>,
}

impl<T, O, F> TaskSupervisor<T, O, F> {
    /// Runs the future that `f` returns in a task for each item, with at most `n` items outstanding.
    ///
    /// `n` is in items, at least 1. `f` is called where the item is sent. Each result comes with a clone of its item,
    /// made before that call; see [`key`](Self::key) for items that cannot be cloned.
    ///
    /// # Panics
    /// When `n` is 0.
    ///
    /// # Examples
    /// See [`TaskSupervisor`].
    #[track_caller]
    pub fn new<Fut>(n: usize, f: F) -> Self
    where
        F: FnMut(T) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: Send + 'static,
    {
        assert!(n > 0, "TaskSupervisor::new needs room for at least 1 item, given 0");
        Self::start(n, f)
    }

    pub(super) fn start(n: usize, f: F) -> Self {
        Self {
            f,
            naming: NoKey,
            max: n,
            timeout: None,
            runtime: None,
            outstanding: Outstanding::new(),
            closed: false,
            sender: None,
            item: PhantomData,
        }
    }
}

impl<T, O, F, N, K> TaskSupervisor<T, O, F, N, K> {
    /// Returns each result with what `key` makes of its item, in place of the item, which then need not be cloned.
    ///
    /// # Panics
    /// When items are outstanding already, or a [handle](Self::handle) was made.
    ///
    /// # Examples
    /// ```
    /// use futures::{SinkExt, StreamExt};
    /// use gen_stage::supervisor::TaskSupervisor;
    ///
    /// struct Job { id: u32, text: String }
    ///
    /// # tokio_test::block_on(async {
    /// let mut tasks = TaskSupervisor::new(8, |job: Job| async move { job.text.len() }).key(|job| job.id);
    /// tasks.send(Job { id: 7, text: "twelve".into() }).await.unwrap();
    /// assert!(matches!(tasks.next().await, Some((7, Ok(6)))));
    /// # });
    /// ```
    #[track_caller]
    pub fn key<K2, G>(self, key: G) -> TaskSupervisor<T, O, F, Keyed<G>, K2>
    where
        G: FnMut(&T) -> K2,
    {
        self.assert_planned("key");
        assert!(!self.outstanding.has_handle(), "key must be said before a handle is made, which goes by it");
        let mut outstanding = Outstanding::new();
        if self.outstanding.is_ordered() {
            outstanding.set_ordered();
        }
        TaskSupervisor {
            f: self.f,
            naming: Keyed(key),
            max: self.max,
            timeout: self.timeout,
            runtime: self.runtime,
            outstanding,
            closed: self.closed,
            sender: self.sender,
            item: PhantomData,
        }
    }

    /// Returns results in the order in which their items were sent; by default they come as tasks end.
    ///
    /// Results that are done early wait for those before them, and are outstanding meanwhile.
    ///
    /// # Panics
    /// When items are outstanding already.
    ///
    /// # Examples
    /// See [`TaskSupervisor`].
    #[track_caller]
    pub fn ordered(mut self) -> Self {
        self.assert_planned("ordered");
        self.outstanding.set_ordered();
        self
    }

    /// Aborts tasks that take longer than this, from when they begin to run: [`ChildError::TimedOut`] is the result. By
    /// default there is no limit.
    ///
    /// Like any future, one that blocks its thread cannot be aborted. The runtime must have its timers enabled: without
    /// them, the result of every task that is not ready at once is a panic.
    ///
    /// # Panics
    /// When items are outstanding already.
    ///
    /// # Examples
    /// ```
    /// use futures::{SinkExt, StreamExt};
    /// use gen_stage::supervisor::{ChildError, TaskSupervisor};
    /// use tokio::time::{Duration, sleep};
    ///
    /// # tokio_test::block_on(async {
    /// # tokio::time::pause();
    /// let naps = TaskSupervisor::new(2, |seconds: u64| sleep(Duration::from_secs(seconds)));
    /// let mut naps = naps.timeout(Duration::from_secs(5));
    /// naps.send(60).await.unwrap();
    /// naps.send(4).await.unwrap();
    /// assert!(matches!(naps.next().await, Some((4, Ok(())))));
    /// assert!(matches!(naps.next().await, Some((60, Err(ChildError::TimedOut)))));
    /// # });
    /// ```
    #[track_caller]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.assert_planned("timeout");
        self.timeout = Some(timeout);
        self
    }

    /// Sets the runtime that runs the tasks; by default the one in which the first item is sent.
    ///
    /// # Panics
    /// When items are outstanding already.
    ///
    /// # Examples
    /// ```
    /// use futures::{SinkExt, StreamExt, executor::block_on};
    /// use gen_stage::supervisor::TaskSupervisor;
    ///
    /// let runtime = tokio::runtime::Runtime::new().unwrap();
    /// let mut tasks = TaskSupervisor::new(1, |n: u64| async move { n + 1 }).on(runtime.handle().clone());
    /// block_on(tasks.send(1)).unwrap();
    /// assert!(matches!(block_on(tasks.next()), Some((1, Ok(2)))));
    /// ```
    #[track_caller]
    pub fn on(mut self, runtime: Handle) -> Self {
        self.assert_planned("on");
        self.runtime = Some(runtime);
        self
    }

    /// A handle to list the tasks and to cancel them by their keys, from any task.
    ///
    /// # Examples
    /// See [`TaskSupervisorHandle`].
    pub fn handle(&mut self) -> TaskSupervisorHandle<K>
    where
        K: Clone + Send + Sync + 'static,
    {
        self.outstanding.handle()
    }

    /// How many items were sent whose results were not read: from 0 to `n`.
    ///
    /// # Examples
    /// ```
    /// use futures::{SinkExt, StreamExt};
    /// use gen_stage::supervisor::TaskSupervisor;
    ///
    /// # tokio_test::block_on(async {
    /// let mut tasks = TaskSupervisor::new(2, |n: u64| async move { n });
    /// tasks.send(1).await.unwrap();
    /// assert_eq!(tasks.outstanding(), 1);
    /// tasks.next().await;
    /// assert_eq!(tasks.outstanding(), 0);
    /// # });
    /// ```
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    #[track_caller]
    fn assert_planned(&self, what: &str) {
        let outstanding = self.outstanding();
        assert!(
            outstanding == 0,
            "{what} must be said while no items are outstanding, there are {outstanding}"
        );
    }

    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.outstanding() < self.max
    }

    pub(super) fn begin<Fut>(&mut self, item: T)
    where
        F: FnMut(T) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: Send + 'static,
        N: Naming<T, Name = K>,
    {
        let runtime = self.runtime.get_or_insert_with(|| {
            Handle::try_current().expect(
                "a task needs a tokio runtime, and its item was sent outside of one: send in `#[tokio::main]`, \
                 `#[tokio::test]` or `Runtime::block_on`, or name a runtime with `on`",
            )
        });
        let key = self.naming.name(&item);
        let future = catch_unwind(AssertUnwindSafe(|| (self.f)(item)));
        let future = future.map_err(|payload| ChildError::Panicked(Panic::new(payload)));
        self.outstanding.start(key, future, self.timeout, runtime);
    }

    /// No more items come: the stream ends when all results were read.
    pub(super) fn finish(&mut self) {
        self.closed = true;
        self.outstanding.wake();
    }
}

impl<T, O, F, Fut, N, K> Sink<T> for TaskSupervisor<T, O, F, N, K>
where
    F: FnMut(T) -> Fut,
    Fut: Future<Output = O> + Send + 'static,
    O: Send + 'static,
    N: Naming<T, Name = K>,
{
    type Error = TaskSupervisorClosed<T>;

    fn poll_ready(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), TaskSupervisorClosed<T>>> {
        // Closed, it says ready so that `start_send` can hand the item back.
        if self.closed || self.has_room() {
            return Poll::Ready(Ok(()));
        }
        if !self.sender.as_ref().is_some_and(|sender| sender.will_wake(cx.waker())) {
            self.sender = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    fn start_send(mut self: Pin<&mut Self>, item: T) -> Result<(), TaskSupervisorClosed<T>> {
        if self.closed {
            return Err(TaskSupervisorClosed(item));
        }
        assert!(self.has_room(), "start_send on a sink that has not said that it is ready");
        self.begin(item);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), TaskSupervisorClosed<T>>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Result<(), TaskSupervisorClosed<T>>> {
        self.finish();
        Poll::Ready(Ok(()))
    }
}

impl<T, O, F, N, K> Stream for TaskSupervisor<T, O, F, N, K> {
    type Item = (K, Result<O, ChildError>);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Lets other tasks run even if tasks on other threads always have a result ready for this reader.
        let budget = ready!(coop::poll_proceed(cx));
        loop {
            if let Some(result) = self.outstanding.next() {
                budget.made_progress();
                if let Some(sender) = self.sender.take() {
                    sender.wake();
                }
                return Poll::Ready(Some(result));
            }
            if self.is_terminated() {
                return Poll::Ready(None);
            }
            ready!(self.outstanding.poll_told(cx));
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.outstanding(), self.closed.then(|| self.outstanding()))
    }
}

impl<T, O, F, N, K> FusedStream for TaskSupervisor<T, O, F, N, K> {
    fn is_terminated(&self) -> bool {
        self.closed && self.outstanding() == 0
    }
}

// The futures are in tasks of their own.
impl<T, O, F, N, K> Unpin for TaskSupervisor<T, O, F, N, K> {}

impl<T, O, F, N, K> fmt::Debug for TaskSupervisor<T, O, F, N, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSupervisor")
            .field("max", &self.max)
            .field("outstanding", &self.outstanding())
            .field("ordered", &self.outstanding.is_ordered())
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
