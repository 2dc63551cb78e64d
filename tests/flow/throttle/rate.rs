use crate::support::{counting, sorted};
use futures::{FutureExt, StreamExt};
use gen_stage::flow::Throttle;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep, sleep_until, timeout};

const MS: Duration = Duration::from_millis(1);

/// A token each 100 ms, one at a time, of which the first is gone.
async fn used_up() -> Throttle {
    let throttle = Throttle::per_second(10).burst(1);
    throttle.acquire().await;
    throttle
}

/// Awaits what it is given, and says in which hundredth of a second since `start` that was done.
async fn hundredths(start: Instant, passing: impl Future<Output = ()>) -> u128 {
    passing.await;
    start.elapsed().as_millis() / 10
}

#[tokio::test(start_paused = true)]
async fn flows_and_futures_with_clones_share_one_rate() {
    let start = Instant::now();
    let throttle = Throttle::per_second(10).burst(1);
    let (one, other) = (counting(10).throttle(throttle.clone()), counting(10).throttle(throttle.clone()));
    let futures = async {
        for _ in 0..10 {
            throttle.acquire().await;
        }
    };
    let (one, other, ()) = tokio::join!(one.count(), other.count(), futures);
    assert_eq!((one, other, start.elapsed().as_millis() / 10), (10, 10, 290));
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_is_read_again_goes_on_with_the_same_bucket() {
    let throttle = Throttle::new(1, MS * 1000).burst(3);
    let start = Instant::now();
    assert_eq!(counting(3).throttle(throttle.clone()).count().await, 3);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(counting(1).throttle(throttle).count().await, 1);
    assert_eq!(start.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_burst_makes_a_throttle_of_its_own() {
    let used_up = used_up().await;
    let start = Instant::now();
    used_up.clone().burst(1).acquire().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    used_up.acquire().await;
    assert_eq!(start.elapsed().as_millis() / 10, 10);
}

#[tokio::test(start_paused = true)]
async fn tokens_are_given_out_in_the_order_of_the_first_polls() {
    let throttle = used_up().await;
    let mut lane = counting(1).lanes(1).throttle(throttle.clone());
    let (mut first, mut third) = (throttle.acquire(), throttle.acquire());
    let start = Instant::now();
    assert!((&mut first).now_or_never().is_none());
    assert!(lane.next().now_or_never().is_none());
    yield_now().await;
    assert!((&mut third).now_or_never().is_none());
    let lane = async { assert_eq!(lane.next().await, Some(0)) };
    let times = tokio::join!(hundredths(start, third), hundredths(start, lane), hundredths(start, first));
    assert_eq!(times, (30, 20, 10));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_dropped_gives_its_place_back() {
    let throttle = used_up().await;
    let start = Instant::now();
    let (mut first, mut second, mut third) = (throttle.acquire(), throttle.acquire(), throttle.acquire());
    for waiting in [&mut first, &mut second, &mut third] {
        assert!(waiting.now_or_never().is_none());
    }
    let dropped = async {
        sleep(MS * 50).await;
        drop(first);
    };
    let ((), second, third) = tokio::join!(dropped, hundredths(start, second), hundredths(start, third));
    assert_eq!((second, third), (10, 20));
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_is_dropped_gives_the_places_of_its_lanes_back() {
    let throttle = used_up().await;
    let start = Instant::now();
    let mut flow = counting(100).lanes(4).throttle(throttle.clone());
    assert!(flow.next().now_or_never().is_none());
    sleep(MS * 10).await;
    let mut after = throttle.acquire();
    assert!((&mut after).now_or_never().is_none());
    drop(flow);
    assert_eq!(hundredths(start, after).await, 10);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_polled_holds_up_none_after_it() {
    let throttle = used_up().await;
    let start = Instant::now();
    let mut idle = throttle.acquire();
    assert!((&mut idle).now_or_never().is_none());
    assert_eq!(hundredths(start, throttle.acquire()).await, 20);
    // Its token was put aside for it.
    assert!(idle.now_or_never().is_some());
    assert_eq!(hundredths(start, throttle.acquire()).await, 30);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_not_fetched_comes_back() {
    let throttle = Throttle::new(1, MS * 1000).burst(1);
    throttle.acquire().await;
    let start = Instant::now();
    let (mut idle, mut next) = (throttle.acquire(), throttle.acquire());
    assert!((&mut idle).now_or_never().is_none());
    assert!((&mut next).now_or_never().is_none());
    sleep(MS * 1500).await;
    let mut last = throttle.acquire();
    assert!((&mut last).now_or_never().is_none(), "the token of the idle one is given out by this");
    drop(idle);
    let times = tokio::join!(hundredths(start, next), hundredths(start, last));
    assert_eq!(times, (150, 250), "the bucket is full when it is dropped, and not fuller");
}

#[tokio::test(start_paused = true)]
async fn many_tokens_wait_for_a_full_bucket_and_leave_a_debt_and_none_wait_in_their_turn() {
    let throttle = Throttle::per_second(10).burst(2);
    let start = Instant::now();
    let costs = [1, 5, 0, 1].map(|tokens| hundredths(start, throttle.acquire_many(tokens)));
    let times = futures::future::join_all(costs).await;
    // Full after 100 ms; then 3 are owed, for 300 ms, and one more has to come.
    assert_eq!(times, [0, 10, 40, 50]);
}

#[tokio::test(start_paused = true)]
async fn a_loop_of_tokens_that_are_there_lets_other_tasks_run() {
    let throttle = Throttle::per_second(u64::MAX).burst(u64::MAX);
    let endless = tokio::spawn(async move {
        loop {
            throttle.acquire().await;
        }
    });
    yield_now().await;
    assert!(!endless.is_finished());
    endless.abort();
    assert!(endless.await.unwrap_err().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn the_longest_wait_is_no_end_of_the_clock() {
    let throttle = Throttle::new(1, Duration::MAX).burst(1);
    throttle.acquire_many(u64::MAX).await;
    assert!(timeout(MS * 1000, throttle.acquire_many(u64::MAX)).await.is_err());
    assert!(timeout(MS * 1000, throttle.acquire()).await.is_err());
}

/// Comes after `after` ms, takes `tokens`, and is dropped when it has waited for `patience` ms.
#[derive(Debug, Clone)]
struct Customer {
    after: u64,
    tokens: u64,
    patience: Option<u64>,
}

fn customers() -> impl Strategy<Value = Vec<Customer>> {
    // Tokens come at full tenths of a second, and each gives up at a time of its own between these.
    let customer = (0_u64..4, 0_u64..5, prop::option::of(0_u64..10));
    prop::collection::vec(customer, 1..40).prop_map(|customers| {
        let customer = |(at, (after, tokens, patience)): (usize, (u64, u64, Option<u64>))| Customer {
            after: after * 100,
            tokens,
            patience: patience.map(|tenths| tenths * 100 + 10 + 2 * at as u64),
        };
        customers.into_iter().enumerate().map(customer).collect()
    })
}

/// When each passes, in milliseconds; `None` for those that are dropped before.
fn model(customers: &[Customer], burst: u64) -> Vec<Option<u64>> {
    let (mut now, mut full, mut left) = (0, 0, 0);
    let pass = |customer: &Customer| {
        now += customer.after;
        let missing = burst - customer.tokens.min(burst);
        // None passes while one before it waits, and that may leave.
        let at = u64::saturating_sub(now.max(full), missing * 100).max(now).max(left);
        if let Some(leaves) = customer.patience.map(|patience| now + patience).filter(|leaves| *leaves < at) {
            left = left.max(leaves);
            return None;
        }
        full = now.max(full) + customer.tokens * 100;
        Some(at)
    };
    customers.iter().map(pass).collect()
}

async fn passed(customers: &[Customer], burst: u64) -> Vec<Option<u64>> {
    let throttle = Throttle::per_second(10).burst(burst);
    let start = Instant::now();
    let passed = Arc::new(Mutex::new(vec![None; customers.len()]));
    let mut tasks = JoinSet::new();
    let mut now = start;
    for (at, customer) in customers.iter().enumerate() {
        now += MS * customer.after as u32;
        sleep_until(now).await;
        let (taking, passed) = (throttle.acquire_many(customer.tokens), passed.clone());
        let patience = customer.patience.map_or(MS * 1_000_000, |patience| MS * patience as u32);
        tasks.spawn(async move {
            if timeout(patience, taking).await.is_ok() {
                passed.lock().unwrap()[at] = Some(start.elapsed().as_millis() as u64);
            }
        });
        // It comes before the next does.
        yield_now().await;
        yield_now().await;
    }
    while tasks.join_next().await.is_some() {}
    Arc::into_inner(passed).unwrap().into_inner().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn all_pass_when_a_queue_in_a_row_lets_them(customers in customers(), burst in 1_u64..4) {
        let passed = crate::support::shapes::paused(passed(&customers, burst));
        let model = model(&customers, burst);
        for (at, (passed, model)) in passed.iter().zip(&model).enumerate() {
            // Timers go by the millisecond.
            let alike = match (passed, model) {
                (Some(passed), Some(model)) => passed.abs_diff(*model) <= 1,
                (passed, model) => passed == model,
            };
            prop_assert!(alike, "{at}: {passed:?} and not {model:?}");
        }
        prop_assert!(sorted(passed.iter().flatten()).iter().eq(passed.iter().flatten().collect::<Vec<_>>().iter()));
    }
}
