use crate::support::{Alive, Numbers, counting, operator_suite, settle, seven, sorted};
use futures::{FutureExt, Stream, StreamExt, stream};
use gen_stage::prelude::*;
use gen_stage::stage::from_iter;
use proptest::prelude::*;
use std::future::{pending, ready};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

/// Pending once for every second number.
pub(crate) async fn doubled(n: u64) -> u64 {
    if n % 2 == 0 {
        yield_now().await;
    }
    n * 2
}

operator_suite!(
    |flow: Numbers| flow.map_async(4, |n| ready(n * 2)),
    |items| items.into_iter().map(|n| n * 2).collect(),
    |flow: Numbers| flow.map_async(4, |n| {
        seven(n);
        ready(n)
    }),
);

mod in_tasks {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.map_async(3, doubled),
        |items| items.into_iter().map(|n| n * 2).collect(),
        |flow: Numbers| flow.map_async(3, |n| async move {
            yield_now().await;
            seven(n);
            n
        }),
    );
}

mod one_at_a_time {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.map_async(1, doubled),
        |items| items.into_iter().map(|n| n * 2).collect(),
        // The panic is that of a future's first poll.
        |flow: Numbers| flow.map_async(1, |n| async move {
            seven(n);
            n
        }),
    );
}

mod read_by_an_adapter {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.map_async(3, doubled).per_lane(|lane| lane.map(|n| n + 1)),
        |items| items.into_iter().map(|n| n * 2 + 1).collect(),
        |flow: Numbers| flow
            .map_async(3, |n| async move {
                yield_now().await;
                seven(n);
                n
            })
            .per_lane(|lane| lane.map(|n| n)),
    );
}

/// How many are in flight, and the most that ever were.
#[derive(Default)]
struct InFlight {
    now: Arc<AtomicUsize>,
    peak: AtomicUsize,
}

impl InFlight {
    fn enter(&self) -> Alive {
        let alive = Alive::new(&self.now);
        self.peak.fetch_max(self.now.load(Ordering::SeqCst), Ordering::SeqCst);
        alive
    }
}

#[tokio::test(start_paused = true)]
async fn as_many_futures_are_in_flight_as_may_be_over_all_lanes_and_never_more() {
    for lanes in 1..=8 {
        for n in [1, 2, 7, 1000] {
            let in_flight = Arc::new(InFlight::default());
            let seen = in_flight.clone();
            let items = if n == 1000 { 3000 } else { 200 };
            let flow = counting(items).lanes(lanes).map_async(n, move |item| {
                let seen = seen.clone();
                async move {
                    let alive = seen.enter();
                    sleep(Duration::from_millis(1 + item % 3)).await;
                    drop(alive);
                    item
                }
            });
            let got: Vec<u64> = flow.collect().await;
            assert_eq!(sorted(got), (0..items).collect::<Vec<_>>());
            let peak = in_flight.peak.load(Ordering::SeqCst);
            assert_eq!(peak, n, "{lanes} lanes");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_futures_are_in_flight_than_may_be_on_many_threads_either() {
    for (lanes, n) in [(2, 1), (8, 1), (3, 2), (8, 7)] {
        let in_flight = Arc::new(InFlight::default());
        let seen = in_flight.clone();
        let flow = counting(3000).lanes(lanes).demand(10, 5).map_async(n, move |item| {
            let seen = seen.clone();
            async move {
                let _alive = seen.enter();
                doubled(item).await
            }
        });
        let got: Vec<u64> = flow.collect().await;
        assert_eq!(got.len(), 3000);
        assert!(in_flight.peak.load(Ordering::SeqCst) <= n, "{lanes} lanes, {n} at a time");
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_future_starts_as_soon_as_one_has_finished() {
    // Two of 30 ms side by side with six of 10 ms one after the other.
    let started = tokio::time::Instant::now();
    let sleeps = [30, 30, 10, 10, 10, 10, 10, 10];
    let flow = Flow::from_iter(sleeps).lanes(1).map_async(3, |ms| sleep(Duration::from_millis(ms)));
    assert_eq!(flow.collect::<Vec<()>>().await.len(), 8);
    // The clock of tokio counts in steps of 1 ms.
    assert!(started.elapsed() <= Duration::from_millis(46), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn results_come_as_they_finish() {
    let flow = Flow::from_iter([40, 10, 30, 20]).lanes(1).map_async(4, |ms| async move {
        sleep(Duration::from_millis(ms)).await;
        ms
    });
    assert_eq!(flow.collect::<Vec<_>>().await, [10, 20, 30, 40]);
}

#[tokio::test]
async fn one_lane_with_one_at_a_time_keeps_the_order() {
    let got: Vec<u64> = counting(500).lanes(1).map_async(1, doubled).collect().await;
    assert!(got.into_iter().eq((0..500).map(|n| n * 2)));
}

#[tokio::test]
async fn no_lane_starves_another_for_a_permit() {
    let sources = || [0u64, 1].map(|which| stream::repeat(which).boxed());
    for read in [3, 4000] {
        let turns: [u8; 2] = [0, 1];
        for pends in turns {
            let flow =
                Flow::from_streams(sources()).lanes(2).demand(10, 5).map_async(1, move |n| async move {
                    if pends == 1 {
                        yield_now().await;
                    }
                    n
                });
            let mut from = [0, 0];
            let mut flow = flow.into_stream().take(read * 10);
            while let Some(which) = flow.next().await {
                from[which as usize] += 1;
            }
            assert!(from[0] >= read && from[1] >= read, "{from:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_started_ends_though_nobody_reads() {
    let done = Arc::new(AtomicUsize::new(0));
    let counts = done.clone();
    let mut flow = counting(1000).lanes(2).demand(10, 5).map_async(6, move |n| {
        let counts = counts.clone();
        async move {
            sleep(Duration::from_millis(10)).await;
            sleep(Duration::from_millis(10)).await;
            counts.fetch_add(1, Ordering::SeqCst);
            n
        }
    });
    assert!(flow.next().now_or_never().is_none());
    sleep(Duration::from_secs(60)).await;
    let ahead = done.load(Ordering::SeqCst);
    // Full are two edges of 10, and then each lane's futures ended and were not read.
    assert!((20..=20 + 2 * 6).contains(&ahead), "{ahead} are done");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(done.load(Ordering::SeqCst), ahead, "nothing more is started while nobody reads");
    assert_eq!(flow.count().await, 1000);
}

#[tokio::test(start_paused = true)]
async fn what_was_started_ends_though_an_adapter_behind_it_is_busy() {
    let late = Arc::new(AtomicUsize::new(0));
    let counts = late.clone();
    let flow = counting(30)
        .lanes(2)
        .map_async(4, move |_| {
            let counts = counts.clone();
            async move {
                let steps = async {
                    sleep(Duration::from_millis(10)).await;
                    sleep(Duration::from_millis(10)).await;
                };
                if timeout(Duration::from_millis(100), steps).await.is_err() {
                    counts.fetch_add(1, Ordering::SeqCst);
                }
            }
        })
        .per_lane(|lane| lane.then(|()| sleep(Duration::from_secs(60))));
    assert_eq!(flow.collect::<Vec<_>>().await.len(), 30);
    assert_eq!(late.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_is_not_polled_holds_no_permit() {
    use tokio_stream::StreamExt as _;
    // Lane 0 is left alone by its adapter while it waits for a permit; lane 1 has the only one and goes on.
    let mut lanes = 0;
    let parts = [vec![0u64; 50], vec![1; 50]];
    let flow = Flow::from_iters(parts)
        .lanes(2)
        .map_async(1, |n| async move {
            sleep(Duration::from_millis(7)).await;
            n
        })
        .per_lane(move |lane| {
            lanes += 1;
            let rest = if lanes == 1 { 1000 } else { 0 };
            // Emits what it has after 10 ms, and then sleeps.
            let chunks = lane.chunks_timeout(100, Duration::from_millis(10));
            futures::StreamExt::then(chunks, move |chunk| async move {
                sleep(Duration::from_secs(rest)).await;
                chunk
            })
        });
    let mut all = Box::pin(flow);
    let started = tokio::time::Instant::now();
    let (mut ones, mut when) = (0, None);
    while let Some(chunk) = futures::StreamExt::next(&mut all).await {
        ones += chunk.iter().filter(|n| **n == 1).count();
        if ones == 50 && when.is_none() {
            when = Some(started.elapsed());
        }
    }
    assert!(
        when.unwrap() < Duration::from_secs(1000),
        "lane 1 was done before lane 0 was polled again: {when:?}"
    );
}

#[tokio::test]
async fn dropping_the_flow_drops_all_futures_at_once() {
    let alive = Arc::new(AtomicUsize::new(0));
    let counts = alive.clone();
    let mut flow = counting(1000).lanes(3).map_async(50, move |_| {
        let alive = Alive::new(&counts);
        async move {
            let _alive = alive;
            pending::<u64>().await
        }
    });
    assert!(flow.next().now_or_never().is_none());
    settle().await;
    assert_eq!(alive.load(Ordering::SeqCst), 50);
    drop(flow);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_future_outlives_a_flow_that_is_dropped_while_they_are_polled() {
    for _ in 0..20 {
        let alive = Arc::new(AtomicUsize::new(0));
        let counts = alive.clone();
        let mut flow = counting(100_000).lanes(3).map_async(20, move |n| {
            let alive = Alive::new(&counts);
            async move {
                let _alive = alive;
                for _ in 0..n % 5 {
                    yield_now().await;
                }
            }
        });
        for _ in 0..100 {
            flow.next().await;
        }
        drop(flow);
        // Those that another thread is polling go when that poll returns.
        while alive.load(Ordering::SeqCst) > 0 {
            yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_lane_that_ends_early_gives_its_permits_back() {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = stopped.shared();
    let alive = Arc::new(AtomicUsize::new(0));
    let counts = alive.clone();
    let mut lanes = 0;
    // The futures of lane 0 never end, and have all permits.
    let mut flow = Flow::from_streams([
        stream::iter(vec![0u64; 10]).boxed(),
        stream::once(async {
            settle().await;
            1
        })
        .chain(stream::iter(vec![1; 99]))
        .boxed(),
    ])
    .lanes(2)
    .map_async(2, move |n| {
        let alive = Alive::new(&counts);
        async move {
            let _alive = alive;
            if n == 0 {
                pending::<()>().await;
            }
            yield_now().await;
            n
        }
    })
    .per_lane(move |lane| {
        lanes += 1;
        if lanes == 1 { lane.take_until(stopped.clone()).boxed() } else { lane.boxed() }
    });
    assert!(flow.next().now_or_never().is_none());
    for _ in 0..5 {
        settle().await;
    }
    assert_eq!(alive.load(Ordering::SeqCst), 2);
    assert!(flow.next().now_or_never().is_none(), "lane 1 has no permit");
    stop.send(()).unwrap();
    let mut ones = 0;
    while flow.next().await.is_some() {
        ones += 1;
    }
    assert_eq!(ones, 100);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_panic_in_a_task_reaches_a_reader_who_does_not_wait_for_it() {
    // The others never end: the panic stops them.
    let alive = Arc::new(AtomicUsize::new(0));
    let counts = alive.clone();
    let flow = counting(20).lanes(2).map_async(20, move |n| {
        let alive = Alive::new(&counts);
        async move {
            let _alive = alive;
            yield_now().await;
            seven(n);
            pending::<()>().await;
        }
    });
    let caught = AssertUnwindSafe(flow.collect::<Vec<_>>()).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"seven"));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn a_runtime_that_goes_does_not_look_like_the_end() {
    let lanes = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let alive = Arc::new(AtomicUsize::new(0));
    let counts = alive.clone();
    let mut flow = counting(10)
        .lanes(2)
        .map_async(10, move |n| {
            let alive = Alive::new(&counts);
            async move {
                let _alive = alive;
                if n < 5 {
                    return n;
                }
                pending().await
            }
        })
        .on(lanes.handle().clone());
    let first: Vec<u64> = futures::executor::block_on(flow.by_ref().take(5).collect());
    assert_eq!(sorted(first), [0, 1, 2, 3, 4]);
    drop(lanes);
    let caught = std::panic::catch_unwind(AssertUnwindSafe(|| futures::executor::block_on(flow.next())));
    let message = caught.unwrap_err();
    let message = message.downcast_ref::<&str>().unwrap();
    assert!(message.contains("was shut down"), "{message}");
    drop(flow);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn futures_that_use_up_the_budget_of_a_task_go_on_in_place() {
    let polls = Arc::new(AtomicUsize::new(0));
    let counts = polls.clone();
    let flow = counting(10_000).lanes(1).map_async(1000, move |n| {
        let counts = counts.clone();
        async move {
            std::future::poll_fn(|cx| {
                counts.fetch_add(1, Ordering::SeqCst);
                std::pin::pin!(tokio::task::coop::consume_budget()).poll(cx)
            })
            .await;
            n
        }
    });
    assert_eq!(flow.count().await, 10_000);
    let polls = polls.load(Ordering::SeqCst);
    assert!(polls < 11_000, "{polls} polls of 10000 futures that are ready");
}

#[tokio::test]
async fn debug_tells_how_many_may_be_and_are_in_flight() {
    let flow = Flow::from_iter(0..9u64).lanes(1).map_async(4, |_| pending::<()>());
    let mut flow = flow.per_lane(|lane| {
        let mut lane = Box::pin(lane);
        stream::poll_fn(move |cx| {
            let polled = lane.poll_next_unpin(cx);
            let debug = format!("{lane:?}");
            assert!(debug.starts_with("MapAsyncLane") && debug.contains("n: 4"), "{debug}");
            assert!(debug.contains("outstanding: 4") && debug.contains("free: 0"), "{debug}");
            polled
        })
    });
    assert!(flow.next().now_or_never().is_none());
    settle().await;
    assert!(futures::poll!(flow.next()).is_pending(), "no assertion failed in the lane");
}

#[tokio::test]
async fn the_size_hint_is_exact_and_counts_down() {
    let mut flow = Flow::from_iter(0..1200u64).lanes(1).map_async(3, doubled);
    assert_eq!(flow.size_hint(), (1200, Some(1200)));
    for left in (0..1200).rev() {
        assert!(flow.next().await.is_some());
        assert_eq!(flow.size_hint(), (left, Some(left)));
    }
    assert_eq!(Flow::from_iter(0..5u64).filter_map_async(1, |n| ready(Some(n))).size_hint(), (0, Some(5)));
}

#[tokio::test(start_paused = true)]
async fn the_size_hint_of_a_lane_counts_what_is_in_flight() {
    let flow = Flow::from_iter(0..10u64).lanes(1).map_async(4, |n| async move {
        sleep(Duration::from_millis(n)).await;
        n
    });
    let flow = flow.per_lane(|lane| {
        let mut lane = Box::pin(lane);
        let mut left = 10;
        stream::poll_fn(move |cx| {
            assert_eq!(lane.size_hint(), (left, Some(left)));
            let polled = lane.poll_next_unpin(cx);
            if matches!(polled, std::task::Poll::Ready(Some(_))) {
                left -= 1;
            }
            polled
        })
    });
    assert_eq!(flow.count().await, 10);
}

#[test]
#[should_panic(expected = "map_async needs room for at least 1 future in flight, given 0")]
fn map_async_without_room_is_refused() {
    let _ = counting(1).map_async(0, ready);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_does_what_it_does_in_sequence(
        items in prop::collection::vec(any::<u16>(), 0..300),
        (a, b) in (1usize..9, 1usize..9),
        n in prop::sample::select(vec![1usize, 2, 7, 1000]),
        m in 1usize..5,
        demand in prop::sample::select(vec![1usize, 2, 3, 10, 1000]),
        threads in 1usize..3,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).build().unwrap();
        let flow = Flow::from_iter(items.clone())
            .lanes(a)
            .demand(demand, demand / 2)
            .map_async(n, |item| async move {
                for _ in 0..item % 4 {
                    yield_now().await;
                }
                u32::from(item) + 1
            })
            .filter_map_async(m, |item| async move {
                if item % 3 == 0 {
                    yield_now().await;
                }
                (item % 5 != 0).then_some(item)
            })
            .shuffle()
            .lanes(b)
            .demand(demand, 0)
            .map_async(n, |item| ready(item * 2));
        let got = runtime.block_on(runtime.spawn(flow.collect::<Vec<_>>())).unwrap();
        let expected = items.iter().map(|n| u32::from(*n) + 1).filter(|n| n % 5 != 0).map(|n| n * 2);
        prop_assert_eq!(sorted(got), sorted(expected));
    }
}

/// How long it takes when each item takes 20 ms, by the paused clock.
async fn slow(flow: Flow<impl Flowing<Item = u64>>, n: usize) -> Duration {
    let start = tokio::time::Instant::now();
    let slow = flow.map_async(n, async |n: u64| {
        sleep(Duration::from_millis(20)).await;
        n
    });
    assert_eq!(sorted(slow.collect::<Vec<_>>().await), (0..40).collect::<Vec<_>>());
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_short_input_fills_all_places_whatever_the_source_and_the_lanes() {
    for lanes in [1, 4, 8] {
        for (n, rounds) in [(1, 40), (4, 10), (8, 5), (40, 1), (100, 1)] {
            let stage = from_iter(0..40).stage().spawn();
            let took = [
                slow(Flow::from_iter(0..40).lanes(lanes), n).await,
                slow(counting(40).lanes(lanes), n).await,
                slow(counting(40).lanes(2).shuffle().lanes(lanes), n).await,
                slow(Flow::from_stages([stage]).lanes(lanes), n).await,
            ];
            assert_eq!(took, [Duration::from_millis(20) * rounds; 4], "{lanes} lanes, {n} at once");
        }
    }
}
