use super::child::Child;
use super::core::{AbortOnDrop, ItemOptions, Starter};
use super::end::{StartError, SupervisorEnd, SupervisorError};
use super::handle::SupervisorHandle;
use super::registry::SINK;
use super::restart::{Intensity, Restart};
use super::rule::Shutdown;
use super::rules::{RestartWhen, Rules};
use super::shared::SupervisorShared;
use super::spec::{ChildOutput, ChildSpec, FallibleSpec, FnSpec, OfChild};
use crate::backoff::Backoff;
use crate::demand::Demand;
use crate::failure::StageError;
use futures_sink::Sink;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Starts a supervised task for each item: a `Sink` that is ready while a child may be started.
///
/// A child is the future that a function makes of an item. It runs as a task of its own, whether or not the sink is
/// polled, and ends by itself. The supervisor watches it, restarts it if it was told to, and stops it in the end.
///
/// # Demand
/// At most [`max_demand`](Self::max_demand) children run. Once that many run, the sink is ready again when they have
/// fallen to [`min_demand`](Self::max_demand). Restarts take no new place, and a child that could not be started gives
/// its place back at once. Children [started on request](SupervisorHandle::start_child) and those of
/// [stages](SupervisorHandle::subscribe_to) have places of their own.
///
/// - **Ready**: a place is free, and since all were last taken the children have fallen to `min_demand`.
/// - **Flush** does not wait for children: otherwise `send`, which flushes after each item, would run them one by one.
/// - **Close** waits until all children have ended, those of stages too, and until these stages are no longer read.
/// - **Drop** aborts all children; see [`shutdown`](SupervisorHandle::shutdown) for a kinder way.
///
/// # Errors
/// [`SupervisorError`] once the supervisor takes no more: it was shut down, or there were too many restarts. The sink
/// returns it when all children have ended; `start_send` returns it at once, with the item. A child that fails or
/// cannot be started is no error of the sink, and its supervisor lives on: that is counted, logged and told as an
/// [`Event`](super::Event).
///
/// # Panics
/// Outside of a tokio runtime, when none was named by [`on`](Self::on), at the first use. A panic of a child, or of a
/// function given to the supervisor, ends or fails that one child only.
///
/// # Cancel safety
/// A `send` that is dropped has started its child, or drops its item. A `forward` that is dropped aborts all children,
/// for it owns the supervisor. A `close` that is dropped has closed the sink if it was polled.
///
/// # Drop
/// Aborts all children. What they hold is dropped by the runtime soon after.
///
/// # Examples
/// A task for each of a hundred jobs, at most ten at a time, each tried again when it fails:
/// ```
/// use futures::{StreamExt, stream};
/// use gen_stage::supervisor::{DynamicSupervisor, Restart};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use std::time::Duration;
///
/// # tokio_test::block_on(async {
/// let done = Arc::new(AtomicU32::new(0));
/// let counted = done.clone();
/// let job = move |n: u32| {
///     let done = counted.clone();
///     async move {
///         if n == 7 && done.fetch_add(1, Ordering::Relaxed) < 50 {
///             return Err("not yet");
///         }
///         done.fetch_add(1, Ordering::Relaxed);
///         Ok(())
///     }
/// };
/// let mut supervisor = DynamicSupervisor::new(job)
///     .restart(Restart::Transient)
///     .max_restarts(100, Duration::from_secs(5))
///     .max_demand(10, 5);
/// let handle = supervisor.handle();
/// stream::iter(0..100).map(Ok).forward(supervisor).await?;
///
/// let counts = handle.count_children();
/// assert_eq!((counts.completed, counts.alive), (100, 0));
/// # Ok::<(), gen_stage::supervisor::SupervisorError<u32>>(())
/// # });
/// ```
///
/// # Source
/// `DynamicSupervisor` of GenStage 0.4, `ConsumerSupervisor` of the newest. A child is a future and not a process, so
/// it keeps its name over restarts; `min_demand` means what their documentation says (see
/// [`max_demand`](Self::max_demand)); failed restarts may pause; permanent children are allowed.
#[must_use = "sinks do nothing unless they are polled"]
pub struct DynamicSupervisor<T, S> {
    state: SinkState<T, S>,
    pub(super) demand: Demand,
    /// How many children may be started before the registry is asked again for places.
    places: usize,
    closed: bool,
}

enum SinkState<T, S> {
    Planned(Box<SupervisorPlan<T, S>>),
    Running { core: Arc<Starter<T, S>>, owner: AbortOnDrop },
    Moving,
}

/// What is set before the supervisor is used.
pub(super) struct SupervisorPlan<T, S> {
    pub(super) spec: S,
    pub(super) options: ItemOptions<T>,
    pub(super) restart: Restart,
    pub(super) restart_when: Option<RestartWhen>,
    pub(super) intensity: Intensity,
    pub(super) restarts_per_child: u32,
    pub(super) backoff: Option<Backoff>,
    pub(super) shutdown: Shutdown,
    pub(super) max_children: usize,
    pub(super) runtime: Option<Handle>,
    pub(super) stop_when: Option<CancellationToken>,
    /// Children have results.
    pub(super) returns: bool,
}

impl<T, F, Fut> DynamicSupervisor<T, FnSpec<F>>
where
    T: Send + 'static,
    F: Fn(T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: ChildOutput> + Send + 'static,
{
    /// Makes the children by a function of the item. They return `()`, or `Result<(), E>` with `E: Into<StageError>`:
    /// any error type, or a string.
    ///
    /// # Examples
    /// See [`DynamicSupervisor`].
    pub fn new(child: F) -> Self {
        Self::from_spec(FnSpec(child))
    }
}

impl<T, F, Fut> DynamicSupervisor<T, OfChild<F>>
where
    T: Send + 'static,
    F: Fn(T, Child) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: ChildOutput> + Send + 'static,
{
    /// Makes the children by a function of the item and of a [`Child`], which says above all when to stop.
    ///
    /// # Examples
    /// See [`Child`].
    pub fn with_child(child: F) -> Self {
        Self::from_spec(OfChild(child))
    }
}

impl<T, F, Fut, E> DynamicSupervisor<T, FallibleSpec<F>>
where
    T: Send + 'static,
    F: Fn(T, Child) -> Result<Option<Fut>, E> + Send + Sync + 'static,
    Fut: Future<Output: ChildOutput> + Send + 'static,
    E: Into<StageError>,
{
    /// Makes the children by a function that may fail, or find that there is nothing to do (`Ok(None)`).
    ///
    /// # Examples
    /// ```
    /// use gen_stage::supervisor::{Child, DynamicSupervisor, StartError};
    ///
    /// # tokio_test::block_on(async {
    /// let mut supervisor = DynamicSupervisor::try_new(|text: &'static str, _: Child| {
    ///     if text.is_empty() {
    ///         return Ok(None);
    ///     }
    ///     let n: u32 = text.parse()?;
    ///     Ok::<_, std::num::ParseIntError>(Some(async move { drop(n) }))
    /// });
    /// let handle = supervisor.handle();
    /// assert!(handle.start_child("1").is_ok());
    /// assert!(matches!(handle.start_child(""), Err(StartError::Ignored)));
    /// let error = handle.start_child("x").unwrap_err();
    /// assert_eq!(error.to_string(), "the child was not started: invalid digit found in string");
    /// # });
    /// ```
    pub fn try_new(child: F) -> Self {
        Self::from_spec(FallibleSpec(child))
    }
}

impl<T, S> DynamicSupervisor<T, S>
where
    T: Send + 'static,
    S: ChildSpec<T>,
{
    /// Makes the children by a type of your own.
    ///
    /// # Examples
    /// See [`ChildSpec`].
    pub fn from_spec(spec: S) -> Self {
        let plan = SupervisorPlan {
            spec,
            options: ItemOptions { copy: None, label: None, rule: None },
            restart: Restart::default(),
            restart_when: None,
            intensity: Intensity::default(),
            restarts_per_child: u32::MAX,
            backoff: None,
            shutdown: Shutdown::default(),
            max_children: usize::MAX,
            runtime: None,
            stop_when: None,
            returns: false,
        };
        Self {
            state: SinkState::Planned(Box::new(plan)),
            demand: Demand::default(),
            places: 0,
            closed: false,
        }
    }

    /// A handle to look at children, to start more of them, and to stop them. From now on the supervisor is in use, and
    /// its options cannot be changed.
    ///
    /// The handle does not keep the supervisor alive, which ends with its sink; see [`into_handle`](Self::into_handle).
    ///
    /// # Panics
    /// Outside of a tokio runtime, when none was named by [`on`](Self::on).
    #[track_caller]
    pub fn handle(&mut self) -> SupervisorHandle<T> {
        let (core, _) = self.running();
        SupervisorHandle::of_sink(Arc::clone(&core.shared), core)
    }

    /// Gives up the sink: children are started by the handle, and for items of stages that it subscribes to.
    ///
    /// The supervisor lives as long as one of the clones of this handle; when the last is dropped, all children are
    /// aborted.
    ///
    /// # Panics
    /// Outside of a tokio runtime, when none was named by [`on`](Self::on).
    ///
    /// # Examples
    /// ```
    /// use gen_stage::supervisor::{DynamicSupervisor, Outcome};
    ///
    /// # tokio_test::block_on(async {
    /// let handle = DynamicSupervisor::new(|_: u32| async {}).into_handle();
    /// let child = handle.start_child(1).unwrap();
    /// handle.drain(None).await;
    /// assert_eq!(handle.count_children().completed, 1);
    /// # });
    /// ```
    #[must_use = "all children are aborted when it is dropped"]
    #[track_caller]
    pub fn into_handle(mut self) -> SupervisorHandle<T> {
        self.running();
        match self.state {
            SinkState::Running { core, owner } => {
                SupervisorHandle::owning(Arc::clone(&core.shared), core, owner)
            }
            SinkState::Planned(_) | SinkState::Moving => unreachable!("it was started above"),
        }
    }

    #[track_caller]
    pub(super) fn plan(&mut self, option: &str) -> &mut SupervisorPlan<T, S> {
        match &mut self.state {
            SinkState::Planned(plan) => plan,
            _ => panic!("{option} of a supervisor must be set before it is used"),
        }
    }

    /// What runs. Starts the supervisor, unless it has started already.
    #[inline]
    #[track_caller]
    pub(super) fn running(&mut self) -> (&Arc<Starter<T, S>>, &AbortOnDrop) {
        if let SinkState::Planned(_) = self.state {
            self.launch();
        }
        match &self.state {
            SinkState::Running { core, owner } => (core, owner),
            SinkState::Planned(_) | SinkState::Moving => unreachable!("it was started above"),
        }
    }

    #[cold]
    #[track_caller]
    fn launch(&mut self) {
        let SinkState::Planned(plan) = &mut self.state else { return };
        // Before anything is moved: without a runtime this panics, and the plan stays as it is.
        let runtime = plan.runtime.take().unwrap_or_else(Handle::current);
        let SinkState::Planned(plan) = std::mem::replace(&mut self.state, SinkState::Moving) else { return };
        let SupervisorPlan {
            spec,
            options,
            restart,
            restart_when,
            intensity,
            restarts_per_child,
            backoff,
            shutdown,
            max_children,
            stop_when,
            returns,
            ..
        } = *plan;
        let pauses = backoff.map(Backoff::start);
        let rules = Rules {
            restart,
            restart_when,
            intensity,
            restarts_per_child,
            pauses,
            shutdown,
            max_children,
            returns,
        };
        let shared = SupervisorShared::new(rules, runtime);
        let owner = AbortOnDrop(Arc::clone(&shared));
        if let Some(token) = stop_when {
            shared.stop_when(token);
        }
        self.state = SinkState::Running { core: Arc::new(Starter { shared, spec, options }), owner };
    }

    /// Waits for a place, or the end.
    pub(super) fn poll_place(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SupervisorError<T>>> {
        let (demand, places, closed) = (self.demand, self.places, self.closed);
        let (core, _) = self.running();
        if closed {
            return Poll::Ready(Err(SupervisorError::new(SupervisorEnd::Closed, None)));
        }
        if places > 0 && !core.shared.closing.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let bounds = (demand.max(), demand.min());
        let polled = core.shared.with(|registry| registry.poll_places(bounds, cx));
        match ready!(polled) {
            Ok(places) => {
                self.places = self.places.max(places);
                Poll::Ready(Ok(()))
            }
            Err(end) => Poll::Ready(Err(SupervisorError::new(end, None))),
        }
    }
}

impl<T, S> Sink<T> for DynamicSupervisor<T, S>
where
    T: Send + 'static,
    S: ChildSpec<T>,
{
    type Error = SupervisorError<T>;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.get_mut().poll_place(cx)
    }

    /// # Panics
    /// When the sink was not ready.
    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), Self::Error> {
        let this = self.get_mut();
        if this.closed {
            return Err(SupervisorError::new(SupervisorEnd::Closed, Some(item)));
        }
        let places = this.places;
        let (core, _) = this.running();
        let ended = places == 0 && core.shared.with(|registry| registry.end().is_some());
        assert!(places > 0 || ended, "start_send called without poll_ready");
        match core.start_child(item, SINK) {
            Ok(_) => this.places -= 1,
            // The item took no place, and what went wrong was told already.
            Err(StartError::Ignored | StartError::Failed(_) | StartError::Panicked(_)) => {}
            Err(StartError::Ended { end, item }) => return Err(SupervisorError::new(end, Some(item))),
            Err(StartError::MaxChildren { .. }) => unreachable!("a limit of children started on request"),
        }
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // Every item has its task.
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        let first = !std::mem::replace(&mut this.closed, true);
        let (core, _) = this.running();
        let report = ready!(core.shared.with(|registry| {
            if first {
                registry.close_sink();
            }
            registry.poll_sink_over(cx)
        }));
        // A clean end, such as a shutdown by a handle, is no error.
        Poll::Ready(match &report.end {
            end if end.is_clean() => Ok(()),
            end => Err(SupervisorError::new(end.clone(), None)),
        })
    }
}

// Items and futures are owned by their tasks.
impl<T, S> Unpin for DynamicSupervisor<T, S> {}

impl<T, S> fmt::Debug for DynamicSupervisor<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicSupervisor")
            .field("demand", &self.demand)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
