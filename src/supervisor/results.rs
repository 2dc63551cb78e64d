use super::child_error::ChildError;
use super::child_info::ChildId;
use super::outcome::Outcome;
use super::registry::{Registry, Returned, Value};
use super::shared::SupervisorShared;
use futures_core::{FusedStream, Stream};
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::task::coop;

/// What became of a child, with the value that it returned.
///
/// # Examples
/// See [`ChildResults`].
#[derive(Clone)]
#[non_exhaustive]
pub struct ChildResult<O> {
    /// Which child.
    pub child: ChildId,
    /// What [`label_by`](super::DynamicSupervisor::label_by) calls it.
    pub label: Option<Arc<str>>,
    /// What it returned, or why it returned nothing; after all its restarts.
    pub result: Result<O, ChildError>,
}

/// The results of children, as a stream: one for each child that was started.
///
/// Made by [`results`](super::DynamicSupervisor::results). A child that is restarted has one result, that of its last
/// attempt. The stream ends after the last result, when the supervisor has ended.
///
/// # Demand
/// A child keeps its place until its result is read. So the results that wait are at most as many as there are places:
/// [`max_demand`](super::DynamicSupervisor::max_demand) for the sink, the demand of each subscription for a stage, and
/// [`max_children`](super::DynamicSupervisor::max_children) for children on request, which has no limit unless it is
/// set. If the results are not read, the sink is never ready again once all places are taken. Read them in another task
/// than the one that sends.
///
/// # Ordering
/// As children end.
///
/// # Errors
/// A result is a [`ChildError`] when there is no value: the child failed or panicked and was not restarted, or it was
/// aborted.
///
/// # Cancel safety
/// A `next` that is dropped loses nothing.
///
/// # Drop
/// Gives back the places, and drops the results that wait; they and all that follow are counted as
/// [`unread`](super::ChildCounts::unread). The supervisor lives on.
///
/// # Examples
/// ```
/// use futures::StreamExt;
/// use gen_stage::supervisor::{Child, DynamicSupervisor};
///
/// # tokio_test::block_on(async {
/// let mut supervisor = DynamicSupervisor::with_results(|n: u32, _: Child| async move {
///     100_u32.checked_div(n).ok_or("nothing to divide by")
/// })
/// .label_by(|n| format!("100 / {n}"));
/// let mut results = supervisor.results();
/// supervisor.start(5).await?;
/// let first = results.next().await.unwrap();
/// assert_eq!((first.label.as_deref(), first.result.unwrap()), (Some("100 / 5"), 20));
///
/// supervisor.start(0).await?;
/// let second = results.next().await.unwrap();
/// assert_eq!(second.result.unwrap_err().to_string(), "the child failed: nothing to divide by");
/// # Ok::<(), gen_stage::supervisor::SupervisorError<u32>>(())
/// # });
/// ```
#[must_use = "streams do nothing unless polled, and children keep their places until their results are read"]
pub struct ChildResults<O> {
    shared: Arc<SupervisorShared>,
    ended: bool,
    value: PhantomData<fn() -> O>,
}

impl<O> ChildResults<O> {
    #[track_caller]
    pub(super) fn new(shared: Arc<SupervisorShared>) -> Self {
        let opened = shared.with(Registry::open_results);
        assert!(opened, "the results of a supervisor have one reader, and it is there already");
        Self { shared, ended: false, value: PhantomData }
    }

    /// How many results wait to be read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::supervisor::{Child, DynamicSupervisor};
    ///
    /// # tokio_test::block_on(async {
    /// let mut supervisor = DynamicSupervisor::with_results(|n: u32, _: Child| async move { Ok::<_, String>(n) });
    /// let results = supervisor.results();
    /// supervisor.start(5).await?;
    /// supervisor.handle().drain(None).await;
    /// assert_eq!(results.waiting(), 1);
    /// # Ok::<(), gen_stage::supervisor::SupervisorError<u32>>(())
    /// # });
    /// ```
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.with(|registry| registry.waiting_results())
    }
}

impl<O: 'static> ChildResult<O> {
    fn of(returned: Returned) -> Self {
        let Returned { child, label, outcome, value, .. } = returned;
        let result = match outcome {
            Outcome::Completed | Outcome::Stopped => match value.map(Value::downcast::<O>) {
                Some(Ok(value)) => Ok(*value),
                _ => unreachable!("a child that completes has returned a value of this type"),
            },
            Outcome::Failed(error) => Err(ChildError::Failed(error)),
            Outcome::Panicked(panic) => Err(ChildError::Panicked(panic)),
            Outcome::Aborted => Err(ChildError::Aborted),
            Outcome::NotRestarted => Err(ChildError::NotRestarted),
        };
        Self { child, label, result }
    }
}

impl<O: 'static> Stream for ChildResults<O> {
    type Item = ChildResult<O>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ChildResult<O>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // Lets other tasks run even if there always is a result for this reader.
        let budget = ready!(coop::poll_proceed(cx));
        // Dropped without the lock: this waker may be the last thing that keeps its task alive.
        let mut old = None;
        let polled = self.shared.with(|registry| registry.poll_result(cx, &mut old));
        drop(old);
        let returned = ready!(polled);
        budget.made_progress();
        self.ended = returned.is_none();
        Poll::Ready(returned.map(ChildResult::of))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.waiting(), None)
    }
}

impl<O: 'static> FusedStream for ChildResults<O> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<O> Drop for ChildResults<O> {
    fn drop(&mut self) {
        // Dropped without the lock: the drop of values may do anything.
        let unread = self.shared.with(Registry::close_results);
        drop(unread);
    }
}

impl<O> fmt::Debug for ChildResult<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildResult")
            .field("child", &self.child)
            .field("label", &self.label)
            .field("error", &self.result.as_ref().err())
            .finish_non_exhaustive()
    }
}

impl<O> fmt::Debug for ChildResults<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildResults").field("ended", &self.ended).finish_non_exhaustive()
    }
}
