use super::address::Address;
use super::alone::IntoStream;
use super::behaviour::{Behaviour, Emits, Receives};
use super::buffer::BufferKeep;
use super::core::{Parts, StageCore};
use super::downstream::{BufferOptions, Downstream};
use super::driver::{Driver, drive};
use super::handle::{Handle, RunningStage};
use super::letter::Mailbox;
use super::output::{Control, Output};
use super::request::Request;
use super::role::{Consuming, Produces, Producing, Role, Transforming};
use super::status::{StageKind, StageRef};
use super::subscribe::Subscribe;
use super::tally::Tally;
use super::terms::DemandMode;
use super::wrappers::{AsConsumer, AsProducer, AsProducerConsumer};
use crate::dispatch::{Dispatcher, StageId};
use std::fmt;
use std::sync::Arc;
use tokio::runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How many items a producer buffers by default.
const BUFFER_SIZE: usize = 10_000;
/// How many messages wait for a stage by default.
const MAILBOX_SIZE: usize = 1000;

/// A stage that is being set up: its options, and then how to run it.
///
/// Made by [`Producer::stage`](super::Producer::stage), [`ProducerConsumer::stage`](super::ProducerConsumer::stage) and
/// [`Consumer::stage`](super::Consumer::stage).
///
/// # Examples
/// ```
/// use gen_stage::dispatch::Broadcast;
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{BufferKeep, from_iter};
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..10)
///     .stage()
///     .label("numbers")
///     .dispatcher(Broadcast::new())
///     .buffer(100, BufferKeep::First)
///     .spawn();
/// let read: Vec<u32> = numbers.subscribe().await?.collect().await;
/// assert_eq!(read.len(), 10);
/// # use futures::StreamExt;
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # });
/// ```
///
/// # Source
/// The options that `init` returns, and those of `start_link`.
#[must_use = "a stage does nothing until it is spawned or polled"]
pub struct Setup<B: Behaviour, D> {
    behaviour: B,
    dispatcher: D,
    buffer: BufferOptions,
    mode: DemandMode,
    mailbox: usize,
    label: Option<Arc<str>>,
    subscribe_to: Vec<Request<B::Input>>,
    stop_when_alone: bool,
    runtime: Option<runtime::Handle>,
}

/// The role of a stage, which depends on its dispatcher.
#[doc(hidden)]
pub trait HasRole<D>: Behaviour {
    type Role: Role<Input = Self::Input, Item = Self::Item>;
}

impl<S, M, D> HasRole<D> for AsProducer<S, M>
where
    Self: Behaviour<Input = std::convert::Infallible>,
    D: Dispatcher<Self::Item>,
{
    type Role = Producing<Self::Item, D::Options>;
}

impl<S, M, D> HasRole<D> for AsProducerConsumer<S, M>
where
    Self: Behaviour,
    D: Dispatcher<Self::Item>,
{
    type Role = Transforming<Self::Input, Self::Item, D::Options>;
}

impl<S, M, D> HasRole<D> for AsConsumer<S, M>
where
    Self: Behaviour<Item = std::convert::Infallible>,
{
    type Role = Consuming<Self::Input>;
}

impl<B: Behaviour, D> Setup<B, D> {
    pub(super) fn new(behaviour: B, dispatcher: D) -> Self {
        let size = (B::KIND == StageKind::Producer).then_some(BUFFER_SIZE);
        Self {
            behaviour,
            dispatcher,
            buffer: BufferOptions { size, keep: BufferKeep::default() },
            mode: DemandMode::Forward,
            mailbox: MAILBOX_SIZE,
            label: None,
            subscribe_to: Vec::new(),
            stop_when_alone: false,
            runtime: None,
        }
    }

    /// Names the stage in errors, in logs and in the status of its consumers; by default after its type.
    ///
    /// # Examples
    /// See [`Setup`].
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Sets how many messages wait for the stage before [`cast`](Address::cast) waits: at least 1, by default 1000.
    ///
    /// # Panics
    /// When `messages` is 0, or more than a tokio semaphore can count.
    #[track_caller]
    pub fn mailbox_size(mut self, messages: usize) -> Self {
        let most = tokio::sync::Semaphore::MAX_PERMITS;
        assert!(
            (1..=most).contains(&messages),
            "mailbox_size must be at least 1 and at most {most}, given {messages}"
        );
        self.mailbox = messages;
        self
    }

    /// Ends the stage when its last subscription has gone: the last consumer of a producer, the last producer of any
    /// other stage. By default the stage waits for new ones.
    ///
    /// With [`transient`](Subscribe::transient) subscriptions, a consumer of several producers ends, cleanly, after
    /// the last of them.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Reason, from_iter};
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter([1, 2, 3].into_iter().cycle()).stage().stop_when_alone().spawn();
    /// let read: Vec<u32> = numbers.subscribe().await?.take(5).collect().await;
    /// assert_eq!(read, [1, 2, 3, 1, 2]);
    /// assert!(matches!(numbers.wait().await, Reason::Normal));
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// `on_cancel: :stop` of `from_enumerable`; for consumers there is no such option.
    pub fn stop_when_alone(mut self) -> Self {
        self.stop_when_alone = true;
        self
    }

    /// The runtime that [`spawn`](Self::spawn) uses.
    #[track_caller]
    pub(crate) fn home(&self) -> runtime::Handle {
        self.runtime.clone().or_else(|| runtime::Handle::try_current().ok()).expect(
            "a stage needs a tokio runtime and was spawned outside of one: spawn it in `#[tokio::main]`, \
             `#[tokio::test]` or `Runtime::block_on`, name a runtime with `Setup::on`, or take `into_parts`",
        )
    }

    /// Sets the runtime that [`spawn`](Self::spawn) uses; by default the one it is called in.
    pub fn on(mut self, runtime: runtime::Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }
}

impl<B: Emits, D> Setup<B, D> {
    /// Sets which consumer gets which item; by default [`ByDemand`](crate::dispatch::ByDemand).
    ///
    /// # Examples
    /// See [`Setup`].
    pub fn dispatcher<D2: Dispatcher<B::Item>>(self, dispatcher: D2) -> Setup<B, D2> {
        let Self { behaviour, buffer, mode, mailbox, label, subscribe_to, stop_when_alone, runtime, .. } =
            self;
        Setup { behaviour, dispatcher, buffer, mode, mailbox, label, subscribe_to, stop_when_alone, runtime }
    }

    /// Sets how many items the stage buffers beyond what was asked for, and which it discards when there are more.
    ///
    /// `size` is in items, from 0. By default a producer keeps 10,000 and discards the oldest, and a producer-consumer
    /// keeps all. With size 0, items that were not asked for are discarded at once. Items that answer demand, but
    /// cannot go since their consumer has left or has to wait for others, are kept in addition to the size: demand is
    /// their bound.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{BufferKeep, Output, StageError};
    ///
    /// /// Makes ten, whatever is wanted.
    /// struct Ten;
    /// impl Producer for Ten {
    ///     type Item = u32;
    ///     async fn handle_demand(&mut self, _: usize, out: &mut Output<u32>) -> Result<(), StageError> {
    ///         out.extend(1..=10);
    ///         out.finish();
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # tokio_test::block_on(async {
    /// let mut first = Ten.stage().buffer(3, BufferKeep::First).spawn().subscribe().demand(1, 0).await?;
    /// let mut last = Ten.stage().buffer(3, BufferKeep::Last).spawn().subscribe().demand(1, 0).await?;
    /// # use futures::StreamExt;
    /// assert_eq!(first.collect::<Vec<_>>().await, [1, 2, 3, 4]);
    /// assert_eq!(last.collect::<Vec<_>>().await, [1, 8, 9, 10]);
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// The options `buffer_size` and `buffer_keep`.
    pub fn buffer(mut self, size: usize, keep: BufferKeep) -> Self {
        self.buffer = BufferOptions { size: Some(size), keep };
        self
    }

    /// Buffers all items that were not asked for, without a bound: the default of a producer-consumer.
    ///
    /// # Source
    /// `buffer_size: :infinity`.
    pub fn buffer_unbounded(mut self) -> Self {
        self.buffer.size = None;
        self
    }
}

impl<S, M, D> Setup<AsProducer<S, M>, D>
where
    AsProducer<S, M>: Behaviour,
{
    /// Starts the stage holding demand back, until [`Handle::forward`] is called.
    ///
    /// # Examples
    /// See [`Handle::forward`].
    ///
    /// # Source
    /// The option `demand: :accumulate`.
    pub fn accumulate(mut self) -> Self {
        self.mode = DemandMode::Accumulate;
        self
    }

    /// Holds demand back in any case, and says whether it would have been forwarded.
    pub(crate) fn accumulating(mut self) -> (Self, bool) {
        let mode = std::mem::replace(&mut self.mode, DemandMode::Accumulate);
        (self, mode == DemandMode::Forward)
    }
}

impl<B: Receives, D> Setup<B, D> {
    /// Subscribes to a producer when the stage is spawned, in the order given. May be called several times.
    ///
    /// The producer has the subscription as soon as [`spawn`](Self::spawn) returns; the stage asks once it runs.
    ///
    /// A producer that refuses ends the stage with [`Reason::Refused`](super::Reason::Refused), unless the
    /// subscription is temporary.
    ///
    /// # Examples
    /// See the [module](super).
    ///
    /// # Source
    /// The option `subscribe_to`.
    pub fn subscribe_to<O: Send + 'static>(mut self, to: Subscribe<B::Input, O>) -> Self {
        self.subscribe_to.push(to.into_request());
        self
    }
}

impl<B: Behaviour, D> Setup<B, D> {
    /// As `subscribe_to`, with a request that was already made.
    pub(super) fn reading(mut self, request: Request<B::Input>) -> Self {
        self.subscribe_to.push(request);
        self
    }
}

impl<B, D> Setup<B, D>
where
    B: HasRole<D, Role: Role<Options = D::Options>>,
    D: Dispatcher<B::Item>,
{
    /// Runs the stage as a task, and returns its handle.
    ///
    /// # Panics
    /// Outside of a tokio runtime, when none was [named](Self::on).
    ///
    /// # Examples
    /// See [`Setup`].
    #[track_caller]
    pub fn spawn(self) -> Handle<B::Role, B::Message> {
        let runtime = self.home();
        let (handle, driver) = self.into_parts();
        runtime.spawn(driver);
        handle
    }

    /// Returns the handle of the stage and the future that runs it, for callers that spawn or poll it themselves.
    ///
    /// # Drop
    /// Dropping the future aborts the stage.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::from_iter;
    ///
    /// # futures::executor::block_on(async {
    /// let (numbers, driver) = from_iter(0..3).stage().into_parts();
    /// let read = async { numbers.subscribe().await.unwrap().collect::<Vec<_>>().await };
    /// assert_eq!(futures::join!(read, driver).0, [0, 1, 2]);
    /// # });
    /// ```
    pub fn into_parts(self) -> (Handle<B::Role, B::Message>, Driver) {
        let Self {
            behaviour,
            dispatcher,
            buffer,
            mode,
            mailbox: size,
            label,
            subscribe_to,
            stop_when_alone,
            ..
        } = self;
        let id = StageId::next();
        let labelled = label.is_some();
        let label = label.unwrap_or_else(|| Arc::from(B::name()));
        let (mailbox, letters) = Mailbox::new();
        let address = Address::new(mailbox.clone(), size);
        let (tally, token) = (Arc::new(Tally::default()), CancellationToken::new());
        let (end, ended) = watch::channel(None);
        let running = Arc::new(RunningStage {
            id,
            label: Arc::clone(&label),
            labelled,
            kind: B::KIND,
            dispatcher: (B::KIND != StageKind::Consumer).then(bare_name::<D>),
            mailbox: Box::new(mailbox.clone()),
            address: address.clone(),
            token: token.clone(),
            ended,
            tally: Arc::clone(&tally),
        });
        let core = StageCore::new(Parts {
            behaviour,
            itself: StageRef::new(Arc::clone(&running) as _),
            label: Arc::clone(&label),
            tally: Arc::clone(&tally),
            letters,
            mailbox,
            out: Output::new(Control::new(id, Arc::clone(&label), address)),
            downstream: Downstream::new(dispatcher, buffer, mode, tally),
            subscribe_to,
            stop_when_alone,
        });
        let driver = Driver::new(&label, drive(end, token, core));
        (Handle::new(running), driver)
    }
}

/// The name of a type without its path and parameters.
fn bare_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

impl<B, D> Setup<B, D>
where
    B: HasRole<D, Role: Role<Options = D::Options> + Produces> + Emits,
    D: Dispatcher<B::Item, Options: Default>,
{
    /// Turns the stage into a stream of what one consumer gets; polling the stream runs the stage, without a task.
    ///
    /// It has no other consumers to wait for: demand is not held back, whatever was set. Its dispatcher gets no
    /// options: one that needs some, such as [`Partition`](crate::dispatch::Partition), refuses, and reading fails.
    ///
    /// # Examples
    /// See [`Producer`](super::Producer).
    pub fn into_stream(mut self) -> IntoStream<B::Item> {
        // No handle is left that could forward demand later, and there is no other consumer to wait for.
        self.mode = DemandMode::Forward;
        let (handle, driver) = self.into_parts();
        IntoStream::new(handle.subscribe().into_request(), vec![driver])
    }
}

impl<B: Behaviour, D> fmt::Debug for Setup<B, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("label", &self.label)
            .field("buffer", &self.buffer)
            .field("mode", &self.mode)
            .field("mailbox", &self.mailbox)
            .field("stop_when_alone", &self.stop_when_alone)
            .finish_non_exhaustive()
    }
}
