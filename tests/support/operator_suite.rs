//! What holds for every operator that works item by item. Flows come in boxes, so that each of these is compiled once.

use super::{Numbers, Watched, counting, numbers, settle, sorted};
use futures::{FutureExt, StreamExt, stream};
use gen_stage::Flow;
use gen_stage::flow::Boxed;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use tokio_test::task::Spawn;

/// Puts the operator on a flow of numbers.
pub(crate) type Build = fn(Numbers) -> Flow<Boxed<u64>>;
/// Says what becomes of a sequence of numbers, in any order.
pub(crate) type Model = fn(Range<u64>) -> Vec<u64>;

/// Runs the suite: `$build` puts the operator on a flow of numbers, `$model` says what becomes of a sequence of numbers,
/// and `$panics` puts it on a flow with a closure that panics at 7.
macro_rules! operator_suite {
    ($build:expr, $model:expr, $panics:expr $(,)?) => {
        mod suite {
            use super::*;
            use $crate::support::operator_suite;

            fn build(flow: $crate::support::Numbers) -> gen_stage::Flow<gen_stage::flow::Boxed<u64>> {
                ($build)(flow).boxed()
            }

            fn panics(flow: $crate::support::Numbers) -> gen_stage::Flow<gen_stage::flow::Boxed<u64>> {
                ($panics)(flow).boxed()
            }

            fn model(items: std::ops::Range<u64>) -> Vec<u64> {
                let model: fn(Vec<u64>) -> Vec<u64> = $model;
                $crate::support::sorted(model(items.collect()))
            }

            #[tokio::test]
            async fn nothing_becomes_what_nothing_should() {
                operator_suite::nothing_becomes_what_nothing_should(build, model).await;
            }

            #[tokio::test]
            async fn one_item_goes_through() {
                operator_suite::one_item_goes_through(build, model).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn many_items_go_through_on_any_number_of_lanes() {
                operator_suite::many_items_go_through_on_any_number_of_lanes(build, model).await;
            }

            #[tokio::test]
            async fn max_demand_1_gets_everything_through() {
                operator_suite::max_demand_1_gets_everything_through(build, model).await;
            }

            #[tokio::test]
            async fn it_waits_for_a_pending_source_and_is_woken_by_it() {
                operator_suite::it_waits_for_a_pending_source_and_is_woken_by_it(build, model).await;
            }

            #[tokio::test]
            async fn dropping_it_drops_the_source_at_once() {
                operator_suite::dropping_it_drops_the_source_at_once(build).await;
            }

            #[tokio::test]
            async fn a_flow_that_is_never_read_never_runs() {
                operator_suite::a_flow_that_is_never_read_never_runs(build).await;
            }

            #[tokio::test]
            async fn a_reader_that_stops_stops_the_source() {
                operator_suite::a_reader_that_stops_stops_the_source(build, model).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_panic_in_the_closure_reaches_the_reader() {
                operator_suite::a_panic_in_the_closure_reaches_the_reader(panics).await;
            }

            #[tokio::test]
            async fn it_stays_ended() {
                operator_suite::it_stays_ended(build).await;
            }
        }
    };
}
pub(crate) use operator_suite;

pub(crate) async fn nothing_becomes_what_nothing_should(build: Build, model: Model) {
    let got: Vec<u64> = build(counting(0)).collect().await;
    assert_eq!(sorted(got), model(0..0));
}

pub(crate) async fn one_item_goes_through(build: Build, model: Model) {
    let got: Vec<u64> = build(counting(1)).collect().await;
    assert_eq!(sorted(got), model(0..1));
}

pub(crate) async fn many_items_go_through_on_any_number_of_lanes(build: Build, model: Model) {
    for lanes in [1, 2, 3, 8] {
        let got: Vec<u64> = build(counting(5000).lanes(lanes)).collect().await;
        assert_eq!(sorted(got), model(0..5000), "{lanes} lanes");
    }
}

pub(crate) async fn max_demand_1_gets_everything_through(build: Build, model: Model) {
    let got: Vec<u64> = build(counting(50).lanes(2).demand(1, 0)).collect().await;
    assert_eq!(sorted(got), model(0..50));
}

pub(crate) async fn it_waits_for_a_pending_source_and_is_woken_by_it(build: Build, model: Model) {
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    let flow = build(numbers(receiver));
    let mut reading = tokio_test::task::spawn(flow.collect::<Vec<u64>>());
    assert!(reading.poll().is_pending());
    settle().await;
    assert!(reading.poll().is_pending());
    sender.unbounded_send(0).unwrap();
    sender.unbounded_send(1).unwrap();
    settle().await;
    drop(sender);
    assert!(is_woken(&reading).await, "the end of the source wakes the reader");
    let got = loop {
        if let std::task::Poll::Ready(got) = reading.poll() {
            break got;
        }
        assert!(is_woken(&reading).await, "a reader that waits is woken when there is more");
    };
    assert_eq!(sorted(got), model(0..2));
}

/// Whether it is woken, when all others have had many turns: threads besides that of the test, too.
async fn is_woken<T>(reading: &Spawn<T>) -> bool {
    for _ in 0..10_000 {
        if reading.is_woken() {
            return true;
        }
        settle().await;
        std::thread::yield_now();
    }
    false
}

pub(crate) async fn dropping_it_drops_the_source_at_once(build: Build) {
    let watched = Watched::new();
    let mut flow = build(numbers(watched.endless()).lanes(3));
    assert!(flow.next().now_or_never().is_none(), "the first poll starts the tasks");
    // Operators that gather everything never settle with this source.
    tokio::task::yield_now().await;
    assert!(watched.is_alive());
    drop(flow);
    assert!(!watched.is_alive());
}

pub(crate) async fn a_flow_that_is_never_read_never_runs(build: Build) {
    let watched = Watched::new();
    let flow = build(numbers(watched.endless()));
    settle().await;
    assert_eq!(watched.taken(), 0);
    drop(flow);
    assert!(!watched.is_alive());
}

pub(crate) async fn a_reader_that_stops_stops_the_source(build: Build, model: Model) {
    let watched = Watched::new();
    let mut flow = build(numbers(watched.endless()).lanes(2).demand(10, 5));
    assert!(flow.next().now_or_never().is_none());
    let mut taken = usize::MAX;
    // An operator that gathers everything goes on; any other is full at some time, and then takes nothing more.
    while taken != watched.taken() && watched.taken() < 10_000 {
        taken = watched.taken();
        for _ in 0..10 {
            settle().await;
            std::thread::yield_now();
        }
    }
    if watched.taken() < 10_000 {
        // Operators that drop items take more of them for the same output.
        let expansion = 1000_usize.div_ceil(model(0..1000).len().clamp(1, 1000)) + 1;
        // At most so many edges of 10: some operators open a layer.
        assert!(taken <= 12 * 10 * expansion, "{taken} items were taken");
    }
}

pub(crate) async fn a_panic_in_the_closure_reaches_the_reader(panics: Build) {
    for lanes in [1, 2, 4] {
        let watched = Watched::new();
        let flow = panics(numbers(watched.endless().take(5000)).lanes(lanes));
        let caught = AssertUnwindSafe(flow.collect::<Vec<u64>>()).catch_unwind().await;
        let payload = caught.expect_err("the panic is raised in the reader");
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"seven"), "{lanes} lanes");
        assert!(!watched.is_alive(), "all lanes are gone by then");
    }
}

pub(crate) async fn it_stays_ended(build: Build) {
    let mut flow = build(numbers(stream::iter([])));
    while flow.next().await.is_some() {}
    assert!(futures::stream::FusedStream::is_terminated(&flow));
    assert_eq!(flow.next().now_or_never(), Some(None));
    assert_eq!(futures::Stream::size_hint(&flow), (0, Some(0)));
}
