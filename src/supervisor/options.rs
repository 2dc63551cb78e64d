use super::outcome::Outcome;
use super::restart::{Intensity, Restart};
use super::rule::Shutdown;
use super::sink::DynamicSupervisor;
use super::spec::ChildSpec;
use crate::backoff::Backoff;
use crate::demand::Demand;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

impl<T, S> DynamicSupervisor<T, S>
where
    T: Send + 'static,
    S: ChildSpec<T>,
{
    /// Sets how many children of the sink's items may run (`max`, at least 1), and to how many they must then fall
    /// before the sink takes more (`min`, less than `max`); by default 1000 and 500.
    ///
    /// The distance between the two saves wake-ups when children end soon. About 100 is enough for that, and fits into
    /// the queue of a tokio worker. When children live for long, a `min` of `max - 1` uses every place as soon as it is
    /// free. With a lower `min`, once all places are taken, nothing is started before `max - min` children have ended.
    ///
    /// # Panics
    /// When the numbers are not in their ranges, and when the supervisor is already used.
    ///
    /// # Examples
    /// See [`DynamicSupervisor`](super::DynamicSupervisor).
    ///
    /// # Source
    /// The original collects `min_demand` ends before it asks again, whatever `max_demand` is. What is done here is
    /// what its documentation says.
    #[track_caller]
    pub fn max_demand(self, max: usize, min: usize) -> Self {
        match Demand::new(max, min) {
            Ok(demand) => self.with_demand(demand),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sets both numbers of [`max_demand`](Self::max_demand) by a [`Demand`].
    ///
    /// # Panics
    /// When the supervisor is already used.
    #[track_caller]
    pub fn with_demand(mut self, demand: Demand) -> Self {
        self.plan("max_demand");
        self.demand = demand;
        self
    }

    /// Sets which children are started again when they end; by default none, [`Restart::Temporary`].
    ///
    /// Their items are cloned, one clone for each start.
    ///
    /// # Panics
    /// When the supervisor is already used. When children have [results](Self::with_results), which they return at their
    /// ends, and are to be permanent, and so have none.
    ///
    /// # Examples
    /// See [`DynamicSupervisor`](super::DynamicSupervisor).
    #[track_caller]
    pub fn restart(mut self, restart: Restart) -> Self
    where
        T: Clone,
    {
        let plan = self.plan("restart");
        assert!(
            !(plan.returns && restart == Restart::Permanent),
            "restart must be Temporary or Transient for children with results, given Permanent"
        );
        plan.restart = restart;
        plan.options.copy = (restart != Restart::Temporary).then_some(T::clone);
        self
    }

    /// Restarts a child only if `when` says so of its outcome; by default each that [`restart`](Self::restart) says.
    ///
    /// `when` is called for each end that leads to a restart by that rule, and for each attempt to start again that
    /// failed; so with [`Restart::Temporary`], the default, for none. A child that is not restarted is gone with the outcome
    /// it has. Restarts on request are always made.
    ///
    /// # Panics
    /// When the supervisor is already used. If `when` panics, the child has panicked, and is not restarted.
    ///
    /// # Examples
    /// An error that no other attempt would mend:
    /// ```
    /// use gen_stage::supervisor::{DynamicSupervisor, Outcome, Restart};
    /// use std::fmt;
    ///
    /// #[derive(Debug)]
    /// struct Forbidden;
    ///
    /// impl fmt::Display for Forbidden {
    ///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    ///         f.write_str("forbidden")
    ///     }
    /// }
    ///
    /// impl std::error::Error for Forbidden {}
    ///
    /// # tokio_test::block_on(async {
    /// let handle = DynamicSupervisor::new(|_: &str| async { Err(Forbidden) })
    ///     .restart(Restart::Transient)
    ///     .restart_when(|outcome| match outcome {
    ///         Outcome::Failed(error) => !error.is::<Forbidden>(),
    ///         _ => true, // it panicked
    ///     })
    ///     .into_handle();
    /// handle.start_child("/private").unwrap();
    /// let counts = handle.drain(None).await.counts;
    /// assert_eq!((counts.failed, counts.restarts), (1, 0));
    /// # });
    /// ```
    ///
    /// # Source
    /// There is nothing like it in the original, where a transient child ends with `{:shutdown, reason}` not to be
    /// restarted.
    #[track_caller]
    pub fn restart_when(mut self, when: impl Fn(&Outcome) -> bool + Send + Sync + 'static) -> Self {
        self.plan("restart_when").restart_when = Some(Box::new(when));
        self
    }

    /// Sets how many restarts of all children together are allowed within a time before the supervisor gives up: `max`,
    /// from 0; by default 3 within 5 seconds.
    ///
    /// With [`usize::MAX`] it never gives up.
    ///
    /// The restart that is one too many is not made. All children are stopped, by their rules, and the sink fails with
    /// [`SupervisorEnd::GaveUp`](super::SupervisorEnd::GaveUp). Each attempt to start a child again counts, even if it
    /// fails; restarts on request do not. Times are compared in whole seconds since the supervisor was first used: if
    /// `within` is zero, only restarts in the same second count.
    ///
    /// # Panics
    /// When the supervisor is already used.
    ///
    /// # Examples
    /// ```
    /// use futures::SinkExt;
    /// use gen_stage::supervisor::{DynamicSupervisor, Restart, SupervisorEnd};
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let mut supervisor = DynamicSupervisor::new(|_: u32| async { Err("broken") })
    ///     .restart(Restart::Transient)
    ///     .max_restarts(2, Duration::from_secs(5));
    /// supervisor.send(1).await?;
    /// let error = supervisor.close().await.unwrap_err();
    /// let SupervisorEnd::GaveUp(given_up) = error.end() else { panic!("{error}") };
    /// assert_eq!(given_up.child.number(), 1);
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the supervisor gave up: child #1 failed: broken, and there may be 2 restarts within 5s"
    /// );
    /// # Ok::<(), gen_stage::supervisor::SupervisorError<u32>>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// `max_restarts` and `max_seconds`.
    #[track_caller]
    pub fn max_restarts(mut self, max: usize, within: Duration) -> Self {
        self.plan("max_restarts").intensity = Intensity { max_restarts: max, within };
        self
    }

    /// Sets how often each child may be restarted, from 0; by default there is no limit.
    ///
    /// A child that ends after `max` restarts is let go, with the outcome it has then, and the others live on. Attempts
    /// to start it again that fail count. Restarts on request count too, but are always made.
    ///
    /// # Panics
    /// When the supervisor is already used.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::supervisor::{DynamicSupervisor, Restart};
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let mut supervisor = DynamicSupervisor::new(|n: u32| async move {
    ///     if n == 1 { Err("broken") } else { Ok(()) }
    /// })
    /// .restart(Restart::Transient)
    /// .max_restarts(100, Duration::from_secs(1))
    /// .restarts_per_child(2);
    /// supervisor.start_all(futures::stream::iter(0..3)).await?;
    /// let report = supervisor.handle().drain(None).await;
    /// assert_eq!((report.counts.completed, report.counts.failed, report.counts.restarts), (2, 1, 2));
    /// # Ok::<(), gen_stage::supervisor::SupervisorError<u32>>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// There is nothing like it in the original, where one child that never succeeds ends its supervisor.
    #[track_caller]
    pub fn restarts_per_child(mut self, max: u32) -> Self {
        self.plan("restarts_per_child").restarts_per_child = max;
        self
    }

    /// Pauses before a child is restarted, longer each time it fails in a row; by default there is no pause.
    ///
    /// The pauses of a child begin anew once it has run for longer than `within` of
    /// [`max_restarts`](Self::max_restarts). A child that pauses keeps its place.
    ///
    /// # Panics
    /// When the supervisor is already used.
    ///
    /// # Examples
    /// ```
    /// use futures::SinkExt;
    /// use gen_stage::Backoff;
    /// use gen_stage::supervisor::{Child, DynamicSupervisor, Restart};
    /// use tokio::time::{Duration, Instant};
    ///
    /// # tokio_test::block_on(async {
    /// # tokio::time::pause();
    /// let begin = Instant::now();
    /// let mut supervisor = DynamicSupervisor::with_child(|_: u32, child: Child| async move {
    ///     if child.restarts() < 2 { Err("not yet") } else { Ok(()) }
    /// })
    /// .restart(Restart::Transient)
    /// .backoff(Backoff::new(Duration::from_secs(1), 3.0));
    /// supervisor.send(1).await?;
    /// supervisor.close().await?;
    /// assert_eq!(begin.elapsed().as_secs(), 1 + 3);
    /// # Ok::<(), gen_stage::supervisor::SupervisorError<u32>>(())
    /// # });
    /// ```
    #[track_caller]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.plan("backoff").backoff = Some(backoff);
        self
    }

    /// Sets how children are stopped; by default [`Shutdown::After`] 5 seconds.
    ///
    /// # Panics
    /// When the supervisor is already used.
    ///
    /// # Examples
    /// See [`SupervisorReport`](super::SupervisorReport).
    #[track_caller]
    pub fn shutdown_rule(mut self, rule: Shutdown) -> Self {
        self.plan("shutdown_rule").shutdown = rule;
        self
    }

    /// Sets how each child is stopped, by its item.
    ///
    /// # Panics
    /// When the supervisor is already used.
    #[track_caller]
    pub fn shutdown_rule_by(mut self, rule: impl Fn(&T) -> Shutdown + Send + Sync + 'static) -> Self {
        self.plan("shutdown_rule_by").options.rule = Some(Box::new(rule));
        self
    }

    /// Shuts the supervisor down when `token` is cancelled, as [`shutdown`](super::SupervisorHandle::shutdown) does: takes
    /// nothing more, and stops all children, each by its rule; by default only handles do that.
    ///
    /// With the [token of a child](super::Child::token), a supervisor is a part of a [tree](super#trees).
    ///
    /// # Panics
    /// When the supervisor is already used.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::supervisor::{Child, DynamicSupervisor, SupervisorEnd};
    /// use tokio_util::sync::CancellationToken;
    ///
    /// # tokio_test::block_on(async {
    /// let token = CancellationToken::new();
    /// let handle = DynamicSupervisor::with_child(|_: u32, child: Child| async move { child.stopping().await })
    ///     .stop_when(token.clone())
    ///     .into_handle();
    /// handle.start_child(1).unwrap();
    /// token.cancel();
    /// let report = handle.wait().await;
    /// assert!(matches!(report.end, SupervisorEnd::ShutDown));
    /// assert_eq!(report.counts.stopped, 1);
    /// # });
    /// ```
    #[track_caller]
    pub fn stop_when(mut self, token: CancellationToken) -> Self {
        self.plan("stop_when").stop_when = Some(token);
        self
    }

    /// Sets what children are called in reports, events, errors and logs; by default they have only a number.
    ///
    /// # Panics
    /// When the supervisor is already used.
    ///
    /// # Examples
    /// See [`SupervisorReport`](super::SupervisorReport).
    #[track_caller]
    pub fn label_by(mut self, label: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        self.plan("label_by").options.label = Some(Box::new(label));
        self
    }

    /// Sets how many children [started on request](super::SupervisorHandle::start_child) may run, from 0; by default
    /// there is no limit.
    ///
    /// # Panics
    /// When the supervisor is already used.
    ///
    /// # Examples
    /// See [`start_child`](super::SupervisorHandle::start_child).
    ///
    /// # Source
    /// `max_dynamic`. A child that is being restarted still counts.
    #[track_caller]
    pub fn max_children(mut self, max: usize) -> Self {
        self.plan("max_children").max_children = max;
        self
    }

    /// Runs the children in this runtime, which must have timers for pauses, deadlines and [`Shutdown::After`]; by
    /// default in the one in which the supervisor is first used.
    ///
    /// When the runtime is shut down, its children are aborted, and so is every child that is started later.
    ///
    /// # Panics
    /// When the supervisor is already used.
    #[track_caller]
    pub fn on(mut self, runtime: Handle) -> Self {
        self.plan("on").runtime = Some(runtime);
        self
    }
}
