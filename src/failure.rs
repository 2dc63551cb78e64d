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

/// A panic of a callback, kept to be looked at or resumed.
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
pub struct Panic {
    message: Arc<str>,
    /// Taken by the first call of `resume`.
    payload: Arc<Mutex<Option<Box<dyn Any + Send>>>>,
}

impl Panic {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        let message = if let Some(text) = payload.downcast_ref::<&str>() {
            Arc::from(*text)
        } else if let Some(text) = payload.downcast_ref::<String>() {
            Arc::from(text.as_str())
        } else {
            Arc::from("a panic without a text")
        };
        Self { message, payload: Arc::new(Mutex::new(Some(payload))) }
    }

    /// What the panic said.
    ///
    /// # Examples
    /// See [`Panic`].
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Goes on with the panic here: with its own payload the first time, with its text after that.
    ///
    /// # Panics
    /// Always.
    pub fn resume(&self) -> ! {
        let payload = unpoisoned(self.payload.lock()).take();
        match payload {
            Some(payload) => resume_unwind(payload),
            None => resume_unwind(Box::new(self.message.to_string())),
        }
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message).finish()
    }
}
