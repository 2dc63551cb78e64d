use super::stage_failure::StageFailure;
use crate::dispatch::{Refusal, SubscriptionId};
use crate::failure::{Panic, StageError};
use std::error::Error;
use std::fmt;
use std::mem::discriminant;
use std::sync::Arc;

/// Why a stage ended, or a subscription was cancelled.
///
/// The clean reasons are those of an intended end: [`Normal`](Self::Normal) and the two of shutting down. All others
/// are failures to what depends on the stage; see [`CancelMode`](super::CancelMode).
///
/// The text of an error or a panic that ended a stage names the stage: its kind and its label, or else its type and its
/// [identifier](crate::dispatch::StageId). Stages and flows that fail because of it pass it on as it is: the text names
/// the stage where it happened, and not those on the way.
///
/// # Examples
/// ```
/// use gen_stage::stage::Reason;
///
/// assert!(Reason::Normal.is_clean() && Reason::Shutdown.is_clean());
/// let failed = Reason::failed("out of paper");
/// assert!(!failed.is_clean());
/// assert_eq!(failed.to_string(), "failed: out of paper");
/// ```
///
/// # Source
/// The exit reasons of a GenStage: `normal`, `shutdown`, `{shutdown, term}`, `killed`, `noproc`, and any other term.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Reason {
    /// The work is done.
    Normal,
    /// The end was asked for.
    Shutdown,
    /// The end was asked for, and this says what for.
    ShutdownFor(Arc<str>),
    /// A callback returned an error, or a stop or a cancellation gave one.
    Failed(StageFailure),
    /// A callback panicked.
    Panicked(Panic),
    /// The stage was dropped midway: it was aborted, its last handle and subscription were dropped, or its runtime was
    /// shut down.
    Aborted,
    /// The producer had ended before the subscription reached it.
    Gone,
    /// The producer's dispatcher did not take the subscription.
    Refused(Refusal),
}

impl Reason {
    /// A failure with an error, or a text.
    ///
    /// # Examples
    /// See [`Reason`].
    pub fn failed(error: impl Into<StageError>) -> Self {
        Self::Failed(StageFailure::new(error.into()))
    }

    /// A clean reason that says what for.
    pub fn shutdown_for(what: impl Into<Arc<str>>) -> Self {
        Self::ShutdownFor(what.into())
    }

    /// Whether the end was intended: [`Normal`](Self::Normal), [`Shutdown`](Self::Shutdown) or
    /// [`ShutdownFor`](Self::ShutdownFor).
    ///
    /// # Examples
    /// See [`Reason`].
    #[must_use]
    pub fn is_clean(&self) -> bool {
        matches!(self, Self::Normal | Self::Shutdown | Self::ShutdownFor(_))
    }

    /// `Ok` for a clean reason, and this as the error for any other: for `?` after [`wait`](super::Handle::wait).
    ///
    /// # Errors
    /// The reason itself, when it is not [clean](Self::is_clean).
    ///
    /// # Examples
    /// ```
    /// use gen_stage::stage::Reason;
    /// assert!(Reason::Shutdown.into_result().is_ok());
    /// assert!(Reason::Aborted.into_result().is_err());
    /// ```
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_clean() { Ok(()) } else { Err(self) }
    }

    /// The reason of a stage that ends: its error is at `place`, unless another stage had ended with it before.
    pub(super) fn at(self, place: impl FnOnce() -> String) -> Self {
        match self {
            Self::Failed(failure) => Self::Failed(failure.at(place)),
            other => other,
        }
    }

    /// What went wrong, without where.
    fn cause(&self) -> String {
        match self {
            Self::Failed(failure) => failure.to_string(),
            Self::Panicked(panic) => panic.message().to_owned(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("normal"),
            Self::Shutdown => f.write_str("shutdown"),
            Self::ShutdownFor(what) => write!(f, "shutdown: {what}"),
            Self::Failed(failure) => {
                if let Some(place) = failure.place() {
                    write!(f, "{place} ")?;
                }
                write!(f, "failed: {failure}")
            }
            Self::Panicked(panic) => write!(f, "{panic}"),
            Self::Aborted => f.write_str("aborted"),
            Self::Gone => f.write_str("the producer had already ended"),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
        }
    }
}

/// Two reasons are equal that are of one kind and have the same text. Where it happened does not count: a stage that
/// was stopped with a reason has ended with that reason.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{Reason, from_iter};
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..).stage().label("numbers").spawn();
/// let reason = numbers.stop(Reason::failed("out of paper")).await;
/// assert_eq!(reason.to_string(), "the producer `numbers` failed: out of paper");
/// assert_eq!(reason, Reason::failed("out of paper"));
/// # });
///
/// assert_eq!(Reason::failed("out of paper"), Reason::failed("out of paper"));
/// assert_ne!(Reason::failed("out of paper"), Reason::failed("out of ink"));
/// assert_ne!(Reason::shutdown_for("the night"), Reason::Shutdown);
/// ```
impl PartialEq for Reason {
    fn eq(&self, other: &Self) -> bool {
        discriminant(self) == discriminant(other) && self.cause() == other.cause()
    }
}

// The cause is in the text, and so not in `source` once more.
impl Error for Reason {}

/// How a subscription came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndKind {
    /// One side cancelled it; both live on as far as this goes.
    Cancelled,
    /// The other side ended.
    Down,
}

/// The end of one subscription, as told to its two sides.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{Cancellation, Output, StageError};
/// use gen_stage::dispatch::SubscriptionId;
/// use tokio::sync::mpsc;
///
/// /// Reports each subscription that has ended.
/// struct Left(mpsc::UnboundedSender<(SubscriptionId, bool, String)>);
/// impl Producer for Left {
///     type Item = u32;
///     async fn handle_demand(&mut self, _: usize, _: &mut Output<u32>) -> Result<(), StageError> {
///         Ok(())
///     }
///     async fn handle_cancel(&mut self, end: &Cancellation, _: &mut Output<u32>) -> Result<(), StageError> {
///         self.0.send((end.subscription(), end.is_down(), end.reason().to_string()))?;
///         Ok(())
///     }
/// }
///
/// # tokio_test::block_on(async {
/// let (told, mut hear) = mpsc::unbounded_channel();
/// let producer = Left(told).stage().spawn();
/// let subscription = producer.subscribe().await.unwrap();
/// let id = subscription.id();
/// drop(subscription);
/// assert_eq!(hear.recv().await, Some((id, false, "normal".into())));
/// # });
/// ```
///
/// # Source
/// The first argument of `handle_cancel`: `{:cancel, reason}` or `{:down, reason}`.
#[derive(Debug, Clone)]
pub struct Cancellation {
    subscription: SubscriptionId,
    how: EndKind,
    reason: Reason,
}

impl Cancellation {
    pub(crate) fn new(subscription: SubscriptionId, how: EndKind, reason: Reason) -> Self {
        Self { subscription, how, reason }
    }

    /// The subscription that has ended.
    ///
    /// # Examples
    /// See [`Cancellation`].
    #[must_use]
    pub fn subscription(&self) -> SubscriptionId {
        self.subscription
    }

    /// Why it has ended.
    ///
    /// # Examples
    /// See [`Cancellation`].
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Whether the stage on the other side has ended; otherwise only the subscription was cancelled.
    ///
    /// # Examples
    /// See [`Cancellation`].
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.how == EndKind::Down
    }
}
