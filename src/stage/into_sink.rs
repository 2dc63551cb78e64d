use super::behaviour::Behaviour;
use super::driver::Driver;
use super::ends::{Link, Port, Upward};
use super::handle::ConsumerHandle;
use super::inbox::{Door, Inbox};
use super::reason::{EndKind, Reason};
use super::request::Request;
use super::setup::Setup;
use super::status::Status;
use super::tally::{SubscriptionTally, Tally};
use super::terms::Terms;
use super::upstream::Upstream;
use super::wrappers::AsConsumer;
use crate::demand::Demand;
use crate::dispatch::{Body, ByDemand, StageId, SubscriptionId};
use futures_sink::Sink;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::oneshot;

/// A consumer as a sink, run by being polled: without a task.
///
/// Made by [`Consumer::into_sink`](super::Consumer::into_sink).
///
/// # Demand
/// The sink is ready while the consumer wants items: at most `max_demand` are on their way. The consumer gets them in
/// batches of `max_demand - min_demand`, and what there is when the sink is flushed.
///
/// # Errors
/// The [`Reason`] the consumer ended with, unless closing the sink ended it cleanly. The error is final.
///
/// # Drop
/// Drops the consumer, as it is. Items still in the sink are dropped with it.
///
/// # Examples
/// ```
/// use futures::{SinkExt, StreamExt, stream};
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{Control, StageError, Upstream};
/// use std::sync::{Arc, Mutex};
///
/// struct Sums(Arc<Mutex<Vec<u64>>>);
/// impl Consumer for Sums {
///     type Input = u64;
///     async fn handle_items(&mut self, items: Vec<u64>, _: &Upstream, _: &mut Control) -> Result<(), StageError> {
///         self.0.lock().unwrap().push(items.iter().sum());
///         Ok(())
///     }
/// }
///
/// # futures::executor::block_on(async {
/// let sums = Arc::default();
/// let sink = Sums(Arc::clone(&sums)).into_sink().demand(4, 1);
/// stream::iter(1..=5).map(Ok).forward(sink).await.expect("it does not fail");
/// assert_eq!(*sums.lock().unwrap(), [1 + 2 + 3, 4, 5]);
/// # });
/// ```
///
/// The last two come one by one: when the sink was given 4, only one more item was asked for.
#[must_use = "sinks do nothing unless they are polled"]
pub struct IntoSink<T> {
    state: WriterState<T>,
}

enum WriterState<T> {
    /// Its demand may still be set.
    Planned(Box<dyn FnOnce(Demand) -> RunningWriter<T> + Send>, Demand),
    Running(RunningWriter<T>),
    Closing(RunningWriter<T>),
    /// With the reason of a consumer that ended by itself.
    Ended(Option<Reason>),
    /// Between two states.
    Moving,
}

struct RunningWriter<T> {
    driver: Driver,
    handle: Box<dyn Peer>,
    asks: Inbox<ToSink<T>>,
    port: Option<Port<T>>,
    /// Items that the consumer wants in addition to those in `batch`.
    demand: usize,
    batch: Vec<T>,
    size: usize,
    tally: Arc<Tally>,
    /// Answered when all items before it have been handled.
    flushing: Option<oneshot::Receiver<Status>>,
}

/// The handle of the consumer, with the type of its messages hidden.
trait Peer: Send {
    fn post_status(&self) -> oneshot::Receiver<Status>;
    fn end(&self) -> Reason;
}

impl<T: Send + 'static, M: Send + 'static> Peer for ConsumerHandle<T, M> {
    fn post_status(&self) -> oneshot::Receiver<Status> {
        Self::post_status(self)
    }

    fn end(&self) -> Reason {
        self.ended_with().unwrap_or(Reason::Aborted)
    }
}

/// What a consumer says to the sink in front of it.
enum ToSink<T> {
    Opened(Port<T>),
    Ask(usize),
    Cancel(Reason),
}

struct SinkEnd<T>(Door<ToSink<T>>);

impl<T: Send> Upward for SinkEnd<T> {
    fn ask(&self, _: SubscriptionId, demand: usize) {
        let _ = self.0.put(ToSink::Ask(demand));
    }

    fn cancel(&self, _: SubscriptionId, _: EndKind, reason: Reason) {
        let _ = self.0.put(ToSink::Cancel(reason));
    }
}

impl<T: Send + 'static> IntoSink<T> {
    pub(super) fn new<C, M>(setup: Setup<AsConsumer<C, M>, ByDemand>) -> Self
    where
        AsConsumer<C, M>: Behaviour<Input = T, Item = Infallible, Message = M>,
        C: 'static,
        M: Send + 'static,
    {
        let start = Box::new(|demand| RunningWriter::start(setup, demand));
        Self { state: WriterState::Planned(start, Demand::default()) }
    }

    /// Sets the bounds of the demand of this sink, in items: `max` at least 1, `min` below `max`; by default 1000 and
    /// 500.
    ///
    /// # Panics
    /// When the bounds are out of their ranges, or the sink is in use already.
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
    /// When the sink is in use already.
    #[track_caller]
    pub fn with_demand(mut self, demand: Demand) -> Self {
        match &mut self.state {
            WriterState::Planned(_, planned) => *planned = demand,
            _ => panic!("the demand of a sink must be said before it is used"),
        }
        self
    }

    /// Starts the consumer if it was not started; fails if it has ended.
    fn running(&mut self) -> Result<&mut RunningWriter<T>, Reason> {
        if matches!(self.state, WriterState::Planned(..)) {
            if let WriterState::Planned(start, demand) =
                std::mem::replace(&mut self.state, WriterState::Moving)
            {
                self.state = WriterState::Running(start(demand));
            }
        }
        match &mut self.state {
            WriterState::Running(running) | WriterState::Closing(running) => Ok(running),
            WriterState::Ended(reason) => Err(reason.clone().unwrap_or(Reason::Normal)),
            WriterState::Planned(..) | WriterState::Moving => unreachable!("it was started above"),
        }
    }

    /// Ends the sink for good, with the reason the consumer ended with.
    fn fail<R>(&mut self, reason: Reason) -> Poll<Result<R, Reason>> {
        self.state = WriterState::Ended(Some(reason.clone()));
        Poll::Ready(Err(reason))
    }
}

impl<T: Send + 'static> RunningWriter<T> {
    fn start<C, M>(setup: Setup<AsConsumer<C, M>, ByDemand>, demand: Demand) -> Self
    where
        AsConsumer<C, M>: Behaviour<Input = T, Item = Infallible, Message = M>,
        C: 'static,
        M: Send + 'static,
    {
        let (door, asks) = Inbox::new();
        let id = SubscriptionId::next();
        let producer: Arc<dyn Upward> = Arc::new(SinkEnd(door.clone()));
        let (terms, tally) = (Terms { bounds: demand, ..Terms::default() }, Arc::<Tally>::default());
        let sent = SubscriptionTally::new(&tally);
        let upstream = Upstream::new(id, Arc::from("a sink"), terms, (Arc::clone(&producer), None), sent);
        let open = Box::new(move |port, _, _| {
            let _ = door.put(ToSink::Opened(port));
        });
        let request = Request { upstream, link: Link::new(id, StageId::next(), producer, None), open };
        let (handle, driver) = setup.reading(request).into_parts();
        Self {
            driver,
            handle: Box::new(handle),
            asks,
            port: None,
            demand: 0,
            batch: Vec::new(),
            size: demand.batch(),
            tally,
            flushing: None,
        }
    }

    /// Runs the consumer as far as it gets. `Err`: it has ended.
    fn poll_consumer(&mut self, cx: &mut Context<'_>) -> Result<(), Reason> {
        if Pin::new(&mut self.driver).poll(cx).is_ready() {
            return Err(self.handle.end());
        }
        let mut cancelled = false;
        while let Poll::Ready(told) = self.asks.poll_next(cx) {
            match told {
                ToSink::Opened(mut port) => {
                    port.accept();
                    self.port = Some(port);
                }
                ToSink::Ask(demand) => self.demand = self.demand.saturating_add(demand),
                // Confirmed, as a producer would; that ends the consumer.
                ToSink::Cancel(reason) => {
                    self.demand = 0;
                    cancelled = true;
                    if let Some(port) = self.port.take() {
                        port.end(EndKind::Cancelled, reason);
                    }
                }
            }
        }
        if cancelled { self.poll_consumer(cx) } else { Ok(()) }
    }

    fn send_batch(&mut self) {
        if let (Some(port), false) = (&self.port, self.batch.is_empty()) {
            let batch = std::mem::take(&mut self.batch);
            self.tally.add_emitted(batch.len());
            port.send(Body::Own(batch));
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        if self.flushing.is_none() {
            // The port to the consumer comes only when the consumer is polled for the first time.
            self.poll_consumer(cx)?;
            self.send_batch();
            self.flushing = Some(self.handle.post_status());
        }
        self.poll_consumer(cx)?;
        if let Some(flushing) = &mut self.flushing {
            let handled = ready!(Pin::new(flushing).poll(cx));
            self.flushing = None;
            return Poll::Ready(handled.map(drop).map_err(|_| self.handle.end()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Send + 'static> Sink<T> for IntoSink<T> {
    type Error = Reason;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        let running = self.running()?;
        loop {
            if running.demand > 0 {
                return Poll::Ready(Ok(()));
            }
            let waiting = running.batch.len();
            running.send_batch();
            if let Err(reason) = running.poll_consumer(cx) {
                return self.fail(reason);
            }
            if running.demand == 0 && waiting == 0 {
                return Poll::Pending;
            }
        }
    }

    fn start_send(mut self: Pin<&mut Self>, item: T) -> Result<(), Reason> {
        let running = self.running()?;
        assert!(running.demand > 0, "start_send on a sink that has not said that it is ready");
        running.demand -= 1;
        running.flushing = None;
        running.batch.push(item);
        if running.batch.len() == running.size || running.demand == 0 {
            running.send_batch();
        }
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        match ready!(self.running()?.poll_flush(cx)) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(reason) => self.fail(reason),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        if let WriterState::Ended(None) = self.state {
            return Poll::Ready(Ok(()));
        }
        self.running()?;
        if matches!(self.state, WriterState::Running(_)) {
            if let Err(reason) = ready!(self.running()?.poll_flush(cx)) {
                return self.fail(reason);
            }
            if let WriterState::Running(mut running) = std::mem::replace(&mut self.state, WriterState::Moving)
            {
                if let Some(port) = running.port.take() {
                    port.end(EndKind::Down, Reason::Normal);
                }
                self.state = WriterState::Closing(running);
            }
        }
        let running = self.running()?;
        ready!(Pin::new(&mut running.driver).poll(cx));
        let reason = running.handle.end();
        if !reason.is_clean() {
            return self.fail(reason);
        }
        self.state = WriterState::Ended(None);
        Poll::Ready(Ok(()))
    }
}

// The driver is boxed.
impl<T> Unpin for IntoSink<T> {}

impl<T> fmt::Debug for IntoSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            WriterState::Planned(..) => "planned",
            WriterState::Running(_) => "running",
            WriterState::Closing(_) => "closing",
            WriterState::Ended(_) => "ended",
            WriterState::Moving => "moving",
        };
        f.debug_struct("IntoSink").field("state", &state).finish_non_exhaustive()
    }
}
