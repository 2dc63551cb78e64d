use crate::failure::StageError;
use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// An error that ended a stage, or a subscription, and the stage that ended with it. Cheap to clone.
///
/// It is an error that prints as the one within and has its [`source`](Error::source). It derefs to that one, for `is`
/// and `downcast_ref`.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{Reason, from_sink};
/// use std::io;
///
/// # tokio_test::block_on(async {
/// let full = futures::sink::unfold((), |(), _: u32| async { Err(io::Error::from(io::ErrorKind::StorageFull)) });
/// let numbers = gen_stage::stage::from_iter(0..).stage().spawn();
/// let file = from_sink(Box::pin(full)).stage().label("file").subscribe_to(numbers.subscribe()).spawn();
/// let reason = file.wait().await;
/// assert_eq!(reason.to_string(), "the consumer `file` failed: no storage space");
///
/// let Reason::Failed(failure) = reason else { panic!("the sink fails") };
/// assert_eq!(failure.place(), Some("the consumer `file`"));
/// assert_eq!(failure.downcast_ref().map(io::Error::kind), Some(io::ErrorKind::StorageFull));
/// # });
/// ```
#[derive(Clone)]
pub struct StageFailure {
    error: Arc<dyn Error + Send + Sync>,
    place: Option<Arc<str>>,
}

impl StageFailure {
    pub(super) fn new(error: StageError) -> Self {
        Self { error: Arc::from(error), place: None }
    }

    /// Says where it was, if that was not said before.
    pub(super) fn at(self, place: impl FnOnce() -> String) -> Self {
        let place = self.place.or_else(|| Some(place().into()));
        Self { place, ..self }
    }

    /// The stage that ended with it, as [`Panic::place`](super::Panic::place) names it. `None` while no stage has: as
    /// for the reason of a subscription that was cancelled.
    ///
    /// # Examples
    /// See [`StageFailure`].
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }
}

impl Deref for StageFailure {
    type Target = dyn Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.error
    }
}

impl Error for StageFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

impl fmt::Display for StageFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl fmt::Debug for StageFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageFailure").field("error", &self.error).field("place", &self.place).finish()
    }
}
