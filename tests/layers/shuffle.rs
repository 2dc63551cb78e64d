use crate::support::{Numbers, counting, operator_suite, seven};
use futures::{StreamExt, stream};
use gen_stage::Flow;
use std::time::Duration;
use tokio::time::Instant;

operator_suite!(|flow: Numbers| flow.shuffle().demand(10, 5), |items| items, |flow: Numbers| flow
    .shuffle()
    .inspect(|n| seven(*n)),);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_one_lane_to_one_keeps_the_order() {
    for (max, min) in [(1, 0), (7, 3), (1000, 500)] {
        let got: Vec<_> = counting(3000).lanes(1).shuffle().lanes(1).demand(max, min).collect().await;
        assert!(got.into_iter().eq(0..3000), "{max}/{min}");
    }
}

#[tokio::test]
async fn a_short_input_is_shared_by_all_lanes() {
    let mut lane = 0;
    let shares: Vec<u64> = counting(40)
        .lanes(4)
        .per_lane(move |items| {
            lane += 1;
            items.map(move |_| lane)
        })
        .collect()
        .await;
    for lane in 1..=4 {
        let share = shares.iter().filter(|l| **l == lane).count();
        assert!((3..=20).contains(&share), "lane {lane} got {share} of 40");
    }
}

/// A flow of which each lane takes 20 ms for each item that is slow.
macro_rules! slowly {
    ($flow:expr, $slow:expr) => {
        $flow.lanes(4).per_lane(move |lane| {
            lane.then(move |n| async move {
                if ($slow)(n) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                n
            })
        })
    };
}

#[tokio::test(start_paused = true)]
async fn slow_items_take_a_quarter_of_the_time_on_four_lanes() {
    let all = |_: u64| true;
    for items in [4, 40, 400] {
        let best = Duration::from_millis(20) * (items as u32 / 4);
        let start = Instant::now();
        assert_eq!(slowly!(Flow::from_iter(0..items), all).count().await, items);
        let iter = start.elapsed();
        assert_eq!(slowly!(counting(items), all).count().await, items);
        let stream = start.elapsed() - iter;
        assert_eq!(slowly!(counting(items).lanes(1).shuffle(), all).count().await, items);
        let shuffle = start.elapsed() - iter - stream;
        for took in [iter, stream, shuffle] {
            assert!(took <= best + best / 4 + Duration::from_millis(4), "{items} items took {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_end_of_known_length_is_shared() {
    for items in [2000, 20_000_u64] {
        let start = Instant::now();
        let flow = slowly!(Flow::from_iter(0..items), move |n| n >= items - 40);
        assert_eq!(flow.count().await, items);
        let took = start.elapsed();
        assert!(took <= Duration::from_millis(260), "the last 40 of {items} took {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lane_is_left_alone_with_a_short_input() {
    let busy = |n: u64| {
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_micros(50) {
            std::hint::spin_loop();
        }
        (n, tokio::task::id())
    };
    let mut alone = 0;
    for _ in 0..60 {
        let done: Vec<(u64, tokio::task::Id)> = Flow::from_iter(0..40).lanes(2).map(busy).collect().await;
        alone += usize::from(done.iter().all(|(_, task)| *task == done[0].1));
    }
    // Of 60 it was about 30 when the first to come was given all; now it takes a machine with no core to spare.
    assert!(alone <= 6, "in {alone} of 60 runs one lane got all");
}

#[tokio::test]
async fn lanes_that_never_ask_hold_nobody_up() {
    let mut lane = 0;
    let flow = counting(5000).lanes(4).demand(10, 5).per_lane(move |items| {
        lane += 1;
        if lane == 1 { items.boxed() } else { stream::pending().boxed() }
    });
    assert_eq!(flow.into_stream().take(5000).count().await, 5000);
}

#[tokio::test]
async fn a_lane_that_has_just_begun_has_its_turn_beside_lanes_that_want_much() {
    // The last lane comes after the others have grown to their full demand, and the source never ends.
    let (open, opened) = tokio::sync::watch::channel(false);
    let mut lane = 0;
    let mut flow = Flow::from_iter(0_u64..).lanes(4).per_lane(move |items| {
        lane += 1;
        let (late, mut opened) = (lane == 4, opened.clone());
        let begin = async move {
            if late {
                opened.wait_for(|open| *open).await.unwrap();
            }
        };
        stream::once(begin).flat_map(move |()| stream::empty()).chain(items).map(move |_| late)
    });
    for _ in 0..20_000 {
        assert_eq!(flow.next().await, Some(false));
    }
    open.send(true).unwrap();
    assert!(flow.into_stream().take(100_000).any(async |late| late).await);
}

#[tokio::test]
async fn a_slow_lane_does_not_hold_up_the_others() {
    let mut lane = 0;
    let mut flow = counting(100).lanes(2).demand(2, 1).per_lane(move |items| {
        lane += 1;
        let stuck = lane == 1;
        items.then(move |n| async move {
            if stuck {
                std::future::pending::<()>().await;
            }
            n
        })
    });
    // At most what was in flight to the stuck lane is missing.
    for _ in 0..98 {
        assert!(flow.next().await.is_some());
    }
}

#[tokio::test]
async fn edges_take_turns_though_each_batch_fills_the_next_edge() {
    for (max, min) in [(1, 0), (10, 5)] {
        let sources = [stream::repeat(0u64), stream::repeat(1)];
        let flow = Flow::from_streams(sources).lanes(2).shuffle().lanes(1).demand(max, min);
        let first: Vec<u64> = flow.into_stream().take(200).collect().await;
        let ones = first.into_iter().sum::<u64>();
        assert!((50..=150).contains(&ones), "{ones} of 200 came from the second source at {max}/{min}");
    }
}
