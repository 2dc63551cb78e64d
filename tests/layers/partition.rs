use crate::support::{Numbers, Watched, counting, numbers, operator_suite, settle, seven, sorted};
use futures::{FutureExt, StreamExt, stream};
use gen_stage::dispatch::hash_lane;
use gen_stage::flow::Boxed;
use gen_stage::flow::Inner;
use gen_stage::prelude::*;
use gen_stage::stage::from_iter;
use std::collections::HashMap;
use tokio_util::sync::CancellationToken;

mod by_hash {
    use super::*;
    operator_suite!(|flow: Numbers| flow.partition().demand(10, 5), |items| items, |flow: Numbers| flow
        .inspect(|n| seven(*n))
        .partition(),);
}

mod by_key {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.partition_by(|n| n % 10).demand(10, 5),
        |items| items,
        |flow: Numbers| flow.partition_by(|n| {
            seven(*n);
            *n
        }),
    );
}

mod by_borrowed_key {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.partition_by_ref(|n| n).lanes(3).demand(10, 5),
        |items| items,
        |flow: Numbers| flow.partition_by_ref(|n| {
            seven(*n);
            n
        }),
    );
}

mod by_router {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.partition_with(3, |n| (n % 4 != 3).then_some((n % 4) as usize)).demand(10, 5),
        |items| items.into_iter().filter(|n| n % 4 != 3).collect(),
        |flow: Numbers| flow.partition_with(2, |n| {
            seven(*n);
            Some(0)
        }),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_keys_meet_in_the_lane_that_hash_lane_says() {
    let mut lane = 0;
    let seen: Vec<(usize, u64)> = counting(1000)
        .partition_by(|n| n % 7)
        .lanes(4)
        .per_lane(move |items| {
            let at = lane;
            lane += 1;
            items.map(move |n| (at, n))
        })
        .collect()
        .await;
    assert_eq!(seen.len(), 1000);
    for (lane, n) in seen {
        assert_eq!(lane, hash_lane(&(n % 7), 4));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_lane_above_keeps_the_order_of_each_key() {
    for demand in [(1, 0), (3, 1), (1000, 500)] {
        let by_key =
            counting(3000).lanes(1).partition_by(|n| n % 11).lanes(4).demand(demand.0, demand.1).reduce(
                HashMap::new,
                |keys: &mut HashMap<u64, Vec<u64>>, n| {
                    keys.entry(n % 11).or_default().push(n);
                },
            );
        for (key, items) in by_key.collect::<Vec<_>>().await {
            assert!(items.into_iter().eq((0..3000).filter(|n| n % 11 == key)), "key {key}");
        }
    }
}

#[tokio::test]
async fn a_lane_that_nobody_reads_stalls_the_source_and_grows_nothing() {
    let watched = Watched::new();
    // Lane 1 never asks for a second batch: it holds on to its first item for ever.
    let mut lane = 0;
    let mut flow = numbers(watched.endless())
        .lanes(1)
        .demand(4, 2)
        .partition_with(2, |n| Some((n % 2) as usize))
        .demand(10, 5)
        .per_lane(move |items| {
            lane += 1;
            let stuck = lane == 2;
            items.then(move |n| async move {
                if stuck {
                    std::future::pending::<()>().await;
                }
                n
            })
        });
    assert!(flow.next().now_or_never().is_none());
    settle().await;
    let mut read = 0;
    while let Some(Some(n)) = flow.next().now_or_never() {
        assert_eq!(n % 2, 0);
        read += 1;
        settle().await;
    }
    // As many even items as odd ones went before the odd lane was full.
    assert!((9..=12).contains(&read), "{read} items came through");
    assert!(watched.taken() <= 24, "{} items were taken", watched.taken());
}

#[tokio::test]
async fn items_do_not_wait_in_a_lane_above_for_another_lane_that_is_full() {
    // Lane 0 is full and stuck; the item for lane 1 that came before must be out all the same.
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    let mut lane = 0;
    let mut flow =
        numbers(receiver).lanes(1).partition_with(2, |n| Some((n % 2) as usize)).demand(2, 0).per_lane(
            move |items| {
                lane += 1;
                let stuck = lane == 1;
                items.then(move |n| async move {
                    if stuck {
                        std::future::pending::<()>().await;
                    }
                    n
                })
            },
        );
    for n in [1, 0, 2, 4, 6] {
        sender.unbounded_send(n).unwrap();
    }
    assert_eq!(flow.next().await, Some(1));
}

#[tokio::test]
async fn a_router_that_names_no_lane_ends_the_flow_with_a_clear_panic() {
    let flow = counting(3).partition_with(2, |_| Some(2));
    let caught = std::panic::AssertUnwindSafe(flow.collect::<Vec<_>>()).catch_unwind().await;
    let message = caught.unwrap_err().downcast::<String>().unwrap();
    assert_eq!(*message, "the router of partition_with chose lane 2, but the lanes are 0 to 1");
}

#[tokio::test]
async fn a_key_without_clone_is_borrowed() {
    #[derive(PartialEq, Eq, Hash)]
    struct Name(&'static str);

    let names = ["a", "b", "a"].map(|name| (Name(name), 1u64));
    let flow = Flow::from_streams([stream::iter(names)]).partition_by_ref(|(name, _)| name).reduce(
        HashMap::new,
        |counts: &mut HashMap<Name, u64>, (name, n)| {
            *counts.entry(name).or_default() += n;
        },
    );
    let counts: Vec<_> = flow.collect().await;
    assert_eq!(sorted(counts.into_iter().map(|(name, n)| (name.0, n))), [("a", 2), ("b", 1)]);
}

/// How many tasks a flow has while it runs, on a runtime of its own.
fn tasks<T: Send + 'static>(flow: impl FnOnce() -> Flow<Boxed<T>>) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut flow = flow();
        assert!(flow.next().await.is_some());
        tokio::runtime::Handle::current().metrics().num_alive_tasks()
    })
}

#[test]
fn a_layer_of_which_nothing_is_said_has_no_task() {
    let source = || Flow::from_iter(0_u64..);
    assert_eq!(tasks(|| source().partition().lanes(3).boxed()), 1 + 3);
    assert_eq!(tasks(|| source().partition_by(|n| *n).lanes(3).map(|n| n).boxed()), 1 + 3);
    assert_eq!(tasks(|| source().shuffle().lanes(3).boxed()), 1 + 3);
    assert_eq!(tasks(|| source().merge(source()).partition().lanes(3).boxed()), 2 + 3);
    assert_eq!(tasks(|| source().boxed().partition().lanes(3).boxed()), 1 + 3);
    assert_eq!(tasks(|| source().stop_when(CancellationToken::new()).partition().lanes(3).boxed()), 1 + 3);
    assert_eq!(tasks(|| source().boxed()), 1);
    // What is said is done.
    assert_eq!(tasks(|| source().lanes(2).partition().lanes(3).boxed()), 1 + 2 + 3);
    assert_eq!(tasks(|| source().lanes(2).map(|n| n).partition().lanes(3).boxed()), 1 + 2 + 3);
    assert_eq!(tasks(|| source().lanes(2).boxed()), 1 + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn right_behind_a_source_the_order_of_every_key_is_kept() {
    for _ in 0..20 {
        let keys = |n: &u64| n % 3;
        let sources = [
            Flow::from_iter(0..2000_u64).partition_by(keys).boxed(),
            counting(2000).partition_by(keys).boxed(),
            Flow::from_stages([from_iter(0..2000_u64).stage().spawn()]).partition_by(keys).boxed(),
        ];
        for flow in sources {
            let seen = flow.reduce(
                std::collections::HashMap::new,
                |seen: &mut std::collections::HashMap<u64, Vec<u64>>, n| {
                    seen.entry(n % 3).or_default().push(n);
                },
            );
            for (key, items) in seen.collect::<Vec<_>>().await {
                assert!(items.iter().copied().eq((0..2000).filter(|n| n % 3 == key)), "{key}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_operators_a_flow_is_read_in_the_order_of_its_source() {
    assert!(Flow::from_iter(0..5000_u64).collect::<Vec<_>>().await.into_iter().eq(0..5000));
    assert!(counting(5000).collect::<Vec<_>>().await.into_iter().eq(0..5000));
}

#[tokio::test]
async fn a_seed_spreads_keys_in_another_way_and_equal_ones_meet() {
    let twice = || Flow::from_iter((0..1000u64).chain(0..1000)).map(|n| n);
    let seeded = |seed: u64| {
        [
            twice().partition().hash_seed(seed).lanes(8).boxed(),
            twice().partition_by(|n| *n).hash_seed(seed).lanes(8).boxed(),
            twice().partition_by_ref(|n| n).hash_seed(seed).lanes(8).boxed(),
        ]
    };
    for flow in seeded(7) {
        let different = flow.reduce(HashMap::new, |seen, n| *seen.entry(n).or_insert(0) += 1);
        let counts: Vec<(u64, u32)> = different.collect().await;
        assert!(counts.len() == 1000 && counts.iter().all(|(_, n)| *n == 2), "equal ones meet");
    }
    // Of keys that are together without a seed, some are apart with one, and there are as many lanes at work.
    let crowd: Vec<u64> = (0..10_000).filter(|n| hash_lane(n, 8) == 0).take(800).collect();
    for seed in [1, 2, u64::MAX] {
        let flow = Flow::from_iter(crowd.clone()).partition().hash_seed(seed).lanes(8).boxed();
        let lanes: Vec<Vec<u64>> = flow.reduce(Vec::new, Vec::push).emit_state().collect().await;
        assert!(lanes.iter().all(|lane| (50..200).contains(&lane.len())), "{:?}", lanes.iter().map(Vec::len));
    }
}

#[tokio::test]
async fn joins_and_combine_take_a_seed_and_find_the_same() {
    let flow = || Flow::from_iter(0..100u64);
    for seed in [0, 7, u64::MAX] {
        let by_value = flow().bounded_join(Inner, flow(), |n| *n, |n| *n).hash_seed(seed).lanes(4);
        let by_ref = flow().bounded_join_ref(Inner, flow(), |n| n, |n| n).hash_seed(seed).lanes(4);
        for rows in [by_value.boxed(), by_ref.boxed()] {
            let lefts: Vec<u64> = rows.map(|(left, _)| left).collect().await;
            assert_eq!(sorted(lefts), (0..100).collect::<Vec<_>>());
        }
        let counts =
            flow().combine(10, |counts, n| *counts.at_owned(n % 10) += 1, |n: &mut u32, more| *n += more);
        let counts: Vec<(u64, u32)> = counts.hash_seed(seed).lanes(4).collect().await;
        assert_eq!(sorted(counts), (0..10).map(|key| (key, 10)).collect::<Vec<_>>());
    }
}
