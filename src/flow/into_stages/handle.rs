use crate::flow::report::{FlowEnd, FlowError, FlowReport};
use crate::flow::start::shutdown::{RunClock, or_abort};
use crate::stage::{ProducerHandle, Reads, Reason, Subscribe};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// The handle of a flow that is a producer: subscribes to it, waits for it, shuts it down. Cheap to clone.
///
/// # Drop
/// As for any stage: the flow lives as long as a handle of it or a subscription to it. [`detach`](Self::detach) lets it
/// live on without them. This handle holds handles of the consumers the flow was given, and so keeps them alive too: to
/// let them outlive it, hold handles of your own.
///
/// # Examples
/// ```
/// use futures::{StreamExt, stream};
/// use gen_stage::flow::FlowEnd;
/// use gen_stage::prelude::*;
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let silent = stream::iter(0..5).chain(stream::pending());
/// let sums = silent.flow().lanes(1).reduce(|| 0, |sum, n| *sum += n).emit_state();
/// let sums = sums.into_stage().await?;
/// let late = tokio::spawn(sums.subscribe().await?.collect::<Vec<u32>>());
/// tokio::time::sleep(Duration::from_secs(1)).await;
///
/// let report = sums.shutdown(Duration::from_secs(5)).await;
/// assert!(matches!(report.end, Ok(FlowEnd::Drained)));
/// assert_eq!((report.taken, late.await.unwrap()), (5, vec![10]));
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "the stage that the flow has become is aborted when this is dropped"]
pub struct StagesHandle<T: Send + 'static, O: Send + 'static = ()> {
    stage: ProducerHandle<T, O>,
    /// Held because these may be the only handles of the consumers.
    consumers: Arc<[Box<dyn Reads<T>>]>,
    run_clock: Arc<RunClock>,
}

impl<T: Send + 'static, O: Send + 'static> StagesHandle<T, O> {
    pub(in crate::flow) fn new(
        stage: ProducerHandle<T, O>,
        consumers: Arc<[Box<dyn Reads<T>>]>,
        run_clock: Arc<RunClock>,
    ) -> Self {
        Self { stage, consumers, run_clock }
    }

    /// The stage that the flow has become, for its status and counts.
    ///
    /// Ending the stage by that handle ends the flow where it is: with [`FlowError::Stopped`], after an abort with
    /// [`FlowError::Aborted`].
    pub fn stage(&self) -> &ProducerHandle<T, O> {
        &self.stage
    }

    /// Begins a subscription; see [`Handle::subscribe`](crate::stage::Handle::subscribe).
    pub fn subscribe(&self) -> Subscribe<T, O>
    where
        O: Default,
    {
        self.stage.subscribe()
    }

    /// Holds demand back; see [`Handle::accumulate`](crate::stage::Handle::accumulate).
    ///
    /// # Source
    /// The option `demand: :accumulate` of `start_link`.
    pub fn accumulate(&self) {
        self.stage.accumulate();
    }

    /// Passes on the demand that was held back; see [`Handle::forward`](crate::stage::Handle::forward).
    pub fn forward(&self) {
        self.stage.forward();
    }

    /// Waits until the flow has ended and everything it made has gone out.
    ///
    /// # Errors
    /// [`FlowError`] when it did not come to its end.
    ///
    /// # Cancel safety
    /// Waiting changes nothing.
    ///
    /// # Examples
    /// See [`Flow::into_stages`](crate::Flow::into_stages).
    pub fn wait(&self) -> impl Future<Output = Result<FlowReport, FlowError>> + Send + use<T, O> {
        let handle = self.clone();
        async move { handle.report(handle.stage.wait().await).into_result() }
    }

    /// Waits until the flow has come to its own end and everything it made has gone out, and aborts what is left after
    /// `deadline`.
    ///
    /// As [`FlowHandle::drain`](crate::flow::FlowHandle::drain): the sources are read on to their ends. Demand that was
    /// held back is passed on.
    ///
    /// # Panics
    /// When the timers of the flow's runtime are disabled.
    ///
    /// # Cancel safety
    /// The deadline counts from the call, and is kept only while this is polled.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, channel::mpsc};
    /// use gen_stage::flow::FlowEnd;
    /// use gen_stage::prelude::*;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let (sender, receiver) = mpsc::unbounded();
    /// let doubled = receiver.flow().map(|n: u64| n * 2).into_stage().await?;
    /// let reader = doubled.subscribe().await?;
    /// sender.unbounded_send(21).unwrap();
    /// drop(sender);
    /// let (report, got) = futures::join!(doubled.drain(Duration::from_secs(5)), reader.collect::<Vec<_>>());
    /// assert!(matches!(report.end, Ok(FlowEnd::Finished)));
    /// assert_eq!(got, [42]);
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # }).unwrap();
    /// ```
    pub fn drain(&self, deadline: Duration) -> impl Future<Output = FlowReport> + Send + use<T, O> {
        let handle = self.clone();
        let deadline = self.run_clock.sleep(deadline);
        self.stage.forward();
        async move {
            let reason = or_abort(handle.stage.wait(), deadline, || handle.abort()).await;
            handle.report(reason)
        }
    }

    /// Shuts the flow down: ends its sources, lets everything that was taken go out to the subscribers that ask for it,
    /// ends the stage, and aborts what is left after `deadline`.
    ///
    /// Demand that was held back is passed on. A flow that was never asked for anything ends at once. If no subscriber
    /// asks any more, what is in the lanes waits for the deadline.
    ///
    /// A second call changes nothing about the first: the earlier deadline counts.
    ///
    /// # Panics
    /// When the timers of the flow's runtime are disabled.
    ///
    /// # Cancel safety
    /// The call itself ends the sources. The deadline counts from the call, and is kept only while this is polled.
    ///
    /// # Examples
    /// See [`StagesHandle`].
    pub fn shutdown(&self, deadline: Duration) -> impl Future<Output = FlowReport> + Send + use<T, O> {
        let handle = self.clone();
        let deadline = self.run_clock.sleep(deadline);
        self.run_clock.request_stop();
        self.stage.forward();
        async move {
            let reason = or_abort(handle.stage.wait(), deadline, || handle.abort()).await;
            handle.report(reason)
        }
    }

    /// Drops the flow where it is; see [`Handle::abort`](crate::stage::Handle::abort).
    pub fn abort(&self) {
        self.stage.abort();
    }

    /// Whether the flow has ended and everything it made has gone out.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.stage.has_ended()
    }

    /// Lets the flow live on without handles and subscriptions, until it ends; see
    /// [`Handle::detach`](crate::stage::Handle::detach).
    pub fn detach(self) {
        self.stage.detach();
    }

    fn report(&self, reason: Reason) -> FlowReport {
        let end: Result<FlowEnd, FlowError> = match reason {
            Reason::Normal if self.run_clock.meter.is_complete() => Ok(self.run_clock.end()),
            Reason::Panicked(panic) => Err(FlowError::Panicked(panic)),
            Reason::Aborted => Err(FlowError::Aborted),
            other => Err(FlowError::Stopped(other)),
        };
        let (report, counts) = (self.run_clock.report(end), self.stage.counts());
        FlowReport {
            discarded: report.discarded + counts.discarded,
            undelivered: counts.undelivered,
            ..report
        }
    }
}

impl<T: Send + 'static, O: Send + 'static> Clone for StagesHandle<T, O> {
    fn clone(&self) -> Self {
        Self {
            stage: self.stage.clone(),
            consumers: Arc::clone(&self.consumers),
            run_clock: Arc::clone(&self.run_clock),
        }
    }
}

impl<T: Send + 'static, O: Send + 'static> fmt::Debug for StagesHandle<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StagesHandle")
            .field("stage", &self.stage)
            .field("consumers", &self.consumers.len())
            .finish_non_exhaustive()
    }
}
