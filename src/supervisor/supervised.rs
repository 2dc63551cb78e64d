use super::child_error::ChildError;
use super::task_supervisor::{Keyed, Naming, NoKey, TaskSupervisor, TaskSupervisorHandle};
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Handle;

/// Adds [`supervised`](StreamSupervised::supervised) to every `Stream`.
///
/// # Examples
/// See [`supervised`](StreamSupervised::supervised).
pub trait StreamSupervised: Stream + Sized {
    /// Runs the future that `f` returns in a task for each item, and returns its result together with the item.
    ///
    /// `n` is in items, at least 1. Each result comes with a clone of its item, made before `f` is called; see
    /// [`key`](Supervised::key) for items that cannot be cloned. Tasks run by themselves: what was started is driven to
    /// its end whether or not the stream is polled, unlike with `buffered`. New ones start when it is polled.
    ///
    /// # Demand
    /// Items are taken from this stream while fewer than `n` are outstanding: running, or done and not read.
    ///
    /// # Ordering
    /// Results come as tasks end; with [`ordered`](Supervised::ordered), in the order of items.
    ///
    /// # Errors
    /// A result is a [`ChildError`] when there is no output: the task panicked, took [too long](Supervised::timeout),
    /// or lost its runtime. No other task is affected.
    ///
    /// # Panics
    /// When `n` is 0. A panic in `f`, in a future or in its drop is a result. A panic of this stream, of the clone or
    /// of the closure of [`key`](Supervised::key) is raised in the reader. Taking the first item outside of a tokio
    /// runtime panics too, if none was [named](Supervised::on).
    ///
    /// # Cancel safety
    /// A `next` that is dropped loses nothing.
    ///
    /// # Drop
    /// Drops this stream, aborts all tasks, each at its next `await` or at once, and drops all results that were not
    /// read.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::supervisor::{ChildError, StreamSupervised};
    ///
    /// # tokio_test::block_on(async {
    /// let quotients = stream::iter([1_u32, 0, 5]).supervised(2, |n| async move { 100 / n }).ordered();
    /// let quotients: Vec<_> = quotients.collect().await;
    /// assert!(matches!(quotients[..], [(1, Ok(100)), (0, Err(ChildError::Panicked(_))), (5, Ok(20))]));
    /// # });
    /// ```
    ///
    /// # Source
    /// `Task.Supervisor.async_stream_nolink/4`; its options are those of [`TaskSupervisor`].
    #[track_caller]
    fn supervised<O, F, Fut>(self, n: usize, f: F) -> Supervised<Self, O, F>
    where
        F: FnMut(Self::Item) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: Send + 'static,
    {
        assert!(n > 0, "supervised needs room for at least 1 item, given 0");
        Supervised { upstream: Some(self), tasks: TaskSupervisor::start(n, f) }
    }
}

impl<S: Stream> StreamSupervised for S {}

/// How many items one poll takes at most, so that other tasks run.
const TURN: usize = 128;

pin_project! {
    /// The results of one task per item of a stream: made by [`supervised`](StreamSupervised::supervised).
    ///
    /// # Examples
    /// See [`supervised`](StreamSupervised::supervised).
    #[must_use = "streams do nothing unless they are polled"]
    pub struct Supervised<S: Stream, O, F, N = NoKey, K = <S as Stream>::Item> {
        // `None` once it has ended.
        #[pin]
        upstream: Option<S>,
        tasks: TaskSupervisor<S::Item, O, F, N, K>,
    }
}

impl<S: Stream, O, F, N, K> Supervised<S, O, F, N, K> {
    /// Returns each result with what `key` makes of its item, in place of the item, which then need not be cloned.
    ///
    /// # Panics
    /// When items are outstanding already, or a [handle](Self::handle) was made.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::supervisor::StreamSupervised;
    ///
    /// # tokio_test::block_on(async {
    /// let lines = stream::iter(["one".to_string(), "three".to_string()]).enumerate();
    /// let lengths = lines.supervised(2, |(_, line)| async move { line.len() }).key(|(number, _)| *number);
    /// let lengths: Vec<_> = lengths.ordered().collect().await;
    /// assert!(matches!(lengths[..], [(0, Ok(3)), (1, Ok(5))]));
    /// # });
    /// ```
    #[track_caller]
    pub fn key<K2, G>(self, key: G) -> Supervised<S, O, F, Keyed<G>, K2>
    where
        G: FnMut(&S::Item) -> K2,
    {
        Supervised { upstream: self.upstream, tasks: self.tasks.key(key) }
    }

    /// Returns results in the order of their items; by default they come as tasks end.
    ///
    /// Results that are done early wait for those before them, and are outstanding meanwhile.
    ///
    /// # Panics
    /// When items are outstanding already.
    ///
    /// # Examples
    /// See [`supervised`](StreamSupervised::supervised).
    #[track_caller]
    pub fn ordered(self) -> Self {
        Self { tasks: self.tasks.ordered(), ..self }
    }

    /// Aborts tasks that take longer than this, as [`TaskSupervisor::timeout`] does; by default none.
    ///
    /// # Panics
    /// When items are outstanding already.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::supervisor::{ChildError, StreamSupervised};
    /// use tokio::time::{Duration, sleep};
    ///
    /// # tokio_test::block_on(async {
    /// # tokio::time::pause();
    /// let naps = stream::iter([60, 4]).supervised(2, |seconds| sleep(Duration::from_secs(seconds)));
    /// let naps: Vec<_> = naps.timeout(Duration::from_secs(5)).collect().await;
    /// assert!(matches!(naps[..], [(4, Ok(())), (60, Err(ChildError::TimedOut))]));
    /// # });
    /// ```
    #[track_caller]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { tasks: self.tasks.timeout(timeout), ..self }
    }

    /// Sets the runtime that runs the tasks; by default the one in which the first item is taken.
    ///
    /// # Panics
    /// When items are outstanding already.
    ///
    /// # Examples
    /// ```
    /// use futures::{executor, stream};
    /// use gen_stage::supervisor::StreamSupervised;
    ///
    /// let runtime = tokio::runtime::Runtime::new().unwrap();
    /// let next = stream::iter([1, 2]).supervised(1, |n| async move { n + 1 }).on(runtime.handle().clone());
    /// let next: Vec<u64> = executor::block_on_stream(next).map(|(_, next)| next.unwrap()).collect();
    /// assert_eq!(next, [2, 3]);
    /// ```
    #[track_caller]
    pub fn on(self, runtime: Handle) -> Self {
        Self { tasks: self.tasks.on(runtime), ..self }
    }

    /// A handle to list the tasks and to cancel them by their keys, from any task.
    ///
    /// # Examples
    /// See [`TaskSupervisorHandle`].
    pub fn handle(&mut self) -> TaskSupervisorHandle<K>
    where
        K: Clone + Send + Sync + 'static,
    {
        self.tasks.handle()
    }

    /// How many items were taken whose results were not read: from 0 to `n`.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::supervisor::StreamSupervised;
    ///
    /// # tokio_test::block_on(async {
    /// let mut tasks = stream::iter(0..10).supervised(3, |n: u64| async move { n });
    /// assert_eq!(tasks.outstanding(), 0);
    /// tasks.next().await;
    /// assert_eq!(tasks.outstanding(), 2);
    /// # });
    /// ```
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.tasks.outstanding()
    }
}

impl<S, O, F, Fut, N, K> Stream for Supervised<S, O, F, N, K>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output = O> + Send + 'static,
    O: Send + 'static,
    N: Naming<S::Item, Name = K>,
{
    type Item = (K, Result<O, ChildError>);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let mut left = TURN;
        while let Some(upstream) = this.upstream.as_mut().as_pin_mut() {
            if left == 0 || !this.tasks.has_room() {
                break;
            }
            match upstream.poll_next(cx) {
                Poll::Ready(Some(item)) => this.tasks.begin(item),
                Poll::Ready(None) => {
                    // Comes first, for dropping the stream runs the user's code.
                    this.tasks.finish();
                    this.upstream.set(None);
                }
                Poll::Pending => break,
            }
            left -= 1;
        }
        let polled = Pin::new(this.tasks).poll_next(cx);
        if left == 0 && polled.is_pending() {
            cx.waker().wake_by_ref();
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let outstanding = self.outstanding();
        let (lower, upper) = self.upstream.as_ref().map_or((0, Some(0)), Stream::size_hint);
        (lower.saturating_add(outstanding), upper.and_then(|upper| upper.checked_add(outstanding)))
    }
}

impl<S, O, F, Fut, N, K> FusedStream for Supervised<S, O, F, N, K>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output = O> + Send + 'static,
    O: Send + 'static,
    N: Naming<S::Item, Name = K>,
{
    fn is_terminated(&self) -> bool {
        self.tasks.is_terminated()
    }
}

impl<S: Stream, O, F, N, K> fmt::Debug for Supervised<S, O, F, N, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervised")
            .field("upstream_ended", &self.upstream.is_none())
            .field("tasks", &self.tasks)
            .finish()
    }
}
