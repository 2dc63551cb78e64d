use crate::support::{Numbers, counting, numbers, operator_suite, settle, seven};
use futures::{FutureExt, StreamExt, stream};
use gen_stage::Flow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

operator_suite!(
    |flow: Numbers| flow.flat_map(|n| vec![n; (n % 4) as usize]),
    |items| items.into_iter().flat_map(|n| vec![n; (n % 4) as usize]).collect(),
    |flow: Numbers| flow.flat_map(|n| {
        seven(n);
        [n]
    }),
);

#[tokio::test]
async fn one_lane_keeps_the_order_within_and_between_expansions() {
    let got: Vec<_> = counting(100).lanes(1).demand(3, 1).flat_map(|n| n * 10..n * 10 + 10).collect().await;
    assert!(got.into_iter().eq(0..1000));
}

#[tokio::test]
async fn a_huge_expansion_is_made_only_as_it_is_read() {
    let made = Arc::new(AtomicUsize::new(0));
    let counts = made.clone();
    let mut flow = numbers(stream::iter([0])).lanes(1).demand(10, 5).flat_map(move |_| {
        let counts = counts.clone();
        (0..u64::MAX).inspect(move |_| _ = counts.fetch_add(1, Ordering::SeqCst))
    });
    for expected in 0..25 {
        assert_eq!(flow.next().await, Some(expected));
        settle().await;
    }
    let made = made.load(Ordering::SeqCst);
    assert!(made <= 25 + 10, "{made} items were made for 25 that were read");
}

#[tokio::test]
async fn an_endless_expansion_without_output_lets_other_tasks_run() {
    let mut flow = numbers(stream::iter([0])).lanes(1).flat_map(|_| 0u64..).filter(|_| false);
    assert!(flow.next().now_or_never().is_none());
    settle().await;
}

#[tokio::test]
async fn a_panic_in_the_expansion_reaches_the_reader() {
    let flow = Flow::from_iter(0..10u64).flat_map(|n| (n..n + 2).inspect(|n| seven(*n)));
    let caught = std::panic::AssertUnwindSafe(flow.collect::<Vec<_>>()).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
}
