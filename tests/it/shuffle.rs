use crate::common::{Numbers, counting, operator_suite, seven};
use futures::{StreamExt, stream};
use gen_stage::Flow;

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
        let first: Vec<u64> = flow.take(200).collect().await;
        let ones = first.into_iter().sum::<u64>();
        assert!((50..=150).contains(&ones), "{ones} of 200 came from the second source at {max}/{min}");
    }
}
