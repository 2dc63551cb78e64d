use super::PATIENCE;
use super::link::{ProbeLink, Seen};
use futures_sink::Sink;
use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Makes a sink that takes what its probe asks for, and not an item more.
///
/// # Examples
/// ```
/// use futures::{SinkExt, StreamExt, stream};
/// use gen_stage::testing::test_sink;
///
/// # tokio_test::block_on(async {
/// let (sink, mut probe) = test_sink();
/// let writing = tokio::spawn(stream::iter([1, 2, 3]).map(Ok).forward(sink));
/// probe.request(2);
/// probe.expect_next(1).await;
/// probe.expect_next(2).await;
/// probe.request(5);
/// probe.expect_next(3).await;
/// probe.expect_end().await;
/// assert_eq!(writing.await.unwrap(), Ok(()));
/// # });
/// ```
pub fn test_sink<T>() -> (TestSink<T>, SinkProbe<T>) {
    let shared = ProbeLink::new(ProbedSink {
        items: VecDeque::new(),
        requested: 0,
        closed: false,
        cancelled: false,
        dropped: false,
    });
    (TestSink(shared.clone()), SinkProbe { shared, patience: PATIENCE })
}

/// The sink of [`test_sink`].
///
/// # Errors
/// [`SinkCancelled`] once the probe has [cancelled](SinkProbe::cancel), or was dropped.
///
/// # Examples
/// See [`test_sink`].
#[must_use = "sinks do nothing unless polled"]
pub struct TestSink<T>(ProbeLink<ProbedSink<T>>);

/// Asks a [`TestSink`] for items, and looks at those that come.
///
/// What it waits for, it waits for a second of tokio's clock, unless [`patience`](Self::patience) says otherwise; if that
/// passes in vain, it panics, and says what it has seen.
///
/// # Examples
/// See [`test_sink`].
#[must_use = "a sink whose probe is dropped is cancelled"]
pub struct SinkProbe<T> {
    shared: ProbeLink<ProbedSink<T>>,
    patience: Duration,
}

/// The probe of a [`TestSink`] takes no more items.
///
/// # Examples
/// See [`SinkProbe::cancel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the test sink was cancelled")]
pub struct SinkCancelled;

struct ProbedSink<T> {
    /// Written, and not looked at yet.
    items: VecDeque<T>,
    /// Asked for, and not written yet.
    requested: usize,
    closed: bool,
    cancelled: bool,
    dropped: bool,
}

impl<T> ProbedSink<T> {
    /// Whether an item has come, or none will.
    fn has_come(&self) -> bool {
        !self.items.is_empty() || self.closed || self.dropped
    }
}

impl<T> Seen for ProbedSink<T> {
    fn seen(&self) -> String {
        let end = match self {
            Self { closed: true, .. } => ", and it was closed",
            Self { dropped: true, .. } => ", and it was dropped without being closed",
            _ => "",
        };
        format!("{} items wait in the sink, {} more are asked for{end}", self.items.len(), self.requested)
    }
}

impl<T> SinkProbe<T> {
    /// Waits for `time` at most, by tokio's clock, in each method that waits; by default a second.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::testing::test_sink;
    /// use std::time::Duration;
    ///
    /// let (_sink, probe) = test_sink::<u32>();
    /// let _probe = probe.patience(Duration::from_secs(60));
    /// ```
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// Lets the sink take `items` more.
    ///
    /// # Examples
    /// See [`test_sink`].
    pub fn request(&self, items: usize) {
        self.shared.tell_other(|state| state.requested = state.requested.saturating_add(items));
    }

    /// Waits for the next item. It has to be [asked for](Self::request).
    ///
    /// # Panics
    /// When none comes in time, or none will come any more.
    ///
    /// # Cancel safety
    /// An item is returned or still there.
    ///
    /// # Examples
    /// ```
    /// use futures::SinkExt;
    /// use gen_stage::testing::test_sink;
    ///
    /// # tokio_test::block_on(async {
    /// let (mut sink, mut probe) = test_sink();
    /// probe.request(1);
    /// sink.send("a long story".to_owned()).await?;
    /// assert!(probe.expect_item().await.contains("story"));
    /// # Ok::<(), gen_stage::testing::SinkCancelled>(())
    /// # });
    /// ```
    #[track_caller]
    pub fn expect_item(&mut self) -> impl Future<Output = T> {
        let caller = Location::caller();
        async move {
            self.shared.comes_within(self.patience, ProbedSink::has_come).await;
            let item = self.shared.lock().state.items.pop_front();
            let (patience, seen) = (self.patience, self.shared.seen());
            item.unwrap_or_else(|| panic!("{caller} waited for an item, up to {patience:?}: {seen}"))
        }
    }

    /// Waits for the next item, which has to be `item`.
    ///
    /// # Panics
    /// When another comes, none comes in time, or none will come any more.
    ///
    /// # Cancel safety
    /// The item is looked at, or still there.
    ///
    /// # Examples
    /// See [`test_sink`].
    #[track_caller]
    pub fn expect_next(&mut self, item: T) -> impl Future<Output = ()>
    where
        T: PartialEq + fmt::Debug,
    {
        let caller = Location::caller();
        let next = self.expect_item();
        async move {
            let came = next.await;
            assert!(came == item, "{caller} expected the item {item:?}, and {came:?} came");
        }
    }

    /// Waits for `time`, by tokio's clock, in which no item comes and the sink is not closed.
    ///
    /// # Panics
    /// When there is one, or the end.
    ///
    /// # Cancel safety
    /// Waiting changes nothing.
    ///
    /// # Examples
    /// See [the module](super).
    #[track_caller]
    pub fn expect_none_for(&mut self, time: Duration) -> impl Future<Output = ()> {
        let caller = Location::caller();
        async move {
            let came = self.shared.comes_within(time, ProbedSink::has_come).await;
            assert!(!came, "{caller} expected nothing for {time:?}: {}", self.shared.seen());
        }
    }

    /// Waits until the sink is closed, with no item left.
    ///
    /// What writes to it may look for the end only while the sink is ready, as [`Flow::forward`](crate::Flow::forward) does:
    /// then ask for one item more than will come.
    ///
    /// # Panics
    /// When there is an item, the sink is dropped without being closed, or neither comes in time.
    ///
    /// # Cancel safety
    /// Waiting changes nothing.
    ///
    /// # Examples
    /// See [`test_sink`].
    #[track_caller]
    pub fn expect_end(&mut self) -> impl Future<Output = ()> {
        let caller = Location::caller();
        async move {
            self.shared.comes_within(self.patience, ProbedSink::has_come).await;
            let ended = matches!(&self.shared.lock().state, state if state.closed && state.items.is_empty());
            let (patience, seen) = (self.patience, self.shared.seen());
            assert!(ended, "{caller} waited for the end, up to {patience:?}: {seen}");
        }
    }

    /// Takes no more: what writes to the sink gets the error [`SinkCancelled`].
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::testing::{SinkCancelled, test_sink};
    ///
    /// # tokio_test::block_on(async {
    /// let (sink, probe) = test_sink();
    /// probe.cancel();
    /// assert_eq!(Flow::from_iter(0..9).forward(sink).await, Err(SinkCancelled));
    /// # });
    /// ```
    pub fn cancel(self) {
        // The drop says it.
    }
}

impl<T> Sink<T> for TestSink<T> {
    type Error = SinkCancelled;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkCancelled>> {
        let ends = self.0.lock();
        match &ends.state {
            ProbedSink { cancelled: true, .. } => Poll::Ready(Err(SinkCancelled)),
            ProbedSink { requested: 1.., .. } => Poll::Ready(Ok(())),
            _ => ProbeLink::wait(ends, cx),
        }
    }

    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), SinkCancelled> {
        let ends = self.0.lock();
        let (cancelled, requested) = (ends.state.cancelled, ends.state.requested);
        drop(ends);
        if cancelled {
            return Err(SinkCancelled);
        }
        assert!(requested > 0, "an item was sent into a test sink that was not ready: {}", self.0.seen());
        self.0.tell_probe(|state| {
            state.requested -= 1;
            state.items.push_back(item);
        });
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SinkCancelled>> {
        Poll::Ready(if self.0.lock().state.cancelled { Err(SinkCancelled) } else { Ok(()) })
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkCancelled>> {
        self.0.tell_probe(|state| state.closed = true);
        self.poll_flush(cx)
    }
}

impl<T> Drop for TestSink<T> {
    fn drop(&mut self) {
        self.0.tell_probe(|state| state.dropped = true);
    }
}

impl<T> Drop for SinkProbe<T> {
    fn drop(&mut self) {
        self.shared.tell_other(|state| state.cancelled = true);
    }
}

impl<T> fmt::Debug for TestSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestSink({})", self.0.seen())
    }
}

impl<T> fmt::Debug for SinkProbe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SinkProbe({})", self.shared.seen())
    }
}
