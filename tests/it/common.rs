//! Sources, routes and the expectations that every operator has in common.

use futures::stream::{self, BoxStream, Stream, StreamExt};
use gen_stage::Flow;
use gen_stage::flow::Source;
use gen_stage::lane::Foreign;
use gen_stage::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A flow over a stream of which nothing is known.
pub(crate) type Numbers = Flow<Source<Foreign<BoxStream<'static, u64>>>>;

pub(crate) fn numbers(source: impl Stream<Item = u64> + Send + 'static) -> Numbers {
    source.boxed().flow()
}

pub(crate) fn counting(items: u64) -> Numbers {
    numbers(stream::iter(0..items))
}

pub(crate) fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items
}

/// The route table R4 of the scenarios: 1 to 10 over 4 partitions.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "a router is given a reference")]
pub(crate) fn r4(n: &u64) -> Option<usize> {
    Some(match n {
        2 | 6 | 8 => 0,
        10 => 1,
        1 | 5 | 7 | 9 => 2,
        3 | 4 => 3,
        other => panic!("R4 has no partition for {other}"),
    })
}

/// Counts itself while it is alive.
#[derive(Debug)]
pub(crate) struct Alive(Arc<AtomicUsize>);

impl Alive {
    pub(crate) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A stream that counts itself while it is alive, and how many items were taken from it.
pub(crate) struct Watched {
    pub(crate) alive: Arc<AtomicUsize>,
    pub(crate) taken: Arc<AtomicUsize>,
}

impl Watched {
    pub(crate) fn new() -> Self {
        Self { alive: Arc::default(), taken: Arc::default() }
    }

    pub(crate) fn endless(&self) -> impl Stream<Item = u64> + Send + 'static {
        let (alive, taken) = (Alive::new(&self.alive), self.taken.clone());
        stream::iter(0..).inspect(move |_| {
            let _ = &alive;
            taken.fetch_add(1, Ordering::SeqCst);
        })
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

/// Lets every task that can run do so, until all wait.
pub(crate) async fn settle() {
    for _ in 0..300 {
        tokio::task::yield_now().await;
    }
}

/// What holds for every operator that works item by item: `$build` puts it on a flow of numbers, `$model` says what
/// becomes of a sequence of numbers, and `$panics` puts it on a flow with a closure that panics at 7.
macro_rules! operator_suite {
    ($build:expr, $model:expr, $panics:expr $(,)?) => {
        mod suite {
            use super::*;
            use crate::common::{Watched, counting, numbers, settle, sorted};
            use futures::{FutureExt, StreamExt, stream};
            use std::panic::AssertUnwindSafe;

            fn model(items: std::ops::Range<u64>) -> Vec<u64> {
                let model: fn(Vec<u64>) -> Vec<u64> = $model;
                sorted(model(items.collect()))
            }

            #[tokio::test]
            async fn nothing_becomes_what_nothing_should() {
                let got: Vec<u64> = ($build)(counting(0)).collect().await;
                assert_eq!(sorted(got), model(0..0));
            }

            #[tokio::test]
            async fn one_item_goes_through() {
                let got: Vec<u64> = ($build)(counting(1)).collect().await;
                assert_eq!(sorted(got), model(0..1));
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn many_items_go_through_on_any_number_of_lanes() {
                for lanes in [1, 2, 3, 8] {
                    let got: Vec<u64> = ($build)(counting(5000).lanes(lanes)).collect().await;
                    assert_eq!(sorted(got), model(0..5000), "{lanes} lanes");
                }
            }

            #[tokio::test]
            async fn max_demand_1_gets_everything_through() {
                let got: Vec<u64> = ($build)(counting(50).lanes(2).demand(1, 0)).collect().await;
                assert_eq!(sorted(got), model(0..50));
            }

            #[tokio::test]
            async fn it_waits_for_a_pending_source_and_is_woken_by_it() {
                let (sender, receiver) = futures::channel::mpsc::unbounded();
                let flow = ($build)(numbers(receiver));
                let mut reading = tokio_test::task::spawn(flow.collect::<Vec<u64>>());
                assert!(reading.poll().is_pending());
                settle().await;
                assert!(reading.poll().is_pending());
                sender.unbounded_send(0).unwrap();
                sender.unbounded_send(1).unwrap();
                settle().await;
                drop(sender);
                settle().await;
                assert!(reading.is_woken(), "the end of the source wakes the reader");
                let got = loop {
                    if let std::task::Poll::Ready(got) = reading.poll() {
                        break got;
                    }
                    settle().await;
                    assert!(reading.is_woken(), "a reader that waits is woken when there is more");
                };
                assert_eq!(sorted(got), model(0..2));
            }

            #[tokio::test]
            async fn dropping_it_drops_the_source_at_once() {
                let watched = Watched::new();
                let mut flow = ($build)(numbers(watched.endless()).lanes(3));
                assert!(flow.next().now_or_never().is_none(), "the first poll starts the tasks");
                // Operators that gather everything never settle with this source.
                tokio::task::yield_now().await;
                assert!(watched.is_alive());
                drop(flow);
                assert!(!watched.is_alive());
            }

            #[tokio::test]
            async fn a_flow_that_is_never_read_never_runs() {
                let watched = Watched::new();
                let flow = ($build)(numbers(watched.endless()));
                settle().await;
                assert_eq!(watched.taken(), 0);
                drop(flow);
                assert!(!watched.is_alive());
            }

            #[tokio::test]
            async fn a_reader_that_stops_stops_the_source() {
                let watched = Watched::new();
                let mut flow = ($build)(numbers(watched.endless()).lanes(2).demand(10, 5));
                assert!(flow.next().now_or_never().is_none());
                settle().await;
                let taken = watched.taken();
                settle().await;
                // An operator that gathers everything goes on; any other is full by now.
                if taken < 10_000 {
                    assert_eq!(watched.taken(), taken, "nothing more is taken while nobody reads");
                    // At most so many edges of 10: some operators open a layer.
                    assert!(taken <= 12 * 10 * expansion(), "{taken} items were taken");
                }
            }

            fn expansion() -> usize {
                // Operators that drop items take more of them for the same output.
                let out = model(0..1000).len().clamp(1, 1000);
                1000_usize.div_ceil(out) + 1
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_panic_in_the_closure_reaches_the_reader() {
                for lanes in [1, 2, 4] {
                    let watched = Watched::new();
                    let flow = ($panics)(numbers(watched.endless().take(5000)).lanes(lanes));
                    let caught = AssertUnwindSafe(flow.collect::<Vec<u64>>()).catch_unwind().await;
                    let payload = caught.expect_err("the panic is raised in the reader");
                    assert_eq!(payload.downcast_ref::<&str>(), Some(&"seven"), "{lanes} lanes");
                    assert!(!watched.is_alive(), "all lanes are gone by then");
                }
            }

            #[tokio::test]
            async fn it_stays_ended() {
                let mut flow = ($build)(numbers(stream::iter([])));
                while flow.next().await.is_some() {}
                assert!(futures::stream::FusedStream::is_terminated(&flow));
                assert_eq!(flow.next().now_or_never(), Some(None));
                assert_eq!(futures::Stream::size_hint(&flow), (0, Some(0)));
            }
        }
    };
}
pub(crate) use operator_suite;

pub(crate) fn seven(n: u64) {
    if n == 7 {
        std::panic::panic_any("seven");
    }
}

/// How many of some items are alive, were at most, and how often one was cloned.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    now: AtomicUsize,
    peak: AtomicUsize,
    clones: AtomicUsize,
}

impl Lives {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn now(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }

    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }

    pub(crate) fn clones(&self) -> usize {
        self.clones.load(Ordering::SeqCst)
    }

    fn one_more(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
    }
}

/// A number that is counted while it, or a clone of it, is alive.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) n: u64,
    lives: Arc<Lives>,
}

impl Live {
    pub(crate) fn new(n: u64, lives: &Arc<Lives>) -> Self {
        lives.one_more();
        Self { n, lives: lives.clone() }
    }
}

impl Clone for Live {
    fn clone(&self) -> Self {
        self.lives.clones.fetch_add(1, Ordering::SeqCst);
        Self::new(self.n, &self.lives)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.lives.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A row of a join of any mode, as one of the full outer join.
pub(crate) trait Paired<L, R> {
    fn paired(self) -> (Option<L>, Option<R>);
}

impl<L, R> Paired<L, R> for (L, R) {
    fn paired(self) -> (Option<L>, Option<R>) {
        (Some(self.0), Some(self.1))
    }
}

impl<L, R> Paired<L, R> for (L, Option<R>) {
    fn paired(self) -> (Option<L>, Option<R>) {
        (Some(self.0), self.1)
    }
}

impl<L, R> Paired<L, R> for (Option<L>, R) {
    fn paired(self) -> (Option<L>, Option<R>) {
        (self.0, Some(self.1))
    }
}

impl<L, R> Paired<L, R> for (Option<L>, Option<R>) {
    fn paired(self) -> Self {
        self
    }
}

/// The rows of a join of `$l` and `$r`, in any mode, sorted.
macro_rules! rows {
    ($flow:expr; $l:ty, $r:ty) => {
        $crate::common::sorted(
            $flow
                .map(|row| -> (Option<$l>, Option<$r>) { $crate::common::Paired::paired(row) })
                .collect::<Vec<_>>()
                .await,
        )
    };
}
pub(crate) use rows;
