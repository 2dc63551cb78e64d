use super::plumbing::tasks::Failure;
use crate::failure::Panic;
use crate::stage::Reason;
use std::time::Duration;
use thiserror::Error;

/// What became of a flow that was started: how it ended, and what it did.
///
/// Made by [`FlowHandle`](super::FlowHandle) and [`StagesHandle`](super::StagesHandle).
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use std::time::Duration;
///
/// # tokio_test::block_on(async {
/// let flow = Flow::from_iter([0, 1000, 999])
///     .lanes(1)
///     .window(Window::fixed(Duration::from_secs(1), |time: &i64| *time))
///     .reduce(|| 0, |n, _| *n += 1)
///     .emit_state();
/// let report = flow.start().wait().await?;
/// assert_eq!((report.taken, report.discarded, report.late), (3, 0, 1));
/// # Ok::<(), gen_stage::flow::FlowError>(())
/// # });
/// ```
/// See also [`FlowHandle::shutdown`](super::FlowHandle::shutdown).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FlowReport {
    /// How it ended.
    pub end: Result<FlowEnd, FlowError>,
    /// How many items were taken from the sources. If a lane panicked in the middle of a batch, items of that batch may
    /// be missing.
    pub taken: u64,
    /// How many items were dropped before an operator or a reader took them; see
    /// [`Flow::discarded`](crate::Flow::discarded), also for those that are not counted. For a flow with subscribers,
    /// this includes the items that its stage discarded.
    pub discarded: u64,
    /// For a flow with subscribers, how many items so far were sent to a subscriber that ended without taking them.
    pub undelivered: u64,
    /// How many items came too late for their windows, or too far ahead, and were dropped; see
    /// [`Flow::late`](crate::Flow::late).
    pub late: u64,
    /// How many items gave way to newer ones while they were held; see [`Flow::replaced`](crate::Flow::replaced).
    pub replaced: u64,
    /// The time from its start to its end, by tokio's clock.
    pub ran: Duration,
    /// The time from when it was first told to shut down to its end, by tokio's clock; `None` when it was not told
    /// before its end.
    pub drained_for: Option<Duration>,
}

impl FlowReport {
    /// Makes an error of the report of a flow that did not come to its end.
    ///
    /// # Errors
    /// Why it did not.
    ///
    /// # Examples
    /// See [`FlowHandle::wait`](super::FlowHandle::wait).
    pub fn into_result(self) -> Result<Self, FlowError> {
        match self.end {
            Ok(_) => Ok(self),
            Err(error) => Err(error),
        }
    }
}

/// How a flow came to its end, with everything that was taken from its sources.
///
/// # Examples
/// See [`FlowHandle::shutdown`](super::FlowHandle::shutdown).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FlowEnd {
    /// Its sources had ended.
    Finished,
    /// It was told to shut down, and has drained.
    Drained,
}

/// Why a flow did not come to its end.
///
/// # Examples
/// ```
/// use gen_stage::flow::FlowError;
/// use gen_stage::prelude::*;
///
/// # tokio_test::block_on(async {
/// let flow = Flow::from_iter([1, 0]).lanes(1).label("divide").map(|n| 1 / n).start();
/// let error = flow.wait().await.unwrap_err().to_string();
/// assert!(error.starts_with("lane 0 of the layer `divide` ("), "{error}");
/// assert!(error.ends_with(" panicked: attempt to divide by zero"), "{error}");
/// # });
/// ```
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum FlowError {
    /// Code of the user panicked, in the flow or in a stage that it reads: [`Panic::place`] says where.
    /// [`Panic::resume`] raises the panic again.
    #[error("{} panicked: {}", .0.place().unwrap_or("a lane of the flow"), .0.message())]
    Panicked(Panic),
    /// It was aborted: by [`abort`](super::FlowHandle::abort), by the last handle being dropped, or after the deadline
    /// of a shutdown.
    #[error("the flow was aborted")]
    Aborted,
    /// Its runtime was shut down.
    #[error("the runtime of the flow was shut down before the flow came to its end")]
    RuntimeGone,
    /// The stage of the flow ended before the flow did: by a handle of the stage, or with the last consumer, if it was
    /// set up to.
    #[error("the stage of the flow was ended before the flow came to its end: {0}")]
    Stopped(Reason),
}

impl From<Failure> for FlowError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Panic(fallen) => Self::Panicked(Panic::at(fallen.place, fallen.payload)),
            Failure::RuntimeGone => Self::RuntimeGone,
        }
    }
}
