use super::PATIENCE;
use crate::sync::{keep_waker, unpoisoned};
use futures_core::Stream;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::timeout;

/// Makes a source that yields what its probe sends.
///
/// # Examples
/// ```
/// use futures::StreamExt;
/// use gen_stage::testing::test_source;
///
/// # tokio_test::block_on(async {
/// let (source, probe) = test_source();
/// probe.send('a');
/// probe.send('b');
/// probe.end();
/// assert_eq!(source.collect::<String>().await, "ab");
/// # });
/// ```
pub fn test_source<T>() -> (TestSource<T>, SourceProbe<T>) {
    let shared = Arc::new(SharedSource(Mutex::new(ProbedSource {
        items: VecDeque::new(),
        end: None,
        waits: false,
        taken: 0,
        dropped: false,
        reader: None,
        probe: None,
    })));
    (TestSource(Arc::clone(&shared)), SourceProbe { shared, patience: PATIENCE })
}

/// The stream of [`test_source`].
///
/// # Panics
/// Polling it panics when the probe told it to [fail](SourceProbe::fail), or was dropped without having ended it.
///
/// # Examples
/// See [`test_source`].
#[must_use = "streams do nothing unless polled"]
pub struct TestSource<T>(Arc<SharedSource<T>>);

/// Sends what a [`TestSource`] yields, and sees whether that is wanted.
///
/// What it waits for, it waits for a second of tokio's clock, unless [`patience`](Self::patience) says otherwise; if that
/// passes in vain, it panics, and says what it has seen.
///
/// # Examples
/// See [`test_source`].
#[must_use = "a source whose probe is dropped panics, unless it was ended"]
pub struct SourceProbe<T> {
    shared: Arc<SharedSource<T>>,
    patience: Duration,
}

struct SharedSource<T>(Mutex<ProbedSource<T>>);

struct ProbedSource<T> {
    items: VecDeque<T>,
    end: Option<SourceEnd>,
    /// The source was polled, and there was nothing to yield.
    waits: bool,
    taken: usize,
    dropped: bool,
    reader: Option<Waker>,
    probe: Option<Waker>,
}

enum SourceEnd {
    Finished,
    Failed(String),
}

impl<T> SharedSource<T> {
    fn lock(&self) -> MutexGuard<'_, ProbedSource<T>> {
        unpoisoned(self.0.lock())
    }

    /// Changes the state, and wakes the reader.
    fn tell_reader(&self, change: impl FnOnce(&mut ProbedSource<T>)) {
        let mut state = self.lock();
        change(&mut state);
        state.waits = false;
        let reader = state.reader.take();
        drop(state);
        if let Some(waker) = reader {
            waker.wake();
        }
    }
}

impl<T> ProbedSource<T> {
    fn seen(&self) -> String {
        let Self { taken, items, dropped, .. } = self;
        let gone = if *dropped { ", and it was dropped" } else { "" };
        format!("{taken} items were taken from the source, {} wait in it{gone}", items.len())
    }
}

impl<T> SourceProbe<T> {
    /// Waits for `time` at most, by tokio's clock, in each method that waits; by default a second.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::testing::test_source;
    /// use std::time::Duration;
    ///
    /// let (_source, probe) = test_source::<u32>();
    /// let _probe = probe.patience(Duration::from_secs(60));
    /// ```
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// Gives the source an item, which waits there until the source is polled.
    ///
    /// # Examples
    /// See [`test_source`].
    pub fn send(&self, item: T) {
        self.shared.tell_reader(|state| state.items.push_back(item));
    }

    /// Ends the source after what was sent.
    ///
    /// # Examples
    /// See [`test_source`].
    pub fn end(self) {
        self.shared.tell_reader(|state| state.end = Some(SourceEnd::Finished));
    }

    /// Has the source panic with `message`, after what was sent.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::flow::FlowError;
    /// use gen_stage::prelude::*;
    /// use gen_stage::testing::test_source;
    ///
    /// # tokio_test::block_on(async {
    /// let (source, probe) = test_source::<u32>();
    /// let flow = source.flow().map(|n| n + 1).start();
    /// probe.fail("no more paper");
    /// let Err(FlowError::Panicked(panic)) = flow.wait().await else { panic!("it fails") };
    /// assert_eq!(panic.message(), "no more paper");
    /// # });
    /// ```
    pub fn fail(self, message: impl Into<String>) {
        self.shared.tell_reader(|state| state.end = Some(SourceEnd::Failed(message.into())));
    }

    /// Whether the source was polled and has nothing to yield: an item is wanted.
    ///
    /// # Examples
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use gen_stage::testing::test_source;
    ///
    /// let (mut source, probe) = test_source::<u32>();
    /// assert!(!probe.is_wanted());
    /// assert!(source.next().now_or_never().is_none());
    /// assert!(probe.is_wanted());
    /// ```
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.shared.lock().waits
    }

    /// How many items were taken from the source.
    ///
    /// # Examples
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use gen_stage::testing::test_source;
    ///
    /// let (mut source, probe) = test_source();
    /// probe.send(1);
    /// assert_eq!(probe.taken(), 0);
    /// assert_eq!(source.next().now_or_never(), Some(Some(1)));
    /// assert_eq!(probe.taken(), 1);
    /// ```
    #[must_use]
    pub fn taken(&self) -> usize {
        self.shared.lock().taken
    }

    /// Waits until an item is wanted.
    ///
    /// # Panics
    /// When none is wanted in time, or the source is dropped.
    ///
    /// # Cancel safety
    /// Waiting changes nothing.
    ///
    /// # Examples
    /// See [the module](super).
    #[track_caller]
    pub fn expect_demand(&mut self) -> impl Future<Output = ()> {
        let expected = "an item to be wanted";
        self.expect(expected, |state| state.waits, |state| state.dropped)
    }

    /// Waits until the source is dropped.
    ///
    /// # Panics
    /// When it is not dropped in time.
    ///
    /// # Cancel safety
    /// Waiting changes nothing.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::testing::test_source;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// let (source, mut probe) = test_source::<u32>();
    /// let flow = source.flow().map(|n| n + 1).start();
    /// probe.expect_demand().await;
    /// drop(flow);
    /// probe.expect_dropped().await;
    /// # });
    /// ```
    #[track_caller]
    pub fn expect_dropped(&mut self) -> impl Future<Output = ()> {
        self.expect("the source to be dropped", |state| state.dropped, |_| false)
    }

    /// Waits for `time`, by tokio's clock, in which no item is wanted.
    ///
    /// # Panics
    /// When one is wanted before that.
    ///
    /// # Cancel safety
    /// Waiting changes nothing.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::testing::test_source;
    /// use std::time::Duration;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// let (source, mut probe) = test_source::<u32>();
    /// let _flow = source.flow().map(|n| n + 1);
    /// probe.expect_no_demand_for(Duration::from_secs(1)).await; // it was not read
    /// # });
    /// ```
    #[track_caller]
    pub fn expect_no_demand_for(&mut self, time: Duration) -> impl Future<Output = ()> {
        let caller = Location::caller();
        async move {
            let wanted = timeout(time, until(&self.shared, |state| state.waits)).await.is_ok();
            let seen = self.shared.lock().seen();
            assert!(!wanted, "{caller} expected no demand for {time:?}: {seen}");
        }
    }

    /// Waits for `there`; fails when it is not there in time, or will never be.
    #[track_caller]
    fn expect(
        &mut self,
        what: &'static str,
        there: fn(&ProbedSource<T>) -> bool,
        never: fn(&ProbedSource<T>) -> bool,
    ) -> impl Future<Output = ()> {
        let caller = Location::caller();
        async move {
            let come = timeout(self.patience, until(&self.shared, move |state| there(state) || never(state)));
            let in_time = come.await.is_ok();
            let state = self.shared.lock();
            let seen = state.seen();
            let met = in_time && there(&state);
            drop(state);
            assert!(met, "{caller} waited for {what}, up to {:?}: {seen}", self.patience);
        }
    }
}

/// Waits for a state of the source.
async fn until<T>(shared: &SharedSource<T>, reached: impl Fn(&ProbedSource<T>) -> bool) {
    poll_fn(|cx| {
        let state = shared.lock();
        if reached(&state) {
            return Poll::Ready(());
        }
        keep_waker(state, |state| &mut state.probe, cx.waker());
        Poll::Pending
    })
    .await;
}

impl<T> Stream for TestSource<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.lock();
        if let Some(item) = state.items.pop_front() {
            state.taken += 1;
            return Poll::Ready(Some(item));
        }
        match &state.end {
            Some(SourceEnd::Finished) => return Poll::Ready(None),
            Some(SourceEnd::Failed(message)) => {
                let message = message.clone();
                drop(state);
                panic!("{message}");
            }
            None => state.waits = true,
        }
        let probe = state.probe.take();
        keep_waker(state, |state| &mut state.reader, cx.waker());
        if let Some(waker) = probe {
            waker.wake();
        }
        Poll::Pending
    }
}

impl<T> Drop for TestSource<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.dropped = true;
        state.waits = false;
        let wakers = [state.probe.take(), state.reader.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl<T> Drop for SourceProbe<T> {
    fn drop(&mut self) {
        self.shared.tell_reader(|state| {
            let end = || SourceEnd::Failed("the probe of a test source was dropped without `end`".into());
            state.end.get_or_insert_with(end);
        });
    }
}

impl<T> fmt::Debug for TestSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestSource({})", self.0.lock().seen())
    }
}

impl<T> fmt::Debug for SourceProbe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceProbe({})", self.shared.lock().seen())
    }
}
