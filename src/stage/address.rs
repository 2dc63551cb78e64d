use super::letter::{Letter, Mailbox};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::{Semaphore, TryAcquireError, oneshot};

/// Where to send messages to a stage. Cheap to clone; does not keep the stage alive.
///
/// A stage gets its own from [`Control::address`](super::Control::address), to give to tasks that report back to it.
/// [`Handle`](super::Handle) has the same methods.
///
/// # Demand
/// At most [`mailbox_size`](super::Setup::mailbox_size) messages wait for a stage; [`cast`](Self::cast) and
/// [`call`](Self::call) wait for a place.
///
/// # Ordering
/// Messages of one sender arrive in the order they were sent.
///
/// # Examples
/// See [`Control::address`](super::Control::address).
pub struct Address<M> {
    permits: Arc<Semaphore>,
    /// For messages that wait behind items: separate permits, so that a stuck buffer does not hold up the others.
    behind: Arc<Semaphore>,
    mailbox: Arc<dyn Post<M>>,
}

/// A mailbox, known only by the type of its messages.
trait Post<M>: Send + Sync {
    fn message(&self, letter: Message<M>) -> Result<(), M>;
}

pub(super) enum Message<M> {
    Now(M, Option<tokio::sync::OwnedSemaphorePermit>),
    AfterBuffered(M, Option<tokio::sync::OwnedSemaphorePermit>),
}

impl<I: Send, T: Send, O: Send, M: Send> Post<M> for Mailbox<I, T, O, M> {
    fn message(&self, letter: Message<M>) -> Result<(), M> {
        let letter = match letter {
            Message::Now(message, permit) => Letter::Message(message, permit),
            Message::AfterBuffered(message, permit) => Letter::Info(message, permit),
        };
        match self.post(letter) {
            Err(Letter::Message(message, _) | Letter::Info(message, _)) => Err(message),
            _ => Ok(()),
        }
    }
}

impl<M: Send + 'static> Address<M> {
    pub(super) fn new<I, T, O>(mailbox: Mailbox<I, T, O, M>, size: usize) -> Self
    where
        I: Send + 'static,
        T: Send + 'static,
        O: Send + 'static,
    {
        let places = || Arc::new(Semaphore::new(size));
        Self { permits: places(), behind: places(), mailbox: Arc::new(mailbox) }
    }

    /// Sends a message, once there is a place for it in the mailbox.
    ///
    /// # Errors
    /// [`CastError::Ended`] with the message, when the stage has ended. A stage that ends later drops what it has not
    /// read.
    ///
    /// # Cancel safety
    /// The message is sent, or dropped with the future, which then loses its place in the queue: a new call is last.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Output, StageError};
    ///
    /// struct Echo;
    /// impl Producer<&'static str> for Echo {
    ///     type Item = &'static str;
    ///     async fn handle_demand(&mut self, _: usize, _: &mut Output<&'static str, &'static str>)
    ///         -> Result<(), StageError> { Ok(()) }
    ///     async fn handle_message(&mut self, said: &'static str, out: &mut Output<&'static str, &'static str>)
    ///         -> Result<(), StageError> { out.push(said); Ok(()) }
    /// }
    ///
    /// # tokio_test::block_on(async {
    /// let echo = Echo.stage().spawn();
    /// let mut heard = echo.subscribe().await?;
    /// echo.cast("hello").await.expect("it is alive");
    /// # use futures::StreamExt;
    /// assert_eq!(heard.next().await, Some("hello"));
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// `GenStage.cast`, with a mailbox of a bounded size.
    pub async fn cast(&self, message: M) -> Result<(), CastError<M>> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        self.send(Message::Now(message, permit))
    }

    /// Sends a message if there is a place for it in the mailbox.
    ///
    /// # Errors
    /// [`CastError`], with the message: final if the stage has ended, worth another try if its mailbox was full.
    pub fn try_cast(&self, message: M) -> Result<(), CastError<M>> {
        match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => self.send(Message::Now(message, Some(permit))),
            Err(TryAcquireError::NoPermits) => Err(CastError::Full(message)),
            Err(TryAcquireError::Closed) => Err(CastError::Ended(message)),
        }
    }

    /// Sends a message that carries a [`Reply`], and waits for the answer.
    ///
    /// There is no time limit: put one around it, such as `tokio::time::timeout`.
    ///
    /// # Errors
    /// [`CallError::Ended`] when the stage has ended; [`CallError::NoReply`] when it dropped the reply.
    ///
    /// # Cancel safety
    /// The message may or may not have been sent; if it is answered, the answer is dropped.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Output, Reply, StageError};
    ///
    /// struct Counter(u64);
    /// enum Ask { Count(Reply<u64>) }
    /// impl Producer<Ask> for Counter {
    ///     type Item = u64;
    ///     async fn handle_demand(&mut self, demand: usize, out: &mut Output<u64, Ask>) -> Result<(), StageError> {
    ///         out.extend(self.0..self.0 + demand as u64);
    ///         self.0 += demand as u64;
    ///         Ok(())
    ///     }
    ///     async fn handle_message(&mut self, Ask::Count(reply): Ask, _: &mut Output<u64, Ask>)
    ///         -> Result<(), StageError> { reply.send(self.0); Ok(()) }
    /// }
    ///
    /// # tokio_test::block_on(async {
    /// let counter = Counter(7).stage().spawn();
    /// assert_eq!(counter.call(Ask::Count).await, Ok(7));
    /// # });
    /// ```
    ///
    /// # Source
    /// `GenStage.call`, with typed answers and without a time limit of its own.
    pub async fn call<R>(&self, message: impl FnOnce(Reply<R>) -> M) -> Result<R, CallError> {
        let (reply, answer) = oneshot::channel();
        self.cast(message(Reply(reply))).await.map_err(|_| CallError::Ended)?;
        answer.await.map_err(|_| CallError::NoReply)
    }

    /// Sends a message that is handled once everything the stage has buffered has gone out.
    ///
    /// In a producer-consumer it is also handled after what was received before it. It is handled at once if nothing is
    /// buffered, and is not thrown away when items in front of it are. As many such messages may wait as there are
    /// places in the mailbox, in addition to those in the mailbox.
    ///
    /// # Errors
    /// [`CastError::Ended`] with the message, when the stage has ended.
    ///
    /// # Cancel safety
    /// As [`cast`](Self::cast).
    ///
    /// # Source
    /// `GenStage.async_info`.
    pub async fn info(&self, message: M) -> Result<(), CastError<M>> {
        let permit = Arc::clone(&self.behind).acquire_owned().await.ok();
        self.send(Message::AfterBuffered(message, permit))
    }

    /// Sends without a permit: for a stage's messages to itself, as it cannot wait for room in its own mailbox.
    pub(super) fn post(&self, message: M) {
        let _ = self.mailbox.message(Message::Now(message, None));
    }

    fn send(&self, message: Message<M>) -> Result<(), CastError<M>> {
        self.mailbox.message(message).map_err(CastError::Ended)
    }
}

impl<M> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self {
            permits: Arc::clone(&self.permits),
            behind: Arc::clone(&self.behind),
            mailbox: Arc::clone(&self.mailbox),
        }
    }
}

impl<M> fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("places", &self.permits.available_permits()).finish_non_exhaustive()
    }
}

/// Why a message was not sent. Holds the message.
///
/// # Examples
/// ```
/// use gen_stage::stage::CastError;
/// assert_eq!(CastError::Ended("hello").to_string(), "a message was not sent: the stage has ended");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CastError<M> {
    /// The stage has ended: no message will ever be read.
    #[error("a message was not sent: the stage has ended")]
    Ended(M),
    /// As many messages as the mailbox holds are waiting.
    #[error("a message was not sent: the mailbox of the stage is full")]
    Full(M),
}

impl<M> CastError<M> {
    /// The message that was not sent.
    pub fn into_message(self) -> M {
        match self {
            Self::Ended(message) | Self::Full(message) => message,
        }
    }
}

impl<M> fmt::Debug for CastError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ended(_) => "Ended(..)",
            Self::Full(_) => "Full(..)",
        })
    }
}

/// Why a call has no answer.
///
/// # Examples
/// ```
/// use gen_stage::stage::CallError;
/// assert_eq!(CallError::Ended.to_string(), "the stage has ended");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CallError {
    /// The stage had ended before the message was sent.
    #[error("the stage has ended")]
    Ended,
    /// The stage dropped the reply, or ended before it got to the call.
    #[error("the stage did not reply")]
    NoReply,
}

/// The right to answer one call. Dropping it is an answer too: [`CallError::NoReply`].
///
/// # Examples
/// See [`Address::call`].
///
/// # Source
/// The `from` of `handle_call` and `GenStage.reply`.
pub struct Reply<R>(oneshot::Sender<R>);

impl<R> Reply<R> {
    /// Makes the right to answer, and the future of the answer: for messages that are not sent by
    /// [`call`](Address::call).
    ///
    /// # Examples
    /// ```
    /// use gen_stage::stage::Reply;
    ///
    /// # futures::executor::block_on(async {
    /// let (reply, answer) = Reply::channel();
    /// reply.send(7);
    /// assert_eq!(answer.await, Ok(7));
    /// # });
    /// ```
    pub fn channel() -> (Self, impl Future<Output = Result<R, CallError>> + Send)
    where
        R: Send,
    {
        let (reply, answer) = oneshot::channel();
        (Self(reply), async { answer.await.map_err(|_| CallError::NoReply) })
    }

    /// Answers now: before the items of the running callback go out. To answer after them, use
    /// [`Control::reply`](super::Control::reply).
    ///
    /// May be called from anywhere, at any time; nothing happens if the caller has given up.
    pub fn send(self, answer: R) {
        let _ = self.0.send(answer);
    }
}

impl<R> fmt::Debug for Reply<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}
