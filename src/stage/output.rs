use super::address::{Address, Reply};
use super::reason::Reason;
use super::subscribe::Subscribe;
use crate::dispatch::StageId;
use std::any::{Any, type_name};
use std::convert::Infallible;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// What a callback can do to its own stage, besides emitting.
///
/// # Examples
/// See its methods.
pub struct Control<M = Infallible> {
    id: StageId,
    label: Arc<str>,
    address: Address<M>,
    pub(super) infos: Vec<M>,
    pub(super) replies: Vec<Box<dyn FnOnce() + Send>>,
    pub(super) subscribing: Vec<SubscribeLater>,
    pub(super) stop: Option<Stop>,
}

/// A subscription that a callback asks its stage to make. A `Control` does not know what its stage reads: that is
/// looked at when the callback is over.
pub(super) struct SubscribeLater {
    /// A `Request` of what the producer makes.
    pub(super) request: Box<dyn Any + Send>,
    pub(super) producer: Arc<str>,
    /// The type of its items.
    pub(super) items: &'static str,
}

/// How a callback has asked its stage to end.
#[derive(Debug)]
pub(super) enum Stop {
    AtOnce(Reason),
    AfterBuffered,
}

impl<M: Send + 'static> Control<M> {
    pub(super) fn new(id: StageId, label: Arc<str>, address: Address<M>) -> Self {
        Self {
            id,
            label,
            address,
            infos: Vec::new(),
            replies: Vec::new(),
            subscribing: Vec::new(),
            stop: None,
        }
    }

    /// The identifier of this stage.
    #[must_use]
    pub fn id(&self) -> StageId {
        self.id
    }

    /// The name of this stage, as given when it was set up.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Where to send messages to this stage, for tasks that are to report back to it.
    ///
    /// It does not keep the stage alive. A stage that waits for a place in its own mailbox waits for ever: use
    /// [`post`](Self::post) for messages to itself.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Output, StageError};
    ///
    /// /// Fetches in a task of its own, and stays open to messages meanwhile.
    /// struct Fetching;
    /// struct Fetched(Vec<u64>);
    ///
    /// impl Producer<Fetched> for Fetching {
    ///     type Item = u64;
    ///     async fn handle_demand(&mut self, n: usize, out: &mut Output<u64, Fetched>) -> Result<(), StageError> {
    ///         let stage = out.address();
    ///         tokio::spawn(async move { stage.cast(Fetched(vec![7; n])).await });
    ///         Ok(())
    ///     }
    ///     async fn handle_message(&mut self, Fetched(rows): Fetched, out: &mut Output<u64, Fetched>)
    ///         -> Result<(), StageError> { out.emit(rows); Ok(()) }
    /// }
    ///
    /// # tokio_test::block_on(async {
    /// let read: Vec<u64> = Fetching.stage().spawn().subscribe().await?.take(3).collect().await;
    /// assert_eq!(read, [7, 7, 7]);
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    #[must_use]
    pub fn address(&self) -> Address<M> {
        self.address.clone()
    }

    /// Sends a message to this stage itself, behind those that are waiting; not counted in the size of the mailbox.
    pub fn post(&mut self, message: M) {
        self.address.post(message);
    }

    /// Sends a message to this stage itself, to be handled once everything emitted so far has gone out.
    ///
    /// # Source
    /// `GenStage.async_info(self(), …)`.
    pub fn info(&mut self, message: M) {
        self.infos.push(message);
    }

    /// Answers a call once the items of this callback have been sent or buffered.
    ///
    /// # Examples
    /// See the [guide](super::guide#buffering-demand-or-items).
    ///
    /// # Source
    /// `{:reply, answer, events, state}`.
    pub fn reply<R: Send + 'static>(&mut self, reply: Reply<R>, answer: R) {
        self.replies.push(Box::new(move || reply.send(answer)));
    }

    /// Has the stage subscribe to another producer after this callback, as
    /// [`Handle::subscribe_to`](super::Handle::subscribe_to) does.
    ///
    /// # Errors
    /// A refusal is told to [`handle_cancel`](super::Consumer::handle_cancel), with [`Reason::Refused`]; the stage
    /// lives on. The stage fails when the producer makes items of another type than it reads, or when it is a producer
    /// and reads nothing: the error names the types.
    ///
    /// # Examples
    /// A stage that is told what to read:
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{AnyProducer, Control, StageError, Upstream, from_iter};
    ///
    /// struct Sum(u64);
    /// impl Consumer<AnyProducer<u64>> for Sum {
    ///     type Input = u64;
    ///     async fn handle_items(&mut self, items: Vec<u64>, _: &Upstream, _: &mut Control<AnyProducer<u64>>)
    ///         -> Result<(), StageError>
    ///     {
    ///         self.0 += items.iter().sum::<u64>();
    ///         assert!(self.0 <= 6);
    ///         Ok(())
    ///     }
    ///     async fn handle_message(&mut self, producer: AnyProducer<u64>, stage: &mut Control<AnyProducer<u64>>)
    ///         -> Result<(), StageError>
    ///     {
    ///         stage.subscribe_to(producer.subscribe().demand_up_to(10));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # tokio_test::block_on(async {
    /// let sum = Sum(0).stage().spawn();
    /// sum.cast(from_iter(1..=3).stage().spawn().erase()).await?;
    /// assert!(sum.wait().await.is_clean());        // it ends with its producer
    /// assert_eq!(sum.counts().received, 3);
    /// # Ok::<(), gen_stage::stage::CastError<AnyProducer<u64>>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Source
    /// `GenStage.async_subscribe/2`.
    pub fn subscribe_to<T: Send + 'static, O: Send + 'static>(&mut self, to: Subscribe<T, O>) {
        let producer = to.producer();
        let request = Box::new(to.into_request());
        self.subscribing.push(SubscribeLater { request, producer, items: type_name::<T>() });
    }

    /// Ends the stage after this callback, and after everything that was emitted has gone out: [`Reason::Normal`].
    ///
    /// Meanwhile messages are still handled and consumers come and go, but
    /// [`handle_demand`](super::Producer::handle_demand) is not called any more.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Output, StageError};
    ///
    /// struct Countdown(u32);
    /// impl Producer for Countdown {
    ///     type Item = u32;
    ///     async fn handle_demand(&mut self, demand: usize, out: &mut Output<u32>) -> Result<(), StageError> {
    ///         for _ in 0..demand {
    ///             if self.0 == 0 {
    ///                 out.finish();
    ///                 break;
    ///             }
    ///             out.push(self.0);
    ///             self.0 -= 1;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # tokio_test::block_on(async {
    /// assert_eq!(Countdown(3).into_stream().collect::<Vec<_>>().await, [3, 2, 1]);
    /// # });
    /// ```
    pub fn finish(&mut self) {
        if self.stop.is_none() {
            self.stop = Some(Stop::AfterBuffered);
        }
    }

    /// Ends the stage after this callback, with `reason`: what this callback emits is dispatched, what is buffered is
    /// dropped and counted as discarded.
    ///
    /// # Source
    /// `{:stop, reason, state}`.
    pub fn stop(&mut self, reason: Reason) {
        self.stop = Some(Stop::AtOnce(reason));
    }
}

impl<M> fmt::Debug for Control<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("id", &self.id)
            .field("label", &self.label)
            .field("stop", &self.stop)
            .finish_non_exhaustive()
    }
}

/// Takes the items that a callback emits, and whatever else it asks of its stage ([`Control`]).
///
/// # Demand
/// Any callback may emit, at any time, demanded or not. When the callback is over, its items are dispatched together;
/// what was not asked for goes to the buffer.
///
/// # Examples
/// See [`Producer`](super::Producer).
pub struct Output<T, M = Infallible> {
    items: Vec<T>,
    control: Control<M>,
}

impl<T, M> Output<T, M> {
    pub(super) fn new(control: Control<M>) -> Self {
        Self { items: Vec::new(), control }
    }

    /// Emits one item.
    ///
    /// # Examples
    /// See [`Output`].
    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }

    /// Emits a batch: moved as a whole if it is the first of this callback.
    ///
    /// # Examples
    /// See [`address`](Control::address).
    pub fn emit(&mut self, mut items: Vec<T>) {
        if self.items.is_empty() {
            self.items = items;
        } else {
            self.items.append(&mut items);
        }
    }

    /// How many items this callback has emitted so far.
    #[must_use]
    pub fn emitted(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing from a callback is waiting here.
    pub(super) fn is_untouched(&self) -> bool {
        let Control { infos, replies, subscribing, stop, .. } = &self.control;
        let asks_nothing = infos.is_empty() && replies.is_empty() && subscribing.is_empty() && stop.is_none();
        self.items.is_empty() && asks_nothing
    }

    pub(super) fn take_items(&mut self) -> Vec<T> {
        std::mem::take(&mut self.items)
    }

    pub(super) fn control(&mut self) -> &mut Control<M> {
        &mut self.control
    }
}

impl<T, M> Extend<T> for Output<T, M> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        self.items.extend(items);
    }
}

impl<T, M> Deref for Output<T, M> {
    type Target = Control<M>;

    fn deref(&self) -> &Control<M> {
        &self.control
    }
}

impl<T, M> DerefMut for Output<T, M> {
    fn deref_mut(&mut self) -> &mut Control<M> {
        &mut self.control
    }
}

impl<T, M> fmt::Debug for Output<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("items", &self.items.len()).field("control", &self.control).finish()
    }
}
