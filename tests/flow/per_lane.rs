use crate::support::{Numbers, counting, operator_suite, seven, sorted};
use futures::{StreamExt, stream};
use std::time::Duration;

operator_suite!(
    |flow: Numbers| flow.per_lane(|lane| lane.map(|n| n + 1)),
    |items| items.into_iter().map(|n| n + 1).collect(),
    |flow: Numbers| flow.per_lane(|lane| lane.map(|n| {
        seven(n);
        n
    })),
);

#[tokio::test(start_paused = true)]
async fn adapters_that_need_a_timer_get_that_of_the_runtime() {
    use tokio_stream::StreamExt as _;
    let batches: Vec<Vec<u64>> =
        counting(5).lanes(1).per_lane(|lane| lane.chunks_timeout(2, Duration::from_secs(1))).collect().await;
    assert_eq!(batches, [vec![0, 1], vec![2, 3], vec![4]]);
}

#[tokio::test]
async fn a_lane_that_ends_early_leaves_its_share_to_the_others() {
    // Lane 0 takes three items and ends; shared by demand, everything else goes to lane 1.
    let mut lane = 0;
    let mut flow = counting(1000).lanes(2).demand(1, 0).per_lane(move |items| {
        lane += 1;
        items.take(if lane == 1 { 3 } else { usize::MAX })
    });
    let mut got = Vec::new();
    while let Some(n) = flow.next().await {
        got.push(n);
    }
    let lost = flow.discarded();
    assert_eq!(got.len() as u64 + lost, 1000, "what is not read is counted");
    assert!(lost <= 1, "at most what was in flight to the lane that ended: {lost}");
}

#[tokio::test]
async fn a_partition_counts_what_it_sends_to_a_lane_that_ended() {
    let mut lane = 0;
    let mut flow =
        counting(100).lanes(1).partition_with(2, |n| Some((n % 2) as usize)).per_lane(move |items| {
            lane += 1;
            items.take(if lane == 1 { 5 } else { usize::MAX })
        });
    let mut got = Vec::new();
    while let Some(n) = flow.next().await {
        got.push(n);
    }
    assert_eq!(got.iter().filter(|n| *n % 2 == 0).count(), 5);
    assert_eq!(
        sorted(got.into_iter().filter(|n| n % 2 == 1)),
        (0..50).map(|n| n * 2 + 1).collect::<Vec<_>>()
    );
    assert_eq!(flow.discarded(), 45);
}

#[tokio::test]
async fn when_all_lanes_have_ended_the_source_is_dropped() {
    let watched = crate::support::Watched::new();
    let flow = crate::support::numbers(watched.endless()).lanes(2).per_lane(|lane| lane.take(2));
    assert_eq!(flow.collect::<Vec<_>>().await.len(), 4);
    assert!(!watched.is_alive());
}

#[tokio::test]
async fn a_flow_ends_when_its_lanes_have_though_the_source_is_silent() {
    for lanes in [1, 2] {
        let silent = || stream::iter([1, 2]).chain(stream::pending());
        let shared = crate::support::numbers(silent()).lanes(lanes).per_lane(|lane| lane.take(1));
        assert_eq!(shared.collect::<Vec<_>>().await.len(), lanes, "{lanes} lanes, by demand");
        let routed = crate::support::numbers(silent())
            .lanes(1)
            .partition_with(lanes, move |n| Some(*n as usize % lanes))
            .per_lane(|lane| lane.take(1));
        assert_eq!(routed.collect::<Vec<_>>().await.len(), lanes, "{lanes} lanes, by partition");
    }
}

#[tokio::test]
async fn a_lane_that_ends_while_a_batch_for_it_is_filled_does_no_harm() {
    let parts = [[0; 5].to_vec(), [1; 10].to_vec(), [0; 5].to_vec(), [1; 10].to_vec()].concat();
    let mut flow = gen_stage::Flow::from_iter(parts)
        .lanes(1)
        .partition_with(2, |n| Some(*n))
        .demand(10, 5)
        .per_lane(|lane| lane.take_while(|n| std::future::ready(*n != 0)));
    let mut ones = 0;
    while flow.next().await.is_some() {
        ones += 1;
    }
    assert_eq!(ones, 20);
    assert_eq!(flow.discarded(), 9, "all zeros but the one that ended the lane");
}
