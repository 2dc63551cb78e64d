use crate::support::{Numbers, counting, numbers, operator_suite, settle, seven};
use futures::StreamExt;
use gen_stage::testing::test_source;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

operator_suite!(
    |flow: Numbers| flow.map(odd_is_an_error).skip_errors(&Arc::default()),
    |items| items.into_iter().filter(|n| n % 2 == 0).collect(),
    |flow: Numbers| flow
        .map(|n| {
            seven(n);
            Ok::<_, ()>(n)
        })
        .skip_errors(&Arc::default()),
);

fn odd_is_an_error(n: u64) -> Result<u64, u64> {
    if n % 2 == 0 { Ok(n) } else { Err(n) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_errors_of_all_lanes_are_counted_together() {
    for lanes in [1, 2, 3, 8] {
        let skipped = Arc::new(AtomicU64::new(5));
        let values = counting(5000).lanes(lanes).map(odd_is_an_error).skip_errors(&skipped).count().await;
        assert_eq!((values, skipped.load(Ordering::Relaxed)), (2500, 5 + 2500), "{lanes} lanes");
    }
}

#[tokio::test]
async fn the_count_can_be_read_while_the_flow_runs_and_after_it_was_dropped() {
    let (source, input) = test_source();
    let skipped = Arc::default();
    let mut flow = numbers(source).lanes(1).map(odd_is_an_error).skip_errors(&skipped);
    for n in [1, 3, 2, 5] {
        input.send(n);
    }
    assert_eq!(flow.next().await, Some(2));
    settle().await;
    assert_eq!(skipped.load(Ordering::Relaxed), 3);
    drop(flow);
    assert_eq!(skipped.load(Ordering::Relaxed), 3);
}
