//! `ordered`: source order over all lanes.

use crate::support::shapes::run;
use crate::support::{Alive, Numbers, Watched, counting, numbers, operator_suite, settle, seven};
use futures::{FutureExt, StreamExt, stream};
use gen_stage::testing::test_source;
use gen_stage::{Flow, StreamFlow};
use proptest::prelude::*;
use std::future::{pending, ready};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

operator_suite!(
    |flow: Numbers| flow.map(|n| n * 2).ordered(),
    |items| items.into_iter().map(|n| n * 2).collect(),
    |flow: Numbers| flow
        .map(|n| {
            seven(n);
            n
        })
        .ordered(),
);

mod around_flat_map {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.flat_map(|n| vec![n; (n % 3) as usize]).ordered().map(|n| n + 1),
        |items| items.into_iter().flat_map(|n| vec![n + 1; (n % 3) as usize]).collect(),
        |flow: Numbers| flow.ordered().map(|n| {
            seven(n);
            n
        }),
    );
}

mod around_futures {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow
            .map_async(3, |n| async move {
                if n % 2 == 0 {
                    yield_now().await;
                }
                n
            })
            .ordered(),
        |items| items,
        |flow: Numbers| flow
            .map_async(3, |n| async move {
                yield_now().await;
                seven(n);
                n
            })
            .ordered(),
    );
}

mod read_by_an_adapter {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.filter(|n| n % 3 != 0).ordered().per_lane(|lane| lane.map(|n| n + 1)),
        |items| items.into_iter().filter(|n| n % 3 != 0).map(|n| n + 1).collect(),
        |flow: Numbers| flow
            .map(|n| {
                seven(n);
                n
            })
            .ordered()
            .per_lane(|lane| lane.map(|n| n)),
    );
}

/// Futures that end in a very different order than they started.
async fn uneven(n: u64) -> u64 {
    sleep(Duration::from_millis((n * 7919) % 50)).await;
    n
}

#[tokio::test(start_paused = true)]
async fn results_of_futures_come_in_the_order_of_the_source() {
    for (lanes, n) in [(1, 1), (1, 100), (2, 1), (3, 2), (8, 7), (8, 1000)] {
        for demand in [1, 2, 1000] {
            let flow = counting(300).lanes(lanes).demand(demand, demand / 2);
            let got: Vec<u64> = flow.map_async(n, uneven).ordered().collect().await;
            assert!(got.into_iter().eq(0..300), "{lanes} lanes, {n} in flight, demand {demand}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_item_that_takes_long_holds_up_all_others_and_no_more() {
    for lanes in 1..=8 {
        let begun = Arc::new(AtomicUsize::new(0));
        let counts = begun.clone();
        let mut flow = Flow::from_iter(0u64..)
            .lanes(lanes)
            .demand(2, 1)
            .map_async(20, move |n| {
                counts.fetch_add(1, Ordering::SeqCst);
                sleep(Duration::from_secs(if n == 0 { 1000 } else { 0 })).map(move |()| n)
            })
            .ordered();
        assert!(flow.next().now_or_never().is_none());
        sleep(Duration::from_secs(999)).await;
        let ahead = begun.load(Ordering::SeqCst);
        // Of each lane, an edge of 2, and results of 20 futures: those that are done have given their permits back.
        assert!((20..=lanes * (20 + 2)).contains(&ahead), "{ahead} were begun in {lanes} lanes");
        if lanes == 1 {
            assert_eq!(ahead, 20, "nothing has left the lane of the first item");
        }
        assert!(flow.next().now_or_never().is_none());
        let got: Vec<u64> = flow.into_stream().take(1000).collect().await;
        assert!(got.into_iter().eq(0..1000));
    }
}

#[tokio::test]
async fn what_waits_for_its_turn_is_bounded() {
    for lanes in [2, 3, 8] {
        for max in [1, 2, 10, 100] {
            let (go, wait) = tokio::sync::oneshot::channel::<()>();
            let mut wait = Some(wait);
            let alive = Arc::new(AtomicUsize::new(0));
            let (counts, peak) = (alive.clone(), Arc::new(AtomicUsize::new(0)));
            let seen = peak.clone();
            // The first item is not there yet: nothing can come out.
            let source = stream::iter(0..3000u64).map(move |n| (n, wait.take()));
            let mut flow = source
                .flow()
                .lanes(lanes)
                .demand(max, max / 2)
                .map_async(2, move |(n, wait)| {
                    let (counts, seen) = (counts.clone(), seen.clone());
                    async move {
                        if let Some(wait) = wait {
                            wait.await.unwrap();
                        }
                        let alive = Alive::new(&counts);
                        seen.fetch_max(counts.load(Ordering::SeqCst), Ordering::SeqCst);
                        (n, alive)
                    }
                })
                .ordered();
            assert!(flow.next().now_or_never().is_none());
            for _ in 0..10 {
                settle().await;
            }
            go.send(()).unwrap();
            for expected in 0..3000 {
                assert_eq!(flow.next().await.map(|(n, _)| n), Some(expected));
            }
            assert!(flow.next().await.is_none());
            // Of each lane an edge and two results, an edge to the reader, and what is in the reader's hands.
            let peak = peak.load(Ordering::SeqCst);
            assert!(peak <= lanes * (max + 2) + max + 1, "{peak} with {lanes} lanes and demand {max}");
            assert!(peak >= (lanes - 1) * max, "{peak} with {lanes} lanes and demand {max}");
        }
    }
}

#[tokio::test]
async fn items_that_become_nothing_or_thousands_keep_their_places() {
    for (lanes, demand) in [(1, 1), (2, 1), (3, 2), (8, 10), (4, 1000)] {
        let sizes = |n: u64| [0, 3000, 0, 1, 0, 0, 2, 700][(n % 8) as usize];
        let flow = counting(60)
            .lanes(lanes)
            .demand(demand, demand / 2)
            .flat_map(move |n| (0..sizes(n)).map(move |at| (n, at)))
            .filter(|(_, at)| at % 3 != 1)
            .ordered();
        let got: Vec<_> = flow.collect().await;
        let expected =
            (0..60).flat_map(|n| (0..sizes(n)).map(move |at| (n, at))).filter(|(_, at)| at % 3 != 1);
        assert!(got.into_iter().eq(expected), "{lanes} lanes, demand {demand}");
    }
}

#[tokio::test]
async fn a_flow_of_which_all_is_dropped_ends() {
    for lanes in 1..=8 {
        let flow = counting(5000).lanes(lanes).demand(3, 1).filter(|_| false).ordered();
        assert_eq!(flow.count().await, 0);
        let flow = counting(5000).lanes(lanes).map_async(2, ready).filter(|n| *n == 4999).ordered();
        assert_eq!(flow.collect::<Vec<_>>().await, [4999]);
    }
}

#[tokio::test]
async fn dropped_items_in_front_of_futures_take_no_place_of_theirs() {
    // One in 100 is left, and 8 of these are in flight at the same time though the first of them never ends.
    let begun = Arc::new(AtomicUsize::new(0));
    let counts = begun.clone();
    let mut flow = counting(2000)
        .lanes(1)
        .filter(|n| n % 100 == 0)
        .map_async(8, move |_| {
            counts.fetch_add(1, Ordering::SeqCst);
            pending::<u64>()
        })
        .ordered();
    assert!(flow.next().now_or_never().is_none());
    settle().await;
    assert_eq!(begun.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn no_more_is_dropped_ahead_of_a_future_than_may_wait() {
    for lanes in [1, 3] {
        let watched = Watched::new();
        let flow = numbers(watched.endless()).lanes(lanes).demand(10, 5).filter(|n| *n == 0);
        let mut flow = flow.map_async(3, |_| pending::<()>()).ordered();
        assert!(flow.next().now_or_never().is_none());
        for _ in 0..5 {
            settle().await;
        }
        // Of each lane an edge before it, a line of 3 and 10, and an edge behind it.
        let taken = watched.taken();
        assert!((13..=lanes * (10 + 13 + 10)).contains(&taken), "{taken} were taken with {lanes} lanes");
    }
}

#[tokio::test]
async fn order_holds_through_layers() {
    let flow = counting(2000)
        .lanes(3)
        .demand(10, 5)
        .flat_map(|n| [n * 2, n * 2 + 1])
        .shuffle()
        .lanes(4)
        .demand(7, 3)
        .filter(|n| n % 3 != 0)
        .map_async(5, |n| async move {
            if n % 5 == 0 {
                yield_now().await;
            }
            n
        })
        .ordered();
    let got: Vec<u64> = flow.collect().await;
    assert!(got.into_iter().eq((0..4000).filter(|n| n % 3 != 0)));
}

#[tokio::test]
async fn order_can_be_restored_again() {
    let flow =
        counting(3000).lanes(3).ordered().filter(|n| n % 2 == 0).shuffle().lanes(5).map(|n| n / 2).ordered();
    assert!(flow.collect::<Vec<u64>>().await.into_iter().eq(0..1500));
    let twice = counting(3000).lanes(3).map(|n| n + 1).ordered().map(|n| n - 1).ordered();
    assert!(twice.collect::<Vec<u64>>().await.into_iter().eq(0..3000));
}

#[tokio::test]
async fn the_lanes_of_the_layer_can_be_set_behind_it() {
    let threads = Arc::new(std::sync::Mutex::new(std::collections::HashSet::new()));
    let seen = threads.clone();
    let mut lane = 0;
    let flow = counting(100)
        .map(move |n| {
            // The clone for each lane starts at 0, and counts its own items.
            lane += 1;
            seen.lock().unwrap().insert((n, lane));
            n
        })
        .ordered()
        .lanes(7)
        .demand(1, 0);
    assert!(flow.collect::<Vec<u64>>().await.into_iter().eq(0..100));
    let firsts = threads.lock().unwrap().iter().filter(|(_, nth)| *nth == 1).count();
    assert_eq!(firsts, 7, "seven lanes took a first item");
}

#[tokio::test]
async fn several_sources_each_keep_their_order() {
    let parts: Vec<Vec<(usize, usize)>> =
        (0..5).map(|part| (0..700).map(|at| (part, at)).collect()).collect();
    let flow = Flow::from_iters(parts).lanes(3).map(|item| item).ordered();
    let got: Vec<_> = flow.collect().await;
    assert_eq!(got.len(), 5 * 700);
    for part in 0..5 {
        let places = got.iter().filter(|(of, _)| *of == part).map(|(_, at)| *at);
        assert!(places.eq(0..700));
    }
}

#[tokio::test]
async fn the_sources_are_read_in_turn_until_all_have_ended() {
    let silent = stream::iter([1u64]).chain(stream::pending()).boxed();
    let busy = stream::iter([2u64; 3000]).boxed();
    let mut flow = Flow::from_streams([silent, busy]).lanes(2).ordered();
    let mut got = Vec::new();
    for _ in 0..3001 {
        got.push(flow.next().await.unwrap());
    }
    assert_eq!(got.iter().filter(|n| **n == 1).count(), 1);
    assert!(flow.next().now_or_never().is_none());
}

#[tokio::test]
async fn an_item_alone_does_not_wait() {
    let (source, input) = test_source();
    let mut flow = numbers(source).lanes(3).filter(|n| n % 2 == 0).map_async(2, ready).ordered();
    for n in 0..40 {
        input.send(n);
        if n % 2 == 0 {
            assert_eq!(flow.next().await, Some(n));
        }
    }
}

#[tokio::test]
async fn nothing_comes_out_behind_a_panic() {
    for lanes in 1..=4 {
        let mut flow = Flow::from_iter(0..1000u64)
            .lanes(lanes)
            .demand(10, 5)
            .map_async(3, |n| async move {
                if n % 3 == 0 {
                    yield_now().await;
                }
                seven(n);
                n
            })
            .ordered();
        let mut got = Vec::new();
        let reading = async {
            while let Some(n) = flow.next().await {
                got.push(n);
            }
        };
        let caught = AssertUnwindSafe(reading).catch_unwind().await;
        assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"seven"));
        assert!(got.len() <= 7 && got.iter().copied().eq(0..got.len() as u64), "{got:?}");
    }
}

#[tokio::test]
async fn dropping_the_flow_drops_what_waits_and_the_futures() {
    let watched = Watched::new();
    let alive = Arc::new(AtomicUsize::new(0));
    let counts = alive.clone();
    let mut flow = numbers(watched.endless())
        .lanes(3)
        .demand(10, 5)
        .map_async(6, move |n| {
            let alive = Alive::new(&counts);
            async move {
                if n == 4 {
                    pending::<()>().await;
                }
                alive
            }
        })
        .ordered();
    for _ in 0..4 {
        flow.next().await;
    }
    assert!(flow.next().now_or_never().is_none());
    settle().await;
    assert!(alive.load(Ordering::SeqCst) > 10);
    drop(flow);
    assert_eq!((alive.load(Ordering::SeqCst), watched.is_alive()), (0, false));
}

#[tokio::test]
async fn an_endless_flow_without_output_lets_other_tasks_run() {
    for lanes in [1, 2] {
        let mut flow = Flow::from_iter(0u64..).lanes(lanes).demand(10, 5).ordered().filter(|_| false);
        assert!(flow.next().now_or_never().is_none());
        settle().await;
        let mut flow = Flow::from_iter(0u64..)
            .lanes(lanes)
            .demand(10, 5)
            .map_async(2, ready)
            .filter(|_| false)
            .ordered();
        assert!(flow.next().now_or_never().is_none());
        settle().await;
    }
}

#[tokio::test]
async fn the_size_hint_is_exact_and_counts_down() {
    let mut flow = Flow::from_iter(0..1200u64).lanes(3).map(|n| n + 1).ordered();
    assert_eq!(futures::Stream::size_hint(&flow), (1200, Some(1200)));
    for left in (0..1200).rev() {
        assert!(flow.next().await.is_some());
        assert_eq!(futures::Stream::size_hint(&flow), (left, Some(left)));
    }
}

#[derive(Debug, Clone)]
struct Shape {
    items: Vec<u16>,
    lanes: (usize, usize),
    demands: (usize, usize),
    n: usize,
    threads: usize,
}

fn shape() -> impl Strategy<Value = Shape> {
    let demand = || prop::sample::select(vec![1usize, 2, 3, 10, 1000]);
    (
        prop::collection::vec(any::<u16>(), 0..300),
        (1usize..9, 1usize..9),
        (demand(), demand()),
        prop::sample::select(vec![1usize, 2, 7, 1000]),
        1usize..3,
    )
        .prop_map(|(items, lanes, demands, n, threads)| Shape { items, lanes, demands, n, threads })
}

impl Shape {
    fn run<R: Send + 'static>(&self, flow: impl Future<Output = R> + Send + 'static) -> R {
        run(self.threads, flow)
    }
}

async fn pend(times: u32) {
    for _ in 0..times {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_before_a_hold_does_not_end_the_order_after_it() {
    let few = || counting(100).lanes(2).demand(4, 2).map(|n| n).take_while(|n| *n < 50);
    let held = few().keep_newest(1000).lanes(2).ordered().collect::<Vec<_>>();
    let held = timeout(Duration::from_secs(1), held).await.expect("it ends");
    // Lanes that were slower than the one that saw the end may miss items; all that were passed on come out.
    assert!(held.len() > 40 && held.iter().all(|n| *n < 50), "{held:?}");
    let twice = few().keep_newest(1000).lanes(2).map(|n| n).take_while(|_| true).ordered();
    let twice = timeout(Duration::from_secs(1), twice.collect::<Vec<_>>()).await.expect("it ends");
    assert!(twice.len() > 40 && twice.iter().all(|n| *n < 50), "{twice:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_at_one_of_several_items_of_a_number_comes_out_though_the_source_is_silent() {
    for lanes in [1, 2, 5] {
        let silent = stream::iter([1, 2, 3]).chain(stream::pending()).flow().lanes(lanes).demand(2, 1);
        let few = silent.flat_map(|n| [n, n + 1]).take_while(|n| *n < 4).ordered();
        let few = timeout(Duration::from_secs(1), few.collect::<Vec<_>>()).await.expect("it ends");
        assert_eq!(few, [1, 2, 2, 3, 3], "{lanes} lanes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn all_operators_keep_the_sequence(shape in shape()) {
        let (a, b) = shape.lanes;
        let (x, y) = shape.demands;
        let flow = Flow::from_iter(shape.items.clone())
            .lanes(a)
            .demand(x, x / 2)
            .map(u32::from)
            .flat_map(|n| (0..n % 4).map(move |at| n + at))
            .filter(|n| n % 5 != 0)
            .map_async(shape.n, |n| async move {
                pend(n % 3).await;
                n
            })
            .flat_map(|n| vec![n; (n % 3) as usize])
            .filter_map_async(3, |n| async move {
                pend(n % 2).await;
                (n % 7 != 0).then_some(n)
            })
            .ordered()
            .inspect(|_| ())
            .shuffle()
            .lanes(b)
            .demand(y, 0)
            .filter_map(|n| n.checked_sub(3))
            .map_async(shape.n, |n| async move {
                pend(n % 4).await;
                n
            })
            .ordered();
        let expected: Vec<u32> = shape
            .items
            .iter()
            .map(|n| u32::from(*n))
            .flat_map(|n| (0..n % 4).map(move |at| n + at))
            .filter(|n| n % 5 != 0)
            .flat_map(|n| vec![n; (n % 3) as usize])
            .filter(|n| n % 7 != 0)
            .filter_map(|n| n.checked_sub(3))
            .collect();
        prop_assert_eq!(shape.run(flow.collect::<Vec<_>>()), expected);
    }

    #[test]
    fn a_shuffle_between_keeps_the_sequence(shape in shape()) {
        let (a, b) = shape.lanes;
        let (x, y) = shape.demands;
        let flow = Flow::from_iter(shape.items.clone())
            .lanes(a)
            .demand(x, x - 1)
            .filter(|n| n % 3 != 0)
            .flat_map(|n| vec![n; (n % 3) as usize])
            .shuffle()
            .lanes(b)
            .demand(y, y / 2)
            .map_async(shape.n, |n| async move {
                pend(u32::from(n % 3)).await;
                n
            })
            .reject(|n| n % 5 == 0)
            .ordered();
        let expected: Vec<u16> = shape
            .items
            .iter()
            .copied()
            .filter(|n| n % 3 != 0)
            .flat_map(|n| vec![n; (n % 3) as usize])
            .filter(|n| n % 5 != 0)
            .collect();
        prop_assert_eq!(shape.run(flow.collect::<Vec<_>>()), expected);
    }
}
