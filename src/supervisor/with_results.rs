use super::child::Child;
use super::results::ChildResults;
use super::sink::DynamicSupervisor;
use super::spec::{ChildSpec, Starting};
use crate::failure::StageError;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

impl<T, F, Fut, O, E> DynamicSupervisor<T, WithResults<F>>
where
    T: Send + 'static,
    F: Fn(T, Child) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    O: Send + 'static,
    E: Into<StageError> + 'static,
{
    /// Makes children that return values, which [`results`](Self::results) yields.
    ///
    /// Children are restarted as others are, and have their result when they are not started again. They return a
    /// `Result<O, E>` with `E: Into<StageError>`: any error type, or a string.
    ///
    /// # Examples
    /// Three requests at a time, each tried again when it fails:
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::supervisor::{Child, DynamicSupervisor, Restart};
    ///
    /// async fn fetch(page: u32, child: Child) -> Result<String, &'static str> {
    ///     if page % 4 == 0 && child.restarts() == 0 { Err("not yet") } else { Ok(format!("page {page}")) }
    /// }
    ///
    /// # tokio_test::block_on(async {
    /// let mut supervisor = DynamicSupervisor::with_results(fetch)
    ///     .restart(Restart::Transient)
    ///     .max_demand(3, 2);
    /// let results = supervisor.results();
    /// let (handle, sending) = (supervisor.handle(), stream::iter(0..10).map(Ok).forward(supervisor));
    /// let pages = results.map(|page| page.result.unwrap()).collect::<Vec<_>>();
    /// let (sent, pages) = futures::join!(sending, pages);
    /// sent?;
    /// assert_eq!(pages.len(), 10);
    /// let counts = handle.count_children();
    /// assert_eq!((counts.restarts, counts.unread), (3, 0));
    /// # Ok::<(), gen_stage::supervisor::SupervisorError<u32>>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// `Task.Supervisor.async_nolink/3`, whose tasks are not restarted.
    pub fn with_results(child: F) -> Self {
        let mut supervisor = Self::from_spec(WithResults(child));
        supervisor.plan("with_results").returns = true;
        supervisor
    }

    /// The results of the children, as a stream. From now on the supervisor is in use, and its options cannot be
    /// changed.
    ///
    /// [`ChildResults`] says how its reader holds new children back. A child that could not be started has no result;
    /// it is an [`Event`](super::Event), and counted as [`not_started`](super::ChildCounts::not_started). What a child
    /// returns when it is [restarted on request](super::SupervisorHandle::restart_child) is dropped, and counted as
    /// [`unread`](super::ChildCounts::unread). So is all that children return while there is no reader.
    ///
    /// # Panics
    /// When the results are being read already. Outside of a tokio runtime, when none was named by [`on`](Self::on).
    ///
    /// # Examples
    /// See [`with_results`](Self::with_results).
    #[track_caller]
    pub fn results(&mut self) -> ChildResults<O> {
        let (core, _) = self.running();
        ChildResults::new(Arc::clone(&core.shared))
    }
}

/// Children that return values: the spec of
/// [`DynamicSupervisor::with_results`](super::DynamicSupervisor::with_results).
#[derive(Clone, Copy)]
pub struct WithResults<F>(F);

impl<T, F, Fut, O, E> ChildSpec<T> for WithResults<F>
where
    F: Fn(T, Child) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    O: Send + 'static,
    E: Into<StageError> + 'static,
{
    type Output = Result<(), E>;
    type Future = ReturningChild<Fut>;

    fn start(&self, item: T, starting: Starting<'_>) -> Result<Option<Self::Future>, StageError> {
        let child = starting.child();
        Ok(Some(ReturningChild { future: (self.0)(item, child.clone()), child }))
    }
}

pin_project! {
    /// A child that leaves what it returns with its supervisor: the future of a child of
    /// [`DynamicSupervisor::with_results`](super::DynamicSupervisor::with_results).
    #[must_use = "futures do nothing unless polled"]
    pub struct ReturningChild<Fut> {
        #[pin]
        future: Fut,
        child: Child,
    }
}

impl<Fut, O, E> Future for ReturningChild<Fut>
where
    Fut: Future<Output = Result<O, E>>,
    O: Send + 'static,
{
    type Output = Result<(), E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let this = self.project();
        let value = ready!(this.future.poll(cx))?;
        this.child.returns(Box::new(value));
        Poll::Ready(Ok(()))
    }
}

opaque_debug!(WithResults ReturningChild);
