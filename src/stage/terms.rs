//! What can be said of a subscription, and what becomes of one that is made.

use super::reason::Reason;
use crate::demand::Demand;
use crate::dispatch::Refusal;
use std::fmt;
use thiserror::Error;

/// What the end of a producer means for its consumer, set per subscription.
///
/// | | the producer ended, or the subscription was cancelled, for a clean reason | for any other |
/// |---|---|---|
/// | `Permanent` | the consumer ends, with that reason | the consumer ends, with that reason |
/// | `Transient` | it lives on | it ends, with that reason |
/// | `Temporary` | it lives on | it lives on |
///
/// [`handle_cancel`](super::Consumer::handle_cancel) is called first in every case. A subscription that is read as a
/// stream has no stage to end: there a clean end is the end of the stream, and any other makes reading it panic,
/// unless the mode is `Temporary`.
///
/// # Examples
/// ```
/// use gen_stage::stage::{CancelMode, Reason};
///
/// assert_eq!(CancelMode::default(), CancelMode::Permanent);
/// assert!(CancelMode::Transient.ends_on(&Reason::failed("full")));
/// assert!(!CancelMode::Transient.ends_on(&Reason::Shutdown));
/// ```
///
/// # Source
/// The option `cancel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CancelMode {
    /// Ends with its producer, whatever the reason.
    #[default]
    Permanent,
    /// Ends with its producer, unless the reason is clean.
    Transient,
    /// Lives on, whatever the reason.
    Temporary,
}

impl CancelMode {
    /// Whether the consumer ends when its subscription ends for this reason.
    ///
    /// # Examples
    /// See [`CancelMode`].
    #[must_use]
    pub fn ends_on(self, reason: &Reason) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => !reason.is_clean(),
            Self::Temporary => false,
        }
    }
}

impl fmt::Display for CancelMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permanent => "permanent",
            Self::Transient => "transient",
            Self::Temporary => "temporary",
        })
    }
}

/// Whether a stage or its code asks for the items of a subscription.
///
/// # Examples
/// ```
/// use gen_stage::stage::AskMode;
/// assert_eq!(AskMode::default(), AskMode::Automatic);
/// ```
///
/// # Source
/// What `handle_subscribe` returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AskMode {
    /// The stage asks, keeping to the bounds of the demand, and cuts what comes into batches.
    #[default]
    Automatic,
    /// The stage's code asks, by [`Upstream::ask`](super::Upstream::ask), within bounds of its own. Batches come whole,
    /// as they were sent.
    Manual,
}

/// What was said of a subscription when it was made.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Terms {
    pub(crate) bounds: Demand,
    pub(crate) mode: AskMode,
    pub(crate) cancel: CancelMode,
    /// `Some`: the subscription loses items before it holds others up.
    pub(crate) keeps: Option<Keeps>,
}

/// How many items wait at most for a subscription that may lose some, and which stay when more come.
///
/// Set by [`keep_newest`](super::Subscribe::keep_newest) and [`keep_oldest`](super::Subscribe::keep_oldest).
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{Keeps, from_iter};
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..).stage().spawn();
/// let all = numbers.subscribe().await?;
/// let last = numbers.subscribe().keep_newest(1).await?;
/// assert_eq!((all.status().keeps, last.status().keeps), (None, Some(Keeps::Newest(1))));
/// assert_eq!(Keeps::Newest(1).to_string(), "keeps the newest 1");
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Keeps {
    /// At most this many items wait, at least 1. The oldest are dropped for those that come.
    Newest(usize),
    /// At most this many items wait, at least 1. While that many wait, what comes is dropped.
    Oldest(usize),
}

impl fmt::Display for Keeps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest(items) => write!(f, "keeps the newest {items}"),
            Self::Oldest(items) => write!(f, "keeps the oldest {items}"),
        }
    }
}

/// What a producer does with demand.
///
/// # Examples
/// ```
/// use gen_stage::stage::DemandMode;
/// assert_eq!(DemandMode::default(), DemandMode::Forward);
/// ```
///
/// # Source
/// The option `demand`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DemandMode {
    /// Passes it on to [`handle_demand`](super::Producer::handle_demand).
    #[default]
    Forward,
    /// Holds it back, and what is emitted as well.
    Accumulate,
}

/// Why there is no subscription.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{SubscribeError, from_iter};
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter([1]).stage().spawn();
/// numbers.shutdown().await;
/// let refused = numbers.subscribe().await.unwrap_err();
/// assert!(matches!(refused, SubscribeError::Gone));
/// assert_eq!(refused.to_string(), "the producer has ended");
/// # });
/// ```
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The producer has ended.
    #[error("the producer has ended")]
    Gone,
    /// The stage that was to subscribe has ended.
    #[error("the consumer has ended")]
    ConsumerGone,
    /// The dispatcher of the producer refused it. The producer and its other consumers do not notice.
    #[error("the producer refused the subscription: {0}")]
    Refused(Refusal),
}
