use super::driver::Driver;
use super::fallible::{Fallible, failing};
use super::reason::Reason;
use super::request::Request;
use super::subscription::Subscription;
use crate::demand::Demand;
use futures_core::{FusedStream, Stream};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

/// One or more stages in a row, read as a stream and run by being polled: without a task.
///
/// Made by [`Producer::into_stream`](super::Producer::into_stream) and
/// [`ProducerConsumer::through`](super::ProducerConsumer::through).
///
/// # Demand
/// Polling is demand: the first poll asks the last stage for `max_demand` items, and so on as in a
/// [`Subscription`]. The stages do exactly what they do as tasks.
///
/// # Panics
/// Reading panics when a stage fails: with the panic of the stage, or with its name and error in the message.
/// [`fallible`](Self::fallible) turns failures into items.
///
/// # Cancel safety
/// Dropping a future that waits for the next item or batch loses nothing.
///
/// # Drop
/// Drops the stages, as they are.
///
/// # Examples
/// ```
/// use futures::StreamExt;
/// use gen_stage::prelude::*;
/// use gen_stage::stage::from_iter;
///
/// # futures::executor::block_on(async {
/// let mut numbers = from_iter(0..8).into_stream().demand(5, 2);
/// assert_eq!(numbers.next_batch().await, Some(vec![0, 1, 2]));
/// assert_eq!(numbers.next_batch().await, Some(vec![3, 4]));
/// assert_eq!(numbers.collect::<Vec<_>>().await, [5, 6, 7]);
/// # });
/// ```
#[must_use = "streams do nothing until they are polled"]
pub struct IntoStream<T> {
    /// Dropped before `end`, the source first.
    pub(super) drivers: Vec<Driver>,
    end: ReadingEnd<T>,
}

/// The reading end: subscribed at the first poll.
#[allow(clippy::large_enum_variant, reason = "it is the larger one from the first poll on")]
enum ReadingEnd<T> {
    Planned(Option<Box<Request<T>>>),
    Reading(Subscription<T>),
}

impl<T: Send + 'static> ReadingEnd<T> {
    fn reading(&mut self) -> &mut Subscription<T> {
        if let Self::Planned(request) = self {
            let request = request.take().expect("it is there until the first poll");
            *self = Self::Reading(Subscription::open(*request, None));
        }
        match self {
            Self::Reading(subscription) => subscription,
            Self::Planned(_) => unreachable!("it was made a subscription above"),
        }
    }
}

impl<T: Send + 'static> IntoStream<T> {
    pub(super) fn new(request: Request<T>, drivers: Vec<Driver>) -> Self {
        Self { drivers, end: ReadingEnd::Planned(Some(Box::new(request))) }
    }

    #[track_caller]
    pub(super) fn planned(&mut self, change: &str) -> &mut Option<Box<Request<T>>> {
        match &mut self.end {
            ReadingEnd::Planned(request) => request,
            ReadingEnd::Reading(_) => panic!("{change} must be said before the stream is read from"),
        }
    }

    /// Sets the bounds of the demand with which the last stage is read: `max` at least 1, `min` below `max`; by default
    /// 1000 and 500 items.
    ///
    /// Called before [`through`](Self::through), it sets the demand of the next stage.
    ///
    /// # Panics
    /// When the bounds are out of their ranges, or the stream was polled already.
    ///
    /// # Examples
    /// See [`IntoStream`].
    #[track_caller]
    pub fn demand(self, max: usize, min: usize) -> Self {
        match Demand::new(max, min) {
            Ok(demand) => self.with_demand(demand),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sets the demand; see [`demand`](Self::demand).
    ///
    /// # Panics
    /// When the stream was polled already.
    #[track_caller]
    pub fn with_demand(mut self, demand: Demand) -> Self {
        if let Some(request) = self.planned("its demand") {
            request.upstream.set_demand(demand);
        }
        self
    }

    /// Takes the next batch.
    ///
    /// # Panics
    /// As reading by items does.
    ///
    /// # Cancel safety
    /// A batch is returned or still there.
    ///
    /// # Examples
    /// See [`IntoStream`].
    pub async fn next_batch(&mut self) -> Option<Vec<T>> {
        poll_fn(|cx| self.poll_batch(cx)).await
    }

    /// Takes the next batch; see [`next_batch`](Self::next_batch).
    ///
    /// # Panics
    /// As reading by items does.
    pub fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<T>>> {
        self.poll_with(cx, Subscription::poll_batch)
    }

    /// Why the last stage has ended, once the end was read; `None` before.
    #[must_use]
    pub fn end(&self) -> Option<&Reason> {
        match &self.end {
            ReadingEnd::Planned(_) => None,
            ReadingEnd::Reading(subscription) => subscription.end(),
        }
    }

    /// Makes a failure of a stage the last item, instead of a panic.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Output, StageError};
    ///
    /// struct Broken;
    /// impl Producer for Broken {
    ///     type Item = u32;
    ///     async fn handle_demand(&mut self, _: usize, out: &mut Output<u32>) -> Result<(), StageError> {
    ///         out.push(1);
    ///         Err("out of paper".into())
    ///     }
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let broken = Broken.stage().label("printer").into_stream().fallible();
    /// let read: Vec<_> = broken.map(|item| item.map_err(|reason| reason.to_string())).collect().await;
    /// assert_eq!(read, [Ok(1), Err("the producer `printer` failed: out of paper".into())]);
    /// # });
    /// ```
    pub fn fallible(self) -> Fallible<Self> {
        Fallible::new(self)
    }

    /// Reads; runs the stages if there is nothing to read; and reads what they made.
    fn poll_with<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(&mut Subscription<T>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let subscription = self.end.reading();
        if let Poll::Ready(read) = read(subscription, cx) {
            return Poll::Ready(read);
        }
        // A letter to a stage that was polled earlier wakes this task, and so all are polled again.
        self.drivers.retain_mut(|driver| Pin::new(driver).poll(cx).is_pending());
        read(subscription, cx)
    }
}

impl<T: Send + 'static> Stream for Fallible<IntoStream<T>> {
    type Item = Result<T, Reason>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.inner.poll_with(cx, Subscription::poll_item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        failing(self.inner.size_hint(), self.inner.is_terminated())
    }
}

impl<T: Send + 'static> FusedStream for Fallible<IntoStream<T>> {
    fn is_terminated(&self) -> bool {
        self.inner.is_terminated()
    }
}

impl<T: Send + 'static> Fallible<IntoStream<T>> {
    /// Takes the next batch, or the failure of a stage, after which there is nothing more.
    ///
    /// # Cancel safety
    /// A batch is returned or still there.
    pub async fn next_batch(&mut self) -> Option<Result<Vec<T>, Reason>> {
        poll_fn(|cx| self.inner.poll_with(cx, Subscription::poll_fallible)).await
    }
}

impl<T: Send + 'static> Stream for IntoStream<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_with(cx, |subscription, cx| Pin::new(subscription).poll_next(cx))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.end {
            ReadingEnd::Planned(_) => (0, None),
            ReadingEnd::Reading(subscription) => subscription.size_hint(),
        }
    }
}

impl<T: Send + 'static> FusedStream for IntoStream<T> {
    fn is_terminated(&self) -> bool {
        matches!(&self.end, ReadingEnd::Reading(subscription) if subscription.is_terminated())
    }
}

// The drivers are boxed.
impl<T> Unpin for IntoStream<T> {}

impl<T> fmt::Debug for IntoStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoStream").field("stages", &self.drivers.len()).finish_non_exhaustive()
    }
}
