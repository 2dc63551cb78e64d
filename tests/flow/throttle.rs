mod rate;

use crate::support::shapes::{paused, shape};
use crate::support::{Numbers, Watched, counting, numbers, operator_suite, settle, seven, sorted};
use futures::{FutureExt, StreamExt};
use gen_stage::flow::Throttle;
use gen_stage::testing::test_source;
use gen_stage::window::Window;
use proptest::prelude::*;
use std::time::Duration;
use tokio::time::Instant;

/// So fast that nothing waits.
fn fast() -> Throttle {
    Throttle::new(u64::from(u32::MAX), Duration::from_millis(1))
}

operator_suite!(|flow: Numbers| flow.throttle(fast()), |items| items, |flow: Numbers| flow
    .throttle(fast())
    .cost(|n| {
        seven(*n);
        1
    }),);

const SECOND: Duration = Duration::from_secs(1);

/// When each item of a flow comes, in milliseconds since `start`.
macro_rules! times {
    ($start:expr, $flow:expr) => {
        $flow.map(move |_| $start.elapsed().as_millis() as u64).collect::<Vec<_>>().await
    };
}

#[tokio::test(start_paused = true)]
async fn a_burst_passes_at_once_and_the_rest_at_the_rate() {
    let start = Instant::now();
    let times = times!(start, counting(7).lanes(1).throttle(Throttle::per_second(10).burst(4)));
    assert_eq!(times.iter().map(|ms| ms / 10).collect::<Vec<_>>(), [0, 0, 0, 0, 10, 20, 30]);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_1_spaces_items_evenly() {
    let start = Instant::now();
    let times = times!(start, counting(4).lanes(1).throttle(Throttle::per_second(10)));
    assert_eq!(times.iter().map(|ms| ms / 10).collect::<Vec<_>>(), [0, 10, 20, 30]);
}

#[tokio::test(start_paused = true)]
async fn all_lanes_share_one_bucket() {
    for lanes in [1, 2, 8] {
        let start = Instant::now();
        let throttle = Throttle::per_second(10).burst(5);
        let times = sorted(times!(start, counting(35).lanes(lanes).demand(2, 1).throttle(throttle)));
        assert_eq!(times.iter().filter(|ms| **ms < 100).count(), 5, "{lanes} lanes");
        assert!((3000..3010).contains(&times[34]), "{lanes} lanes: {times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_high_rate_is_reached_though_timers_go_by_the_millisecond() {
    let start = Instant::now();
    assert_eq!(counting(100_000).lanes(2).throttle(Throttle::per_second(50_000)).count().await, 100_000);
    let taken = start.elapsed();
    assert!(taken >= Duration::from_millis(1980) && taken <= Duration::from_millis(2100), "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn items_take_what_they_cost() {
    let start = Instant::now();
    let flow = gen_stage::Flow::from_iter([3_u64, 2, 1, 0, 4]).lanes(1);
    let times = times!(start, flow.throttle(Throttle::per_second(1).burst(4)).cost(|n| *n));
    assert_eq!(times.iter().map(|ms| ms / 1000).collect::<Vec<_>>(), [0, 1, 2, 2, 6]);
}

#[tokio::test(start_paused = true)]
async fn what_costs_more_than_the_burst_waits_for_a_full_bucket_and_leaves_a_debt() {
    let start = Instant::now();
    let flow = gen_stage::Flow::from_iter([1_u64, 10, 1]).lanes(1);
    let times = times!(start, flow.throttle(Throttle::per_second(1).burst(2)).cost(|n| *n));
    // Full again after 1 s; then 8 are owed, and one more has to come.
    assert_eq!(times.iter().map(|ms| ms / 1000).collect::<Vec<_>>(), [0, 1, 10]);
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_there_is_one_burst_and_not_what_was_not_used() {
    let (source, input) = test_source();
    let mut flow = numbers(source).lanes(1).throttle(Throttle::per_second(1).burst(3));
    assert!(flow.next().now_or_never().is_none());
    tokio::time::sleep(SECOND * 1000).await;
    let start = Instant::now();
    for n in 0..5 {
        input.send(n);
    }
    let mut times = Vec::new();
    for n in 0..5 {
        assert_eq!(flow.next().await, Some(n));
        times.push(start.elapsed().as_secs());
    }
    assert_eq!(times, [0, 0, 0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_one_item_waits_in_a_lane() {
    let watched = Watched::new();
    let flow = numbers(watched.endless()).lanes(1).demand(100, 50);
    let mut flow = flow.throttle(Throttle::new(1, SECOND * 3600).burst(5));
    for n in 0..5 {
        assert_eq!(flow.next().await, Some(n));
    }
    settle().await;
    assert_eq!(watched.taken(), 6, "five have passed, and one waits");
    drop(flow);
    assert!(!watched.is_alive());
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_waits_has_sent_what_passed() {
    let mut flow = counting(10).lanes(1).throttle(Throttle::new(1, SECOND * 3600).burst(2));
    let start = Instant::now();
    assert_eq!([flow.next().await, flow.next().await], [Some(0), Some(1)]);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[test]
fn the_default_burst_is_what_comes_due_in_10_ms() {
    let shown = |throttle: Throttle| format!("{throttle:?}");
    assert_eq!(shown(Throttle::per_second(99)), shown(Throttle::per_second(99).burst(1)));
    assert_eq!(shown(Throttle::per_second(50_000)), shown(Throttle::per_second(50_000).burst(500)));
}

#[test]
#[should_panic(expected = "a throttle must let at least 1 item through, given 0")]
fn a_rate_of_0_is_refused() {
    let _ = Throttle::per_second(0);
}

#[tokio::test(start_paused = true)]
async fn items_wait_in_their_windows_and_windows_end_in_their_turn() {
    let ten = Window::fixed(Duration::from_millis(10), |n: &u64| *n);
    let start = Instant::now();
    let counts = counting(100)
        .lanes(1)
        .window(ten)
        .throttle(Throttle::per_second(100).burst(1))
        .reduce(|| 0, |count, _| *count += 1)
        .on_trigger(move |count, info| [(info.window.start, *count, start.elapsed().as_millis())]);
    let counts: Vec<(i64, u32, u128)> = counts.collect().await;
    assert!(counts.iter().map(|(start, count, _)| (*start, *count)).eq((0..10).map(|at| (at * 10, 10))));
    // A window ends behind its last item, the first of which passed at once and each other 10 ms after the one before.
    let times = counts.iter().map(|(.., time)| time / 10);
    assert!(times.zip(0..).all(|(time, at)| (at * 10 + 9..=at * 10 + 11).contains(&time)), "{counts:?}");
}

#[test]
#[should_panic(expected = "the time of a throttle must be above 0, given 0")]
fn a_time_of_0_is_refused() {
    let _ = Throttle::new(1, Duration::ZERO);
}

#[test]
#[should_panic(expected = "the burst of a throttle must be at least 1 item, given 0")]
fn a_burst_of_0_is_refused() {
    let _ = Throttle::per_second(1).burst(0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn in_no_time_passes_more_than_the_burst_and_the_rate_of_that_time(
        shape in shape(),
        rate in 1_u64..2000,
        burst in 1_u64..50,
    ) {
        let cost = move |n: u16| u64::from(n) % burst.min(7);
        let items = shape.items.clone();
        let passed = paused(async move {
            let start = Instant::now();
            let flow = shape.flow().throttle(Throttle::per_second(rate).burst(burst)).cost(move |n| cost(*n));
            flow.map(move |n| (start.elapsed(), n)).collect::<Vec<_>>().await
        });
        prop_assert_eq!(sorted(passed.iter().map(|(_, n)| *n)), sorted(items));
        let passed = sorted(passed);
        for from in 0..passed.len() {
            let mut tokens = 0;
            for (at, n) in &passed[from..] {
                tokens += cost(*n);
                let since = (*at - passed[from].0).as_secs_f64();
                // Timers may be late by a millisecond, the first of them too.
                prop_assert!(tokens as f64 <= burst as f64 + rate as f64 * (since + 0.002) + 1e-6);
            }
        }
    }
}
