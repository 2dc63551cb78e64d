use super::PATIENCE;
use super::link::{ProbeLink, Seen};
use futures_core::Stream;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

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
    let shared = ProbeLink::new(ProbedSource {
        items: VecDeque::new(),
        end: None,
        waits: false,
        taken: 0,
        polls_at_end: 0,
        dropped: false,
    });
    (TestSource(shared.clone()), SourceProbe { shared, patience: PATIENCE })
}

/// The stream of [`test_source`].
///
/// # Panics
/// Polling it panics when the probe told it to [fail](SourceProbe::fail), or was dropped without having ended it.
///
/// # Examples
/// See [`test_source`].
#[must_use = "streams do nothing unless polled"]
pub struct TestSource<T>(ProbeLink<ProbedSource<T>>);

/// Sends what a [`TestSource`] yields, and sees whether that is wanted.
///
/// What it waits for, it waits for a second of tokio's clock, unless [`patience`](Self::patience) says otherwise; if that
/// passes in vain, it panics, and says what it has seen.
///
/// # Examples
/// See [`test_source`].
#[must_use = "a source whose probe is dropped panics, unless it was ended"]
pub struct SourceProbe<T> {
    shared: ProbeLink<ProbedSource<T>>,
    patience: Duration,
}

struct ProbedSource<T> {
    items: VecDeque<T>,
    end: Option<SourceEnd>,
    /// The source was polled, and there was nothing to yield.
    waits: bool,
    taken: usize,
    /// How often it was polled when its end had come: once is enough.
    polls_at_end: usize,
    dropped: bool,
}

#[derive(Clone)]
enum SourceEnd {
    Finished,
    Failed(String),
    /// It fails, with a panic that is not printed: hundreds of stories are told in one test.
    FailedInStory(&'static str),
}

/// What stories see of a source, also after it was ended.
pub(super) struct SourceWatch<T>(ProbeLink<ProbedSource<T>>);

impl<T> SourceWatch<T> {
    pub(super) fn taken(&self) -> usize {
        self.0.lock().state.taken
    }

    /// Whether it was polled at all.
    pub(super) fn is_begun(&self) -> bool {
        let state = &self.0.lock().state;
        state.waits || state.taken > 0
    }

    pub(super) fn is_polled_after_end(&self) -> bool {
        self.0.lock().state.polls_at_end > 1
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.0.lock().state.dropped
    }
}

impl<T> Seen for ProbedSource<T> {
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
        self.shared.tell_other(|state| {
            state.waits = false;
            state.items.push_back(item);
        });
    }

    /// Ends the source after what was sent.
    ///
    /// # Examples
    /// See [`test_source`].
    pub fn end(self) {
        self.shared.tell_other(|state| state.end = Some(SourceEnd::Finished));
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
        self.shared.tell_other(|state| state.end = Some(SourceEnd::Failed(message.into())));
    }

    /// The same as [`fail`](Self::fail), without a line on the terminal.
    pub(super) fn fail_in_story(self, message: &'static str) {
        self.shared.tell_other(|state| state.end = Some(SourceEnd::FailedInStory(message)));
    }

    pub(super) fn watch(&self) -> SourceWatch<T> {
        SourceWatch(self.shared.clone())
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
        self.shared.lock().state.waits
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
        self.shared.lock().state.taken
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
            let wanted = self.shared.comes_within(time, |state| state.waits).await;
            assert!(!wanted, "{caller} expected no demand for {time:?}: {}", self.shared.seen());
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
            self.shared.comes_within(self.patience, |state| there(state) || never(state)).await;
            let met = there(&self.shared.lock().state);
            let (patience, seen) = (self.patience, self.shared.seen());
            assert!(met, "{caller} waited for {what}, up to {patience:?}: {seen}");
        }
    }
}

impl<T> Stream for TestSource<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut ends = self.0.lock();
        let state = &mut ends.state;
        if let Some(item) = state.items.pop_front() {
            state.taken += 1;
            return Poll::Ready(Some(item));
        }
        match &state.end {
            None => state.waits = true,
            Some(end) => {
                let end = end.clone();
                state.polls_at_end += 1;
                drop(ends);
                match end {
                    SourceEnd::Finished => return Poll::Ready(None),
                    SourceEnd::Failed(message) => panic!("{message}"),
                    SourceEnd::FailedInStory(message) => resume_unwind(Box::new(message)),
                }
            }
        }
        ProbeLink::wait(ends, cx)
    }
}

impl<T> Drop for TestSource<T> {
    fn drop(&mut self) {
        self.0.tell_probe(|state| {
            state.dropped = true;
            state.waits = false;
        });
    }
}

impl<T> Drop for SourceProbe<T> {
    fn drop(&mut self) {
        self.shared.tell_other(|state| {
            let end = || SourceEnd::Failed("the probe of a test source was dropped without `end`".into());
            state.end.get_or_insert_with(end);
        });
    }
}

impl<T> fmt::Debug for TestSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestSource({})", self.0.seen())
    }
}

impl<T> fmt::Debug for SourceProbe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceProbe({})", self.shared.seen())
    }
}
