use crate::support::shapes::shape;
use crate::support::{Numbers, Watched, counting, numbers, operator_suite, settle, seven, sorted};
use futures::{FutureExt, Stream, StreamExt, stream};
use gen_stage::Flow;
use gen_stage::flow::{Flowing, Throttle};
use gen_stage::window::Window;
use proptest::prelude::*;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

mod at_a_source {
    use super::*;
    operator_suite!(
        // More than the suite has: an end of its own would drop a source that is to be alive.
        |flow: Numbers| flow.take(100_000),
        |items| items,
        |flow: Numbers| flow.take(100_000).inspect(|n| seven(*n)),
    );
}

mod after_an_operator {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.map(|n| n + 1).take(100_000),
        |items| items.into_iter().map(|n| n + 1).collect(),
        |flow: Numbers| flow.inspect(|n| seven(*n)).take(100_000),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_first_of_a_source_are_exact(shape in shape(), n in 0_usize..300, skipped in 0_usize..50) {
        let expected: Vec<_> = shape.items.iter().copied().skip(skipped).take(n).collect();
        let flow = || shape.flow().skip(skipped).stop_when(CancellationToken::new()).take(n);
        prop_assert_eq!(shape.flow().skip(skipped).take(n).size_hint(), (expected.len(), Some(expected.len())));
        prop_assert_eq!(flow().size_hint(), (0, Some(expected.len())));
        prop_assert_eq!(shape.run(flow().ordered().collect::<Vec<_>>()), expected.clone());
        prop_assert_eq!(sorted(shape.run(flow().map(|n| n).collect::<Vec<_>>())), sorted(expected));
    }

    #[test]
    fn the_first_of_one_lane_are_exact(shape in shape(), n in 0_usize..300) {
        let expected: Vec<_> = shape.items.iter().copied().filter(|n| n % 3 != 0).take(n).collect();
        prop_assert_eq!(shape.run(shape.one_lane().filter(|n| n % 3 != 0).take(n).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn lanes_share_what_may_come_out_and_count_what_may_not(shape in shape(), n in 0_usize..300) {
        let mut flow = shape.flow().filter(|n| n % 3 != 0).take(n).boxed();
        let monitor = flow.monitor();
        let taken = sorted(shape.run(flow.collect::<Vec<_>>()));
        let mut all = sorted(shape.items.iter().copied().filter(|n| n % 3 != 0));
        prop_assert_eq!(taken.len(), n.min(all.len()));
        prop_assert!(taken.iter().all(|n| all.iter().position(|one| one == n).map(|at| all.remove(at)).is_some()));
        let stats = monitor.stats();
        let lanes = || stats.layers.iter().flat_map(|layer| &layer.lanes);
        let sent: u64 = lanes().map(|lane| lane.sent).sum();
        prop_assert_eq!(sent, lanes().map(|lane| lane.taken + lane.discarded).sum::<u64>() + stats.read);
    }
}

#[tokio::test(start_paused = true)]
async fn all_lanes_work_on_what_it_lets_through() {
    let start = Instant::now();
    let heavy = async |n: u64| {
        sleep(Duration::from_millis(100)).await;
        n
    };
    let done = Flow::from_iter(0_u64..).take(40).lanes(4).then(heavy);
    assert!(done.ordered().collect::<Vec<_>>().await.into_iter().eq(0..40));
    assert_eq!(start.elapsed().as_millis() / 100, 10, "a quarter of what one lane takes");
}

#[tokio::test]
async fn it_ends_though_the_source_is_silent_and_wakes_the_lanes_that_wait() {
    for lanes in [1, 2, 5] {
        let silent = || numbers(stream::iter(0..10).chain(stream::pending())).lanes(lanes).demand(2, 1);
        assert_eq!(silent().take(10).collect::<Vec<_>>().await.len(), 10, "{lanes} lanes, at the source");
        let any = silent().map(|n| n).take(10).collect::<Vec<_>>().await;
        assert_eq!(any.len(), 10, "{lanes} lanes");
        let routed = silent().partition().lanes(lanes).take(4).collect::<Vec<_>>().await;
        assert_eq!(routed.len(), 4, "{lanes} lanes after a partition");
    }
}

#[tokio::test]
async fn the_source_is_dropped_while_what_came_out_is_still_worked_on() {
    for lanes in [1, 3] {
        let watched = Watched::new();
        let (done, wait) = tokio::sync::watch::channel(false);
        let later = move |n: u64| {
            let mut wait = wait.clone();
            async move {
                wait.wait_for(|done| *done).await.unwrap();
                n
            }
        };
        let flow =
            numbers(watched.endless()).lanes(lanes).filter(|n| n % 2 == 0).take(6).map_async(64, later);
        let mut reading = tokio_test::task::spawn(flow.collect::<Vec<_>>());
        assert!(reading.poll().is_pending());
        settle().await;
        assert!(!watched.is_alive(), "{lanes} lanes");
        done.send(true).unwrap();
        assert_eq!(reading.await.len(), 6);
    }
}

#[tokio::test]
async fn of_nothing_the_source_is_never_polled() {
    let never = || numbers(stream::poll_fn(|_| panic!("it was polled")));
    assert_eq!(never().take(0).lanes(3).collect::<Vec<_>>().await, []);
    assert_eq!(never().take(0).collect::<Vec<_>>().await, []);
    assert_eq!(never().lanes(3).map(|n| n).take(0).collect::<Vec<_>>().await, []);
}

#[tokio::test]
async fn windows_close_as_at_the_end_of_the_source() {
    let endless = numbers(stream::iter(0..7).chain(stream::pending()));
    let sums =
        endless.take(7).lanes(1).window(Window::count(3)).reduce(|| 0, |sum, n| *sum += n).emit_state();
    assert_eq!(sums.collect::<Vec<u64>>().await, [1 + 2, 3 + 4 + 5, 6]);
    let endless = numbers(stream::iter(0..9).chain(stream::pending())).lanes(2).reject(|n| *n > 6);
    let counts = endless.take(7).window(Window::count(100)).reduce(|| 0, |sum, _| *sum += 1).emit_state();
    assert_eq!(counts.collect::<Vec<u64>>().await.iter().sum::<u64>(), 7);
}

#[tokio::test]
async fn what_was_on_its_way_is_counted() {
    let mut flow = counting(100).lanes(1).shuffle().lanes(1).demand(10, 0).take(4);
    assert_eq!(StreamExt::count(flow.by_ref()).await, 4);
    assert_eq!(flow.discarded(), 6);
    // At a source, nothing is on its way.
    let mut flow = counting(100).take(4).lanes(2);
    assert_eq!(StreamExt::count(flow.by_ref()).await, 4);
    assert_eq!(flow.discarded(), 0);
}

#[tokio::test]
async fn without_lanes_it_keeps_the_order_of_the_source() {
    assert_eq!(counting(100).take(5).collect::<Vec<_>>().await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn many_sources_share_the_items_that_may_come_out() {
    let sources = || Flow::from_iters([0..100_u64, 100..200, 200..300]).lanes(3);
    assert_eq!(sources().take(150).count().await, 150);
    // One task reads them, in turn.
    let first: Vec<u64> = sources().take(150).ordered().collect().await;
    assert_eq!(first.len(), 150);
    assert!([0, 1, 2].iter().all(|one| first.iter().filter(|n| *n / 100 == *one).is_sorted()));
}

#[tokio::test]
async fn a_reader_that_waits_for_ever_keeps_no_source_alive() {
    let watched = Watched::new();
    let mut flow = numbers(watched.endless()).take(3).lanes(2);
    assert!(flow.next().now_or_never().is_none());
    settle().await;
    assert!(!watched.is_alive());
    assert_eq!(flow.collect::<Vec<_>>().await.len(), 3);
}

#[tokio::test]
async fn the_source_is_dropped_as_soon_as_the_last_item_is_passed_on() {
    let watched = Watched::new();
    let mut flow = numbers(watched.endless()).take(2).lanes(1).demand(1, 0);
    assert!(flow.next().await.is_some());
    assert!(watched.is_alive());
    assert!(flow.next().await.is_some());
    assert!(!watched.is_alive());
    assert!(flow.next().await.is_none());
}

/// Takes two items from a flow over an endless source, `each` of them made of so many of its items: what else was taken
/// from the source must be discarded, and that must be something.
async fn the_rest_is_discarded<P: Flowing>(each: usize, lanes: usize, held: impl FnOnce(Numbers) -> Flow<P>) {
    let watched = Watched::new();
    let mut flow = held(numbers(watched.endless()).lanes(lanes).demand(1, 0)).take(2);
    assert_eq!(StreamExt::count(flow.by_ref()).await, 2);
    let rest = watched.taken() - 2 * each;
    assert_eq!(flow.discarded(), rest as u64);
    assert!(rest > 0, "nothing was held");
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_before_it_holds_is_counted() {
    let later = async |n: u64| {
        sleep(Duration::from_secs(n + 1)).await;
        n
    };
    for lanes in [2, 5] {
        the_rest_is_discarded(1, lanes, |flow| flow.then(later)).await;
        the_rest_is_discarded(1, lanes, |flow| flow.throttle(Throttle::per_second(1))).await;
        the_rest_is_discarded(3, lanes, |flow| flow.map(|n| n).batch(3)).await;
    }
    for lanes in [1, 3] {
        the_rest_is_discarded(1, lanes, |flow| flow.map_async(8, later)).await;
        the_rest_is_discarded(1, lanes, |flow| flow.map_async(8, later).ordered()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_holds_is_not_counted_when_the_flow_is_dropped() {
    let one = || numbers(stream::iter(0..8).chain(stream::pending())).lanes(1);
    let never = |_| std::future::pending::<u64>();
    for mut flow in [
        one().then(never).boxed(),
        one().map_async(4, never).boxed(),
        one().map_async(4, never).ordered().boxed(),
        one().throttle(Throttle::per_second(1)).boxed(),
        one().batch(100).map(|_| 0).boxed(),
        one().zip(numbers(stream::pending()).lanes(1)).lanes(1).map(|_| 0).boxed(),
    ] {
        let monitor = flow.monitor();
        while flow.next().now_or_never().is_some() {}
        settle().await;
        while flow.next().now_or_never().is_some() {}
        drop(flow);
        settle().await;
        assert_eq!(monitor.discarded(), 0);
    }
}
