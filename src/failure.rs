//! What goes wrong in code of users: an error that is returned, and a panic.

use crate::sync::unpoisoned;
use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};

/// What a callback may fail with: any error, or a text.
///
/// `?` turns any error into one, and so does `.into()` with a text. The stage then ends with
/// [`Reason::Failed`](crate::stage::Reason::Failed).
///
/// # Examples
/// ```
/// fn check(n: i32) -> Result<(), gen_stage::stage::StageError> {
///     if n < 0 { Err(format!("{n} is negative").into()) } else { Ok(()) }
/// }
/// assert_eq!(check(-1).unwrap_err().to_string(), "-1 is negative");
/// ```
pub type StageError = Box<dyn Error + Send + Sync>;

/// Goes on, in a drop, with a panic that was caught there; not if the thread is panicking already, for a second panic would
/// abort the process.
pub(crate) fn raise_in_drop(panicked: Option<Box<dyn Any + Send>>) {
    if let Some(payload) = panicked {
        if !std::thread::panicking() {
            resume_unwind(payload);
        }
    }
}

/// A panic that was caught somewhere else than in the task that raises it.
struct RaisedFrom {
    origin: Origin,
    payload: Box<dyn Any + Send>,
}

/// The place of a panic that is raised again in another task.
enum Origin {
    /// In a task that works for the one which raises it.
    Helper(&'static str),
    /// In a task or stage of its own, at this place.
    Place(String),
}

/// Raises a panic that was caught in `what`, a task that works for the one which runs now.
pub(crate) fn raise_from(what: &'static str, payload: Box<dyn Any + Send>) -> ! {
    resume_unwind(Box::new(RaisedFrom { origin: Origin::Helper(what), payload }))
}

/// Raises a panic that was caught at `place` in a task that catches its own panics by [`located`], and so says that it
/// was there.
pub(crate) fn raise_at(place: Option<String>, payload: Box<dyn Any + Send>) -> ! {
    match place {
        Some(place) => resume_unwind(Box::new(RaisedFrom { origin: Origin::Place(place), payload })),
        None => resume_unwind(payload),
    }
}

/// The panic of a task at `place` as it was where it began, and where that was.
///
/// However many tasks have passed it on, it has one place: the first.
pub(crate) fn located(
    place: Option<String>,
    payload: Box<dyn Any + Send>,
) -> (Option<String>, Box<dyn Any + Send>) {
    match payload.downcast::<RaisedFrom>() {
        Ok(raised) => {
            let place = match raised.origin {
                Origin::Helper(what) => {
                    let of = place.map(|place| format!(" of {place}")).unwrap_or_default();
                    format!("{what}{of}")
                }
                Origin::Place(place) => place,
            };
            located(Some(place), raised.payload)
        }
        Err(payload) => (place, payload),
    }
}

/// What a panic said.
pub(crate) fn message_of(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a panic without a text"
    }
}

/// A panic of a callback, kept to be looked at or resumed. It prints as the place and the message:
/// ``the producer `numbers` panicked: no paper``.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{Output, Reason, StageError};
///
/// struct Broken;
/// impl Producer for Broken {
///     type Item = u32;
///     async fn handle_demand(&mut self, _: usize, _: &mut Output<u32>) -> Result<(), StageError> {
///         panic!("no paper")
///     }
/// }
///
/// # tokio_test::block_on(async {
/// let broken = Broken.stage().spawn();
/// let mut read = broken.subscribe().await?.fallible();
/// let Some(Err(Reason::Panicked(panic))) = read.next().await else { panic!("it ends by a panic") };
/// assert_eq!(panic.message(), "no paper");
/// # use futures::StreamExt;
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # });
/// ```
#[derive(Clone)]
pub struct Panic(Arc<Kept>);

struct Kept {
    message: Box<str>,
    place: Option<Box<str>>,
    /// Taken by the first call of `resume`.
    payload: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Panic {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        Self::at(None, payload)
    }

    /// A panic at a place that is known.
    pub(crate) fn at(place: Option<String>, payload: Box<dyn Any + Send>) -> Self {
        let (place, payload) = located(place, payload);
        let message = message_of(&*payload).into();
        Self(Arc::new(Kept { message, place: place.map(Box::from), payload: Mutex::new(Some(payload)) }))
    }

    /// Where it was, if that is known. In a flow: the lane, its layer and the flow, by their names or by the line of code
    /// that opened the layer. In a stage: its kind and its label, or else its type and its
    /// [identifier](crate::dispatch::StageId). A panic that stages and flows pass on keeps the place where it began.
    ///
    /// # Examples
    /// See [`Flow::label`](crate::Flow::label) for a flow.
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Reason, from_iter};
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter([1, 0].into_iter().map(|n| 1 / n)).stage().label("numbers").spawn();
    /// let mut read = numbers.subscribe().await?.fallible();
    /// let Some(Err(Reason::Panicked(panic))) = read.next().await else { panic!("it divides by zero") };
    /// assert_eq!(panic.place(), Some("the producer `numbers`"));
    /// assert_eq!(panic.to_string(), "the producer `numbers` panicked: attempt to divide by zero");
    /// # use futures::StreamExt;
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        self.0.place.as_deref()
    }

    /// What the panic said.
    ///
    /// # Examples
    /// See [`Panic`].
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Goes on with the panic here: with its own payload the first time, with its text after that.
    ///
    /// # Panics
    /// Always.
    pub fn resume(&self) -> ! {
        resume_unwind(self.payload())
    }

    /// Goes on with the panic in a task that catches its own panics by [`located`].
    pub(crate) fn resume_at_its_place(&self) -> ! {
        raise_at(self.place().map(String::from), self.payload())
    }

    /// The payload for one that goes on with the panic.
    fn payload(&self) -> Box<dyn Any + Send> {
        let payload = unpoisoned(self.0.payload.lock()).take();
        payload.unwrap_or_else(|| Box::new(self.0.message.to_string()))
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place() {
            write!(f, "{place} ")?;
        }
        write!(f, "panicked: {}", self.message())
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panic").field("message", &self.0.message).field("place", &self.0.place).finish()
    }
}
