pub(super) mod shutdown;

use super::flow::Flow;
use super::monitor::Monitor;
use super::plumbing::driver::DrainDriver;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::{Build, Layered};
use super::plumbing::tasks::{BoxedDriver, Failure, Tasks};
use super::report::{FlowError, FlowReport};
use super::start::shutdown::{RunClock, or_abort};
use super::stats::FlowStats;
use super::stop_when::{Meter, StopWhen};
use super::topology::Topology;
use crate::failure::raise_in_drop;
use crate::sync::{unpoisoned, unpoisoned_if_free};
use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// # In the background
impl<P> Flow<P> {
    /// Runs the flow in the background for its side effects: every lane, until all have ended. What comes out is
    /// dropped.
    ///
    /// Unlike [`run`](Self::run) it starts at once, and need not be awaited. The handle says how it went, and shuts it
    /// down.
    ///
    /// # Panics
    /// Outside of a tokio runtime, when none was named by [`on`](Self::on); and when the flow is already being read.
    /// A panic in the user's code stops all lanes and is in the flow's [report](FlowReport); it is logged as well, for
    /// flows whose report is not read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use tokio::sync::mpsc;
    ///
    /// # tokio_test::block_on(async {
    /// let (sender, mut receiver) = mpsc::unbounded_channel();
    /// let flow = Flow::from_iter(1..=3).lanes(1).inspect(move |n| sender.send(*n).unwrap()).start();
    /// assert_eq!(receiver.recv().await, Some(1));
    /// assert_eq!(flow.wait().await?.taken, 3);
    /// # Ok::<(), gen_stage::flow::FlowError>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.start_link/2`. Consumers are given by [`into_stages`](Self::into_stages).
    #[track_caller]
    pub fn start(self) -> FlowHandle
    where
        P: Build<Bare, Lane: Send + 'static>,
    {
        let (plan, mut launch) = self.into_plan("started");
        let monitor = launch.monitor();
        let (stop, meter) = (CancellationToken::new(), Arc::<Meter>::default());
        let mut plan = StopWhen::metered(plan, stop.clone(), Arc::clone(&meter));
        let mut tasks = Tasks::new(&launch);
        tasks.building(|tasks| {
            let layer = plan.settings().layer.clone();
            let mut drivers: Vec<BoxedDriver> = Vec::new();
            plan.build(tasks, &mut |_, lane| drivers.push(Box::pin(DrainDriver::new(lane))));
            tasks.spawn_all(&layer, drivers);
        });
        let runtime = tasks.runtime().clone();
        let (report, ended) = watch::channel(None);
        let running = Arc::new(RunningTasks {
            run_clock: RunClock::new(runtime.clone(), stop, meter),
            tasks: Mutex::new(Some(tasks)),
            watcher: Mutex::new(Waker::noop().clone()),
            aborting: AtomicBool::new(false),
            detached: AtomicBool::new(false),
            monitor,
            ended,
        });
        runtime.spawn(watch_over(Arc::clone(&running), report));
        FlowHandle { lifeline: Arc::new(Lifeline(running)) }
    }
}

/// The handle of a flow that runs in the background: waits for it, shuts it down. Cheap to clone.
///
/// # Drop
/// The flow lives as long as a handle of it, or a future of [`wait`](Self::wait), [`drain`](Self::drain) or
/// [`shutdown`](Self::shutdown). When the last of these is dropped, the flow is [aborted](Self::abort).
/// [`detach`](Self::detach) lets it live on without them. A lane that holds a handle of its own flow keeps that flow
/// alive to its end.
///
/// # Examples
/// See [`Flow::start`].
#[derive(Clone)]
#[must_use = "a flow is aborted when its last handle is dropped; see detach"]
pub struct FlowHandle {
    lifeline: Arc<Lifeline>,
}

impl FlowHandle {
    /// Waits until the flow has ended, and all of its tasks are gone.
    ///
    /// # Errors
    /// [`FlowError`] when it did not come to its end.
    ///
    /// # Cancel safety
    /// Waiting changes nothing.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let report = Flow::from_iter(0..10).start().wait().await?;
    /// assert_eq!(report.taken, 10);
    /// # Ok::<(), gen_stage::flow::FlowError>(())
    /// # });
    /// ```
    pub fn wait(&self) -> impl Future<Output = Result<FlowReport, FlowError>> + Send + use<> {
        let lifeline = Arc::clone(&self.lifeline);
        async move { lifeline.0.ended().await.into_result() }
    }

    /// Waits until the flow has come to its own end, and aborts what is left after `deadline`.
    ///
    /// The sources are read on to their ends: a channel until it is empty and its last sender is gone. So drop the
    /// senders, and then drain: nothing that was sent is lost, unless the deadline passes first. To end the sources
    /// where they are, see [`shutdown`](Self::shutdown). For all words about ends, of flows, stages and supervisors,
    /// see [`ends`](crate::ends).
    ///
    /// # Panics
    /// When the timers of the flow's runtime are disabled.
    ///
    /// # Cancel safety
    /// Waiting changes nothing: the deadline counts from the call, and is kept only while this is polled.
    ///
    /// # Examples
    /// ```
    /// use futures::channel::mpsc;
    /// use gen_stage::flow::FlowEnd;
    /// use gen_stage::prelude::*;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let (sender, receiver) = mpsc::unbounded();
    /// let flow = receiver.flow().lanes(1).demand(2, 1).map(|n: u64| n * 2).start();
    /// for n in 0..500 {
    ///     sender.unbounded_send(n).unwrap();
    /// }
    /// drop(sender);
    /// let report = flow.drain(Duration::from_secs(5)).await;
    /// assert!(matches!(report.end, Ok(FlowEnd::Finished)));
    /// assert_eq!(report.taken, 500);
    /// # });
    /// ```
    pub fn drain(&self, deadline: Duration) -> impl Future<Output = FlowReport> + Send + use<> {
        let lifeline = Arc::clone(&self.lifeline);
        let deadline = lifeline.0.run_clock.sleep(deadline);
        async move {
            let running = &lifeline.0;
            or_abort(running.ended(), deadline, || drop(running.abort(true))).await
        }
    }

    /// Shuts the flow down: ends its sources, lets the lanes finish everything that was taken, and aborts what is left
    /// after `deadline`.
    ///
    /// To the lanes it is the end of input: a [`reduce`](Flow::reduce) emits its state, for example. A source that
    /// waits ends at once; one that is being read ends after that batch. After the deadline the flow is
    /// [aborted](Self::abort). A lane that blocks its thread holds this up even after the deadline: it cannot be
    /// dropped until its poll returns. Any time is a deadline: 0 aborts what does not end in the same moment.
    ///
    /// A second call changes nothing about the first: the earlier deadline counts, and both get the same report.
    ///
    /// # Panics
    /// When the timers of the flow's runtime are disabled.
    ///
    /// # Cancel safety
    /// The call itself ends the sources. The deadline counts from the call, and is kept only while this is polled.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::flow::FlowEnd;
    /// use gen_stage::prelude::*;
    /// use std::time::Duration;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
    /// let silent = stream::iter(0..10).chain(stream::pending());
    /// let flow = silent.flow().lanes(1).per_lane(|lane| lane.chunks(3)).start();
    /// tokio::time::sleep(Duration::from_secs(1)).await;
    ///
    /// let report = flow.shutdown(Duration::from_secs(5)).await;
    /// assert!(matches!(report.end, Ok(FlowEnd::Drained)));
    /// assert_eq!((report.taken, report.discarded), (10, 0));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(&self, deadline: Duration) -> impl Future<Output = FlowReport> + Send + use<> {
        let lifeline = Arc::clone(&self.lifeline);
        let deadline = lifeline.0.run_clock.sleep(deadline);
        lifeline.0.run_clock.request_stop();
        async move {
            let running = &lifeline.0;
            or_abort(running.ended(), deadline, || drop(running.abort(true))).await
        }
    }

    /// Drops all lanes where they are, at once; a lane that another thread is polling is dropped when that poll
    /// returns.
    ///
    /// The report says [`FlowError::Aborted`], unless the flow had ended.
    ///
    /// # Panics
    /// Never: if dropping a lane panics, the report says so.
    pub fn abort(&self) {
        drop(self.lifeline.0.abort(true));
    }

    /// What the flow is doing, or has done; see [`Monitor::stats`].
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let flow = Flow::from_iter(0..100).lanes(1).shuffle().lanes(2).start();
    /// flow.wait().await?;
    /// let stats = flow.stats();
    /// assert_eq!(stats.layers[0].lanes[0].sent, 100);
    /// assert_eq!(stats.layers[1].lanes.iter().map(|lane| lane.taken).sum::<u64>(), 100);
    /// # Ok::<(), gen_stage::flow::FlowError>(())
    /// # });
    /// ```
    #[must_use]
    pub fn stats(&self) -> FlowStats {
        self.lifeline.0.monitor.stats()
    }

    /// A monitor that looks at the flow, whatever becomes of its handles.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let flow = Flow::from_iter(0..100).lanes(1).shuffle().start();
    /// let monitor = flow.monitor();
    /// flow.wait().await?;
    /// drop(flow);
    /// assert_eq!(monitor.stats().layers[0].lanes[0].sent, 100);
    /// # Ok::<(), gen_stage::flow::FlowError>(())
    /// # });
    /// ```
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        self.lifeline.0.monitor.clone()
    }

    /// What the flow is made of; see [`Flow::describe`](super::Flow::describe).
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let flow = Flow::from_iter(0..100).map(|n: u32| n / 2).named("halves").start();
    /// let topology = flow.topology();
    /// assert_eq!((topology.name.as_deref(), topology.layers[0].operators[0].name), (Some("halves"), "map"));
    /// # });
    /// ```
    #[must_use]
    pub fn topology(&self) -> Topology {
        self.lifeline.0.monitor.topology()
    }

    /// Whether the flow has ended and all of its tasks are gone.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.lifeline.0.ended.borrow().is_some() || self.lifeline.0.ended.has_changed().is_err()
    }

    /// Lets the flow live on without handles, until it ends. Should it fail, that is logged.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use tokio::sync::mpsc;
    ///
    /// # tokio_test::block_on(async {
    /// let (sender, mut receiver) = mpsc::unbounded_channel();
    /// Flow::from_iter(1..=3).lanes(1).inspect(move |n| sender.send(*n).unwrap()).start().detach();
    /// assert_eq!(receiver.recv().await, Some(1));
    /// # });
    /// ```
    pub fn detach(self) {
        self.lifeline.0.detached.store(true, Ordering::SeqCst);
    }
}

impl fmt::Debug for FlowHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowHandle").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}

/// Keeps a flow alive: dropping this aborts the flow, unless it is detached.
struct Lifeline(Arc<RunningTasks>);

impl Drop for Lifeline {
    fn drop(&mut self) {
        if self.0.detached.load(Ordering::SeqCst) {
            return;
        }
        // No handle is left to read the panic in a report, so it is raised here.
        raise_in_drop(self.0.abort(false));
    }
}

struct RunningTasks {
    run_clock: RunClock,
    /// Locked for each look at the tasks: by the task of `watch_over`, and by each abort.
    tasks: Mutex<Option<Tasks>>,
    /// Wakes the task of `watch_over`.
    watcher: Mutex<Waker>,
    aborting: AtomicBool,
    detached: AtomicBool,
    monitor: Monitor,
    ended: watch::Receiver<Option<FlowReport>>,
}

impl RunningTasks {
    async fn ended(&self) -> FlowReport {
        let mut ended = self.ended.clone();
        let report = match ended.wait_for(Option::is_some).await {
            Ok(report) => report.clone(),
            // The task of `watch_over` was dropped.
            Err(_) => None,
        };
        report.unwrap_or_else(|| {
            self.monitor.show_failure(&FlowError::RuntimeGone.to_string());
            self.run_clock.report(Err(FlowError::RuntimeGone))
        })
    }

    /// Drops the lanes. If dropping one panics, the panic goes into the report if `report` is set, else it is returned.
    fn abort(&self, report: bool) -> Option<Box<dyn Any + Send>> {
        self.aborting.store(true, Ordering::SeqCst);
        // If another has the lock: `watch_over` is woken below; an abort may be dropping the caller.
        let tasks = unpoisoned_if_free(self.tasks.try_lock());
        let panicked = tasks.and_then(|mut tasks| tasks.as_mut()?.abort(report));
        let watcher = unpoisoned(self.watcher.lock()).clone();
        watcher.wake();
        panicked
    }
}

/// Waits for the end of a flow, stops all of it when a lane fails, and reports.
async fn watch_over(running: Arc<RunningTasks>, report: watch::Sender<Option<FlowReport>>) {
    let end = poll_fn(|cx| running.poll_end(cx)).await;
    let tasks = unpoisoned(running.tasks.lock()).take();
    drop(tasks);
    match &end {
        Ok(()) => tracing::debug!("a flow has ended"),
        Err(FlowError::Aborted) => tracing::debug!("a flow was aborted"),
        Err(error) => tracing::error!(%error, "a flow has failed"),
    }
    let end = end.map(|()| running.run_clock.end());
    report.send_replace(Some(running.run_clock.report(end)));
}

impl RunningTasks {
    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<Result<(), FlowError>> {
        let watched = std::mem::replace(&mut *unpoisoned(self.watcher.lock()), cx.waker().clone());
        drop(watched);
        let mut tasks = unpoisoned(self.tasks.lock());
        let Some(tasks) = tasks.as_mut() else {
            return Poll::Ready(Err(FlowError::RuntimeGone));
        };
        if self.aborting.load(Ordering::SeqCst) {
            tasks.abort(true);
        }
        Poll::Ready(match ready!(tasks.poll_ended(cx)) {
            Ok(()) | Err(Failure::RuntimeGone) if tasks.was_aborted() => Err(FlowError::Aborted),
            ended => ended.map_err(FlowError::from),
        })
    }
}
