//! `run` and `for_each`.

use crate::support::{Watched, counting, numbers, settle, seven};
use futures::{FutureExt, StreamExt};
use gen_stage::Flow;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_runs_everything_and_gives_back_nothing() {
    for lanes in [1, 2, 8] {
        let sum = Arc::new(AtomicU64::new(0));
        let adds = sum.clone();
        counting(1000).lanes(lanes).inspect(move |n| _ = adds.fetch_add(*n, Ordering::Relaxed)).run().await;
        assert_eq!(sum.load(Ordering::Relaxed), 499_500);
    }
}

#[tokio::test]
async fn run_after_reduce_runs_the_reduce() {
    let sum = Arc::new(AtomicU64::new(0));
    let adds = sum.clone();
    counting(10).reduce(Vec::<u64>::new, move |_, n| _ = adds.fetch_add(n, Ordering::Relaxed)).run().await;
    assert_eq!(sum.load(Ordering::Relaxed), 45);
}

#[tokio::test]
async fn what_comes_out_last_need_not_be_send() {
    // Not Send: made and dropped in the same task.
    counting(10).map(Rc::new).run().await;
}

#[tokio::test]
async fn for_each_sees_every_item() {
    let seen = Arc::new(AtomicU64::new(0));
    let adds = seen.clone();
    counting(100).for_each(move |n| _ = adds.fetch_add(n, Ordering::Relaxed)).await;
    assert_eq!(seen.load(Ordering::Relaxed), 4950);
}

#[tokio::test]
async fn a_panic_reaches_whoever_awaits() {
    let caught = AssertUnwindSafe(counting(10).for_each(seven)).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
}

#[tokio::test]
async fn dropping_the_future_drops_the_source() {
    let watched = Watched::new();
    let mut running = tokio_test::task::spawn(numbers(watched.endless()).run());
    assert!(running.poll().is_pending());
    settle().await;
    assert!(watched.taken() > 0);
    drop(running);
    assert!(!watched.is_alive());
}

#[tokio::test]
#[should_panic(expected = "a flow that is already being read cannot be run")]
async fn a_flow_that_is_being_read_is_not_run_anew() {
    let mut flow = Flow::from_iter(0..10);
    flow.next().await;
    flow.run().await;
}
