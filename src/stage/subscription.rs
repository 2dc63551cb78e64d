mod by_batch;
mod read_fallibly;

use super::ends::{Answer, Downward, Link, Port, Replaced};
use super::fallible::Fallible;
use super::inbox::{Door, Inbox};
use super::parcel::Parcel;
use super::reason::{EndKind, Reason};
use super::request::{Request, taken};
use super::shared_batch::SharedBatch;
use super::status::ProducerStatus;
use super::terms::{AskMode, CancelMode, SubscribeError};
use super::upstream::Upstream;
use crate::demand::{Demand, Ledger};
use crate::dispatch::{Body, SubscriptionId};
use futures_core::{FusedStream, Stream};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;
use tokio::sync::oneshot;

/// The items of a producer as a stream, to be read item by item or batch by batch.
///
/// It keeps its producer alive.
///
/// # Demand
/// The first poll asks for `max_demand` items. What comes is read in batches of at most `max_demand - min_demand`;
/// when a batch has been read and the next one is polled for, the demand is topped up to `max_demand` if it has fallen
/// to `min_demand`. At most `max_demand` items are on their way and in the batch being read.
///
/// A subscription that is not polled does not ask. Under a [`Broadcast`](crate::dispatch::Broadcast), all others wait
/// for it, unless it [may lose items](super::Subscribe::keep_newest).
///
/// # Ordering
/// Items come in the order in which the producer's dispatcher gave them to this subscription.
///
/// # Panics
/// Reading panics when the producer has failed: with the producer's panic, or with its name and error in the message.
/// It does not when the subscription is [`temporary`](super::Subscribe::temporary). [`fallible`](Self::fallible) turns
/// failures into items.
///
/// # Cancel safety
/// Dropping a future that waits for the next item or batch loses nothing.
///
/// # Drop
/// Cancels the subscription. Items on their way to it are dropped and counted as
/// [`undelivered`](super::Counts::undelivered).
///
/// # Examples
/// ```
/// use futures::StreamExt;
/// use gen_stage::prelude::*;
/// use gen_stage::stage::from_iter;
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..10).stage().spawn();
/// let mut read = numbers.subscribe().demand(7, 3).await?;
/// assert_eq!(read.next().await, Some(0));
/// assert_eq!(read.next_batch().await, Some(vec![1, 2, 3]));
/// assert_eq!(read.next_batch().await, Some(vec![4, 5, 6]));
/// assert_eq!(read.collect::<Vec<_>>().await, [7, 8, 9]);
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # });
/// ```
///
/// # Source
/// `GenStage.stream` of one producer. A producer that ends cleanly ends the stream, whatever the cancel mode.
#[must_use = "a subscription that is dropped is cancelled"]
pub struct Subscription<T> {
    upstream: Upstream,
    /// `None` once the end has come from the producer.
    link: Option<Link>,
    inbox: Inbox<ToReader<T>>,
    /// The sending side of `inbox`, for a subscription that takes the place of this one.
    door: Door<ToReader<T>>,
    ledger: Ledger,
    /// The list being cut into batches.
    list: Option<Parcel<T>>,
    /// Whether `list` came from this subscription, and not from one that it has replaced.
    counts: bool,
    /// The rest of the batch being read item by item.
    batch: vec::IntoIter<T>,
    /// Length of the last batch taken, until it is counted as handled.
    reading: usize,
    /// The reader itself has cancelled: no end is a failure.
    cancelled: bool,
    end: Option<Reason>,
    /// The reader has seen the end.
    over: bool,
}

enum ToReader<T> {
    Items(SubscriptionId, Parcel<T>),
    End(SubscriptionId, Reason),
}

impl<T: Send> Downward<T> for Door<ToReader<T>> {
    fn items(&self, id: SubscriptionId, items: Parcel<T>) {
        let _ = self.put(ToReader::Items(id, items));
    }

    fn end(&self, id: SubscriptionId, _how: EndKind, reason: Reason) {
        let _ = self.put(ToReader::End(id, reason));
    }
}

impl<T: Send + 'static> Subscription<T> {
    pub(super) fn open(request: Request<T>, answer: Option<Answer>) -> Self {
        let (door, inbox) = Inbox::new();
        let (upstream, link) = connect(request, &door, None, answer);
        let ledger = Ledger::new(upstream.demand());
        Self {
            upstream,
            link: Some(link),
            inbox,
            door,
            ledger,
            list: None,
            counts: false,
            batch: Vec::new().into_iter(),
            reading: 0,
            cancelled: false,
            end: None,
            over: false,
        }
    }

    /// Subscribes anew in place of this; see [`resubscribe`](Self::resubscribe).
    pub(super) async fn replace(
        &mut self,
        request: Request<T>,
        reason: Reason,
    ) -> Result<(), SubscribeError> {
        let (answer, answered) = oneshot::channel();
        let replaced = Some((self.id(), reason.clone()));
        let (upstream, link) = connect(request, &self.door, replaced, Some(Answer::of_producer(answer)));
        if let Some(old) = self.link.take() {
            if old.is_to_same_as(&link) {
                old.forget();
            } else {
                // Another producer: the old one does not see the new subscription.
                old.down(reason);
            }
        }
        self.ledger = Ledger::new(upstream.demand());
        (self.upstream, self.link) = (upstream, Some(link));
        (self.counts, self.reading, self.cancelled, self.end, self.over) = (false, 0, false, None, false);
        let taken = taken(answered).await;
        if taken.is_err() {
            // The caller learns of it here, so that reading does not fail as well.
            self.cancelled = true;
        }
        taken
    }

    /// The identifier of this subscription.
    #[must_use]
    pub fn id(&self) -> SubscriptionId {
        self.upstream.id()
    }

    /// What is known of the subscription here: its producer, its terms, and what came. It does not ask the producer,
    /// and works after the end too.
    ///
    /// Items of a batch that is being read item by item are taken.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::from_iter;
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..).stage().label("numbers").spawn();
    /// let mut read = numbers.subscribe().demand(10, 6).await?;
    /// assert_eq!(read.next_batch().await, Some(vec![0, 1, 2, 3]));
    ///
    /// let status = read.status();
    /// assert_eq!((&*status.label, status.bounds.max(), status.demand), ("numbers", 10, 10));
    /// assert_eq!((status.sent, status.taken, status.undelivered), (10, 4, 0));
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    #[must_use]
    pub fn status(&self) -> ProducerStatus {
        self.upstream.status(self.upstream.mode(), self.ledger.wanted())
    }

    /// Raises the failure of the producer in the task of a flow that reads this, and names the place itself.
    pub(crate) fn raise_in_flow(&self, reason: &Reason) -> ! {
        match reason {
            Reason::Panicked(panic) => panic.resume_at_its_place(),
            other => self.upstream.raise(other),
        }
    }

    pub(crate) fn demand(&self) -> Demand {
        self.upstream.demand()
    }

    pub(crate) fn cancel_mode(&self) -> CancelMode {
        self.upstream.cancel_mode()
    }

    /// Asks for `items` more, for a subscription in [manual](super::Subscribe::manual) mode.
    ///
    /// # Examples
    /// ```
    /// use futures::FutureExt;
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::from_iter;
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..).stage().spawn();
    /// let mut read = numbers.subscribe().manual().await?;
    /// assert_eq!(read.next_batch().now_or_never(), None);
    /// read.ask(3);
    /// assert_eq!(read.next_batch().await, Some(vec![0, 1, 2]));
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// `GenStage.ask`.
    pub fn ask(&self, items: usize) {
        self.upstream.ask(items);
    }

    /// Cancels the subscription: nothing more is asked for. What the producer has sent by then can still be read, and
    /// then the stream ends.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Reason, from_iter};
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..).stage().spawn();
    /// let mut read = numbers.subscribe().demand(2, 0).await?;
    /// assert_eq!(read.next_batch().await, Some(vec![0, 1]));
    /// read.cancel(Reason::Normal);
    /// assert_eq!(read.next_batch().await, None);
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// `GenStage.cancel`.
    pub fn cancel(&mut self, reason: Reason) {
        if let (Some(link), false) = (&self.link, self.cancelled) {
            link.cancel(reason);
            self.cancelled = true;
        }
    }

    /// Why the subscription has ended, once the end was read; `None` before.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Reason, from_iter};
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter([1]).stage().spawn();
    /// let mut read = numbers.subscribe().await?;
    /// assert_eq!((read.next_batch().await, read.end().is_some()), (Some(vec![1]), false));
    /// assert_eq!(read.next_batch().await, None);
    /// assert!(matches!(read.end(), Some(Reason::Normal)));
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    #[must_use]
    pub fn end(&self) -> Option<&Reason> {
        self.end.as_ref().filter(|_| self.over)
    }

    /// Makes a failure of the producer the last item, instead of a panic.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Reason, from_iter};
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..).stage().label("numbers").spawn();
    /// let mut read = numbers.subscribe().demand(1, 0).await?.fallible();
    /// assert!(matches!(read.next().await, Some(Ok(0))));
    /// numbers.stop(Reason::failed("no more numbers")).await;
    /// let last = read.next().await.unwrap().unwrap_err();
    /// assert_eq!(last.to_string(), "the producer `numbers` failed: no more numbers");
    /// assert!(read.next().await.is_none());
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    pub fn fallible(self) -> Fallible<Self> {
        Fallible::new(self)
    }

    /// Takes the next batch or, once, the reason why there will be none.
    pub(crate) fn poll_fallible(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Vec<T>, Reason>>> {
        self.poll_piece(cx, |batch| batch, Parcel::piece)
    }

    /// The same, to be read by reference.
    fn poll_fallible_shared(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<SharedBatch<T>, Reason>>> {
        let shared = |list: &mut Parcel<T>, limit| SharedBatch::new(list.shared_piece(limit));
        self.poll_piece(cx, |batch| SharedBatch::new(Body::Own(batch)), shared)
    }

    /// Takes the rest of a batch partly read, or the next `piece` of a list.
    fn poll_piece<B>(
        &mut self,
        cx: &mut Context<'_>,
        rest: impl FnOnce(Vec<T>) -> B,
        piece: impl FnOnce(&mut Parcel<T>, usize) -> B,
    ) -> Poll<Option<Result<B, Reason>>> {
        if self.batch.len() > 0 {
            return Poll::Ready(Some(Ok(rest(std::mem::take(&mut self.batch).collect()))));
        }
        Poll::Ready(match ready!(self.poll_list(cx)) {
            Some(Ok(())) => self.cut(piece).map(Ok),
            Some(Err(reason)) => Some(Err(reason)),
            None => None,
        })
    }

    /// Waits until there is a list to cut the next batch off or, once, says why there will be none.
    fn poll_list(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(), Reason>>> {
        if self.over {
            return Poll::Ready(None);
        }
        self.ask_again();
        while self.list.as_ref().is_none_or(Parcel::is_read) {
            self.list = None;
            match ready!(self.inbox.poll_next(cx)) {
                ToReader::Items(id, parcel) => {
                    self.counts = id == self.id();
                    self.list = Some(parcel);
                }
                ToReader::End(id, reason) if id == self.id() => {
                    return Poll::Ready(self.ended(reason).map(Err));
                }
                // The end of a subscription that was replaced.
                ToReader::End(..) => {}
            }
        }
        Poll::Ready(Some(Ok(())))
    }

    /// Takes note of the end; returns why reading fails, if it does.
    fn ended(&mut self, reason: Reason) -> Option<Reason> {
        if let Some(link) = self.link.take() {
            link.forget();
        }
        self.over = true;
        self.end = Some(reason.clone());
        let told =
            self.cancelled || reason.is_clean() || self.upstream.cancel_mode() == CancelMode::Temporary;
        if told { None } else { Some(reason) }
    }

    /// Cuts the next batch off the list.
    fn cut<B>(&mut self, piece: impl FnOnce(&mut Parcel<T>, usize) -> B) -> Option<B> {
        let list = self.list.as_mut()?;
        let length = list.len();
        let automatic = self.upstream.mode() == AskMode::Automatic;
        let limit = if automatic { self.ledger.piece(length) } else { length };
        let batch = piece(list, limit);
        if self.counts {
            self.reading = limit - self.upstream.came(limit);
        }
        Some(batch)
    }

    /// Counts the last batch as handled, and asks for more if open demand is down to `min`; for `max` at first.
    fn ask_again(&mut self) {
        let items = std::mem::take(&mut self.reading);
        if let (Some(link), false, AskMode::Automatic) = (&self.link, self.cancelled, self.upstream.mode()) {
            if items > 0 || self.ledger.wanted() == 0 {
                link.ask(self.ledger.handled(items));
            }
        }
    }

    pub(super) fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Reason>>> {
        loop {
            if let Some(item) = self.batch.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            match ready!(self.poll_fallible(cx)) {
                Some(Ok(batch)) => self.batch = batch.into_iter(),
                Some(Err(reason)) => return Poll::Ready(Some(Err(reason))),
                None => return Poll::Ready(None),
            }
        }
    }
}

/// Sends a subscription to its producer.
fn connect<T: Send + 'static>(
    request: Request<T>,
    door: &Door<ToReader<T>>,
    replaces: Option<Replaced>,
    answer: Option<Answer>,
) -> (Upstream, Link) {
    let Request { upstream, mut link, open } = request;
    // A reader that goes has not failed: it has read enough.
    link.on_drop(EndKind::Cancelled, Reason::Normal);
    open(
        Port::new(upstream.id(), upstream.terms_and_tally(), None, Box::new(door.clone())),
        replaces,
        answer,
    );
    (upstream, link)
}

impl<T: Send + 'static> Stream for Subscription<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if let Some(item) = self.batch.next() {
            return Poll::Ready(Some(item));
        }
        self.poll_item(cx).map(|item| match item? {
            Ok(item) => Some(item),
            Err(reason) => self.upstream.raise(&reason),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let held = self.batch.len() + self.list.as_ref().map_or(0, Parcel::len);
        (held, self.over.then_some(held))
    }
}

impl<T: Send + 'static> FusedStream for Subscription<T> {
    fn is_terminated(&self) -> bool {
        self.over && self.batch.len() == 0
    }
}

// Items are owned, never pinned.
impl<T> Unpin for Subscription<T> {}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("upstream", &self.upstream)
            .field("wanted", &self.ledger.wanted())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
