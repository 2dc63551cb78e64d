use super::child_info::{ChildId, ChildInfo};
use super::core::AbortOnDrop;
use super::end::{NotFound, RestartError, StartError, SupervisorEnd};
use super::events::Events;
use super::outcome::Outcome;
use super::reader::{OpenIntake, read};
use super::registry::REQUESTED;
use super::report::{ChildCounts, SupervisorReport};
use super::shared::SupervisorShared;
use super::start::Starts;
use crate::dispatch::SubscriptionId;
use crate::stage::{Subscribe, SubscribeError};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::oneshot;

/// Looks at the children of a supervisor, starts more of them, and stops them. Cheap to clone.
///
/// # Drop
/// A handle made by [`DynamicSupervisor::handle`](super::DynamicSupervisor::handle) does not keep its supervisor alive.
/// Dropping the last clone of one made by [`into_handle`](super::DynamicSupervisor::into_handle) aborts all children.
///
/// If a child, or the function that makes the children, kept a handle made by `into_handle`, the supervisor would live
/// for good. [`downgrade`](Self::downgrade) makes a handle for them that does not keep it alive.
///
/// # Examples
/// See its methods, and [`DynamicSupervisor`](super::DynamicSupervisor).
#[must_use = "the last handle that `into_handle` made aborts all children when it is dropped"]
pub struct SupervisorHandle<T> {
    shared: Arc<SupervisorShared>,
    starts: HandleStarter<T>,
    owner: Option<Arc<AbortOnDrop>>,
}

/// What starts children, while the supervisor is there.
enum HandleStarter<T> {
    Kept(Arc<dyn Starts<T>>),
    Known(Weak<dyn Starts<T>>),
}

impl<T> HandleStarter<T> {
    fn get(&self) -> Option<Arc<dyn Starts<T>>> {
        match self {
            Self::Kept(starts) => Some(Arc::clone(starts)),
            Self::Known(starts) => starts.upgrade(),
        }
    }
}

impl<T> Clone for HandleStarter<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Kept(starts) => Self::Kept(Arc::clone(starts)),
            Self::Known(starts) => Self::Known(Weak::clone(starts)),
        }
    }
}

impl<T: Send + 'static> SupervisorHandle<T> {
    /// A handle of a supervisor that ends when its sink is dropped.
    pub(super) fn of_sink(shared: Arc<SupervisorShared>, starts: &Arc<impl Starts<T> + 'static>) -> Self {
        let starts: Weak<dyn Starts<T>> = Arc::<_>::downgrade(starts) as _;
        Self { shared, starts: HandleStarter::Known(starts), owner: None }
    }

    /// A handle that keeps its supervisor alive.
    pub(super) fn owning(
        shared: Arc<SupervisorShared>,
        starts: Arc<dyn Starts<T>>,
        owner: AbortOnDrop,
    ) -> Self {
        Self { shared, starts: HandleStarter::Kept(starts), owner: Some(Arc::new(owner)) }
    }

    /// A handle that does not keep the supervisor alive: for children, and for the function that makes them.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::supervisor::{DynamicSupervisor, SupervisorHandle};
    ///
    /// #[derive(Clone)]
    /// struct Countdown(u32, SupervisorHandle<Countdown>);
    ///
    /// # tokio_test::block_on(async {
    /// let supervisor = DynamicSupervisor::new(|Countdown(n, supervisor): Countdown| async move {
    ///     if n > 0 {
    ///         supervisor.start_child(Countdown(n - 1, supervisor.clone())).unwrap();
    ///     }
    /// });
    /// let handle = supervisor.into_handle();
    /// handle.start_child(Countdown(9, handle.downgrade())).unwrap();
    /// while handle.count_children().completed < 10 {
    ///     tokio::task::yield_now().await;
    /// }
    /// # });
    /// ```
    pub fn downgrade(&self) -> Self {
        let starts = match &self.starts {
            HandleStarter::Kept(starts) => HandleStarter::Known(Arc::downgrade(starts)),
            HandleStarter::Known(starts) => HandleStarter::Known(Weak::clone(starts)),
        };
        Self { shared: Arc::clone(&self.shared), starts, owner: None }
    }

    /// Starts a child for an item, beside those of the sink and of stages.
    ///
    /// # Errors
    /// [`StartError`]: with the item when the supervisor takes no more, or when
    /// [`max_children`](super::DynamicSupervisor::max_children) run already; without it when the factory failed,
    /// or found nothing to start, which only that of [`try_new`](super::DynamicSupervisor::try_new) and a
    /// [`ChildSpec`](super::ChildSpec) can.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::supervisor::{DynamicSupervisor, StartError};
    ///
    /// # tokio_test::block_on(async {
    /// let supervisor = DynamicSupervisor::new(|_: &str| std::future::pending::<()>()).max_children(1);
    /// let handle = supervisor.into_handle();
    /// let child = handle.start_child("a").unwrap();
    /// assert!(matches!(handle.start_child("b"), Err(StartError::MaxChildren { item: "b", .. })));
    /// assert_eq!(handle.which_children()[0].id, child);
    /// # });
    /// ```
    ///
    /// # Source
    /// `start_child`. What is `:ignore` there is an error here, for there is no name to give back.
    pub fn start_child(&self, item: T) -> Result<ChildId, StartError<T>> {
        let Some(starts) = self.starts.get() else {
            let end = self.shared.with(|registry| registry.end()).unwrap_or(SupervisorEnd::Aborted);
            return Err(StartError::Ended { end, item });
        };
        starts.start(item, REQUESTED)
    }

    /// Subscribes to a stage: starts a child for each of its items too.
    ///
    /// # Demand
    /// That of the subscription. At most `max_demand` children of this stage run. The stage is asked for more when
    /// running children and items on their way together have fallen to `min_demand`. For an item whose child could not
    /// be started, another is asked for at once. Each stage has places of its own.
    ///
    /// # Errors
    /// [`SubscribeError`], as for any consumer.
    ///
    /// # Cancel safety
    /// A future that is dropped may have subscribed or not; if it has, items are read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::from_iter;
    /// use gen_stage::supervisor::DynamicSupervisor;
    /// use tokio::sync::mpsc;
    ///
    /// # tokio_test::block_on(async {
    /// let (sender, mut receiver) = mpsc::unbounded_channel();
    /// let supervisor = DynamicSupervisor::new(move |n: u32| {
    ///     let sender = sender.clone();
    ///     async move { sender.send(n) }
    /// });
    /// let handle = supervisor.into_handle();
    /// let numbers = from_iter(1..=3).stage().spawn();
    /// handle.subscribe_to(numbers.subscribe().demand(2, 0)).await?;
    /// let report = handle.wait().await;                    // it ends with its producer
    /// assert_eq!(report.counts.completed, 3);
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// `subscribe_to`. The end of the producer ends the supervisor, if the [`CancelMode`](crate::stage::CancelMode) of
    /// the subscription says so. After a clean end children come to their ends, where the original stops them; after a
    /// failure they are stopped.
    pub async fn subscribe_to<O: Send + 'static>(
        &self,
        subscribe: Subscribe<T, O>,
    ) -> Result<SubscriptionId, SubscribeError> {
        if self.shared.with(|registry| registry.end().is_some()) {
            return Err(SubscribeError::ConsumerGone);
        }
        let subscription = subscribe.manual().await?;
        let Some(starts) = self.starts.get() else {
            return Err(SubscribeError::ConsumerGone);
        };
        let id = subscription.id();
        let intake = OpenIntake::open(&self.shared);
        self.shared.runtime.spawn(read(Arc::clone(&self.shared), starts, subscription, intake));
        Ok(id)
    }

    /// Stops a child, by its rule, and waits until it has ended. It is not restarted.
    ///
    /// # Errors
    /// [`NotFound`] when there is no such child.
    ///
    /// # Cancel safety
    /// The call asks the child to stop, whether or not the future is polled.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::supervisor::{DynamicSupervisor, Outcome, Shutdown};
    ///
    /// # tokio_test::block_on(async {
    /// let supervisor = DynamicSupervisor::new(|_: &str| std::future::pending::<()>())
    ///     .shutdown_rule(Shutdown::Brutal);
    /// let handle = supervisor.into_handle();
    /// let child = handle.start_child("a").unwrap();
    /// assert!(matches!(handle.terminate_child(child).await, Ok(Outcome::Aborted)));
    /// assert_eq!(handle.terminate_child(child).await.unwrap_err().to_string(), "there is no child #1");
    /// # });
    /// ```
    ///
    /// # Source
    /// `terminate_child`.
    pub fn terminate_child(
        &self,
        child: ChildId,
    ) -> impl Future<Output = Result<Outcome, NotFound>> + Send + use<T> {
        let (told, ended) = oneshot::channel();
        let found = self.shared.with(|registry| {
            let Some(child) = registry.find(child) else { return false };
            registry.watch(child, told) && registry.ask(child, &self.shared.rules)
        });
        outcome_of(child, found, ended)
    }

    /// Waits until a child has ended for good, after all its restarts.
    ///
    /// # Errors
    /// [`NotFound`] when there is no such child.
    ///
    /// # Cancel safety
    /// Waiting changes nothing.
    ///
    /// # Examples
    /// See [`Outcome`].
    pub fn wait_child(
        &self,
        child: ChildId,
    ) -> impl Future<Output = Result<Outcome, NotFound>> + Send + use<T> {
        let (told, ended) = oneshot::channel();
        let found = self
            .shared
            .with(|registry| registry.find(child).is_some_and(|child| registry.watch(child, told)));
        outcome_of(child, found, ended)
    }

    /// Stops a child, by its rule, and starts it again with its item; waits until it runs again.
    ///
    /// The restart does not count as a failure. A child that pauses before a restart is started at once.
    ///
    /// # Errors
    /// [`RestartError`] when there is no such child, or it is being stopped; when the supervisor's children are
    /// temporary, so that items are not kept; or when the child could not be started again.
    ///
    /// # Cancel safety
    /// The call asks for the restart, whether or not the future is polled.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::supervisor::{Child, DynamicSupervisor, Restart};
    ///
    /// # tokio_test::block_on(async {
    /// let supervisor = DynamicSupervisor::with_child(|_: &str, child: Child| async move {
    ///     child.stopping().await;
    /// })
    /// .restart(Restart::Transient);
    /// let handle = supervisor.into_handle();
    /// let child = handle.start_child("a").unwrap();
    /// handle.restart_child(child).await?;
    /// assert_eq!(handle.which_children()[0].restarts, 1);
    /// # Ok::<(), gen_stage::supervisor::RestartError>(())
    /// # });
    /// ```
    pub fn restart_child(
        &self,
        child: ChildId,
    ) -> impl Future<Output = Result<(), RestartError>> + Send + use<T> {
        let (told, restarted) = oneshot::channel();
        let kept = self.shared.rules.restart != super::Restart::Temporary;
        let found = kept
            && self.shared.with(|registry| {
                let child = registry.find(child);
                child.is_some_and(|child| registry.ask_restart(child, &self.shared.rules, told))
            });
        async move {
            if !kept {
                return Err(RestartError::Temporary(child));
            }
            if !found {
                return Err(RestartError::NotFound(child));
            }
            match restarted.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(outcome)) => Err(RestartError::Gone { child, outcome }),
                Err(_) => Err(RestartError::NotFound(child)),
            }
        }
    }

    /// The children that have not ended, in the order in which they were started.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::supervisor::{ChildState, DynamicSupervisor};
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// # tokio::time::pause();
    /// let supervisor = DynamicSupervisor::new(|_: u32| std::future::pending::<()>())
    ///     .label_by(|n| format!("worker {n}"));
    /// let handle = supervisor.into_handle();
    /// handle.start_child(7).unwrap();
    /// tokio::task::yield_now().await;                      // and it runs
    /// tokio::time::advance(Duration::from_secs(60)).await;
    ///
    /// let children = handle.which_children();
    /// assert_eq!(children.len(), 1);
    /// assert_eq!(children[0].label.as_deref(), Some("worker 7"));
    /// assert_eq!((children[0].state, children[0].restarts), (ChildState::Running, 0));
    /// assert_eq!(children[0].age, Duration::from_secs(60));
    /// # });
    /// ```
    ///
    /// # Source
    /// `which_children`.
    #[must_use]
    pub fn which_children(&self) -> Vec<ChildInfo> {
        let mut children = self.shared.with(|registry| registry.children());
        children.sort_unstable_by_key(|child| child.id);
        children
    }

    /// How many children there are, and what became of all items so far.
    ///
    /// # Examples
    /// ```
    /// use futures::SinkExt;
    /// use gen_stage::supervisor::DynamicSupervisor;
    ///
    /// # tokio_test::block_on(async {
    /// let mut supervisor = DynamicSupervisor::new(|n: u32| async move {
    ///     assert!(n > 0, "nothing to do");
    /// });
    /// let handle = supervisor.handle();
    /// supervisor.send(0).await?;
    /// supervisor.send(1).await?;
    /// assert_eq!(handle.count_children().alive, 2);
    /// supervisor.close().await?;
    /// let counts = handle.count_children();
    /// assert_eq!((counts.started, counts.completed, counts.panicked), (2, 1, 1));
    /// # Ok::<(), gen_stage::supervisor::SupervisorError<u32>>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// `count_children`.
    #[must_use]
    pub fn count_children(&self) -> ChildCounts {
        self.shared.with(|registry| registry.counts())
    }

    /// What happens to children from now on, as a stream, which keeps the last 1024 events until they are read; see
    /// [`events_up_to`](Self::events_up_to).
    ///
    /// # Examples
    /// ```
    /// use futures::{SinkExt, StreamExt};
    /// use gen_stage::supervisor::{Child, DynamicSupervisor, Restart};
    ///
    /// # tokio_test::block_on(async {
    /// let mut supervisor = DynamicSupervisor::with_child(|_: &str, child: Child| async move {
    ///     if child.restarts() == 0 { Err("not yet") } else { Ok(()) }
    /// })
    /// .restart(Restart::Transient)
    /// .label_by(|name| name.to_string());
    /// let events = supervisor.handle().events();
    /// supervisor.send("job").await?;
    /// supervisor.close().await?;
    /// let events: Vec<_> = events.map(|event| event.to_string()).collect().await;
    /// assert_eq!(events, ["job: started", "job: failed: not yet", "job: restarted (1)", "job: completed"]);
    /// # Ok::<(), gen_stage::supervisor::SupervisorError<&str>>(())
    /// # });
    /// ```
    pub fn events(&self) -> Events {
        self.events_up_to(1024)
    }

    /// What happens to children from now on, as a stream, which keeps the last `capacity` events, at least 1, until
    /// they are read.
    ///
    /// Older ones are dropped, and counted in an event of their own.
    ///
    /// # Panics
    /// When `capacity` is 0.
    #[track_caller]
    pub fn events_up_to(&self, capacity: usize) -> Events {
        assert!(capacity > 0, "the capacity of events must be at least 1, given 0");
        Events::new(Arc::clone(&self.shared), capacity)
    }

    /// Stops the supervisor: takes nothing more, stops all children at once, each by its rule, and waits until they
    /// have ended. Returns what it has done.
    ///
    /// If the supervisor was shut down before, or ended otherwise, the report is the one of that end.
    ///
    /// # Cancel safety
    /// The call stops everything, whether or not the future is polled.
    ///
    /// # Examples
    /// See [`SupervisorReport`].
    pub fn shutdown(&self) -> impl Future<Output = SupervisorReport> + Send + use<T> {
        self.shared.stop(SupervisorEnd::ShutDown);
        self.wait()
    }

    /// Takes nothing more, waits until all children have ended by themselves, and returns what the supervisor has done.
    ///
    /// Children that have not ended after `deadline` are stopped, by their rules; with `None` there is no deadline.
    ///
    /// Children are restarted as before. [`ends`](crate::ends) says how flows, stages and supervisors end.
    ///
    /// # Cancel safety
    /// As for [`shutdown`](Self::shutdown).
    ///
    /// # Examples
    /// See [`DynamicSupervisor::into_handle`](super::DynamicSupervisor::into_handle).
    pub fn drain(
        &self,
        deadline: Option<Duration>,
    ) -> impl Future<Output = SupervisorReport> + Send + use<T> {
        self.shared.drain(SupervisorEnd::ShutDown, deadline);
        self.wait()
    }

    /// Takes nothing more, and aborts all children.
    pub fn abort(&self) {
        self.shared.abort();
    }

    /// Waits until the supervisor has ended, and returns what it has done.
    ///
    /// # Cancel safety
    /// Waiting changes nothing.
    pub fn wait(&self) -> impl Future<Output = SupervisorReport> + Send + use<T> {
        let shared = Arc::clone(&self.shared);
        async move { SupervisorReport::clone(&*shared.over().await) }
    }
}

async fn outcome_of(
    child: ChildId,
    found: bool,
    ended: oneshot::Receiver<Outcome>,
) -> Result<Outcome, NotFound> {
    if !found {
        return Err(NotFound(child));
    }
    ended.await.map_err(|_| NotFound(child))
}

impl<T> Clone for SupervisorHandle<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), starts: self.starts.clone(), owner: self.owner.clone() }
    }
}

impl<T> fmt::Debug for SupervisorHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorHandle").field("owner", &self.owner.is_some()).finish_non_exhaustive()
    }
}
