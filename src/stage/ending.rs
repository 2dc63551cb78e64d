use super::handle::Handle;
use super::letter::Letter;
use super::reason::Reason;
use super::role::Role;
use super::status::AnyStage;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// # Ends
///
/// For flows, stages and supervisors in one table: [`ends`](crate::ends).
impl<R: Role, M: Send + 'static> Handle<R, M> {
    /// Ends the stage when the running callback is done and what was sent to the stage before is handled, and waits for
    /// that: [`Reason::Shutdown`].
    ///
    /// What it has buffered is dropped and counted as discarded.
    ///
    /// Returns the reason the stage ended with, which is another one if it had already ended. A callback that never
    /// returns holds this up for ever: put a time limit around it, and [`abort`](Self::abort) after it.
    ///
    /// # Cancel safety
    /// The stage is told at once, and ends whether this is waited for or not.
    ///
    /// # Examples
    /// See [`Handle`].
    ///
    /// # Source
    /// `GenStage.stop` with the reason `:shutdown`.
    pub fn shutdown(&self) -> impl Future<Output = Reason> + Send + use<R, M> {
        self.stop(Reason::Shutdown)
    }

    /// As [`shutdown`](Self::shutdown), with another reason.
    ///
    /// # Cancel safety
    /// The stage is told at once, and ends whether this is waited for or not.
    pub fn stop(&self, reason: Reason) -> impl Future<Output = Reason> + Send + use<R, M> {
        self.running.mailbox.post(Letter::Stop(reason));
        self.wait()
    }

    /// Waits until the stage ends by itself; after `deadline`, [shuts it down](Self::shutdown).
    ///
    /// A source is read to its end, and what was made goes out to the consumers that ask for it. Returns the reason the
    /// stage ended with: [`Reason::Shutdown`] when the deadline passed. All ways to end are in [`ends`](crate::ends).
    ///
    /// # Panics
    /// When it is polled outside of a runtime with timers.
    ///
    /// # Cancel safety
    /// Dropping this changes nothing: the deadline is kept only while it is polled.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, channel::mpsc};
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Reason, from_stream};
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let (sender, receiver) = mpsc::unbounded();
    /// let numbers = from_stream(receiver).stage().spawn();
    /// let reader = numbers.subscribe().await?;
    /// sender.unbounded_send(7).unwrap();
    /// drop(sender);
    /// let (reason, got) = futures::join!(numbers.drain(Duration::from_secs(5)), reader.collect::<Vec<u32>>());
    /// assert!(matches!(reason, Reason::Normal));
    /// assert_eq!(got, [7]);
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # }).unwrap();
    /// ```
    pub fn drain(&self, deadline: Duration) -> impl Future<Output = Reason> + Send + use<R, M> {
        let handle = self.clone();
        async move {
            match timeout(deadline, handle.wait()).await {
                Ok(reason) => reason,
                Err(_elapsed) => handle.shutdown().await,
            }
        }
    }

    /// Ends the stage once everything it has emitted has gone out, and waits for that: [`Reason::Normal`].
    ///
    /// The stage leaves its producers at once. A producer is asked for nothing more. If no consumer takes what is
    /// buffered, this waits until one does.
    ///
    /// # Cancel safety
    /// The stage is told at once, and ends whether this is waited for or not.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Reason, from_iter};
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..).stage().spawn();
    /// let mut read = numbers.subscribe().demand(2, 0).await?;
    /// assert_eq!(read.next().await, Some(0));
    /// assert!(matches!(numbers.finish().await, Reason::Normal));
    /// assert_eq!(read.collect::<Vec<_>>().await, [1]);
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    pub fn finish(&self) -> impl Future<Output = Reason> + Send + use<R, M> {
        self.running.mailbox.post(Letter::Finish);
        self.wait()
    }

    /// Waits until the stage has ended, and returns why.
    ///
    /// # Cancel safety
    /// Waiting changes nothing.
    ///
    /// # Examples
    /// See [`Handle`].
    pub fn wait(&self) -> impl Future<Output = Reason> + Send + use<R, M> {
        let mut ended = self.running.ended.clone();
        async move {
            let reason = match ended.wait_for(Option::is_some).await {
                Ok(reason) => reason.clone(),
                // The stage was dropped midway, as by a runtime that shuts down.
                Err(_) => None,
            };
            reason.unwrap_or(Reason::Aborted)
        }
    }

    /// The reason the stage has ended with, if it has.
    pub(super) fn ended_with(&self) -> Option<Reason> {
        self.running.ended.borrow().clone()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.running.end().is_some()
    }

    /// Drops the stage where it is, in the middle of a callback if need be; all others see [`Reason::Aborted`].
    ///
    /// [`terminate`](super::Producer::terminate) does not run. If it is running, it is dropped, and the stage keeps the
    /// reason it was ending with.
    pub fn abort(&self) {
        self.running.token.cancel();
    }

    /// Lets the stage live on without handles, until it ends by itself.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Control, StageError, Upstream, from_iter};
    /// use tokio::sync::mpsc;
    ///
    /// struct Send(mpsc::UnboundedSender<u64>);
    /// impl Consumer for Send {
    ///     type Input = u64;
    ///     async fn handle_items(&mut self, items: Vec<u64>, _: &Upstream, _: &mut Control) -> Result<(), StageError> {
    ///         Ok(items.into_iter().try_for_each(|item| self.0.send(item))?)
    ///     }
    /// }
    ///
    /// # tokio_test::block_on(async {
    /// let (sender, mut receiver) = mpsc::unbounded_channel();
    /// let numbers = from_iter(0..3).stage().spawn();
    /// Send(sender).stage().subscribe_to(numbers.subscribe()).spawn().detach();
    /// drop(numbers);
    /// assert_eq!(receiver.recv().await, Some(0));
    /// # });
    /// ```
    pub fn detach(self) {
        self.running.mailbox.post(Letter::Detach(Arc::clone(&self.lifeline)));
    }
}
