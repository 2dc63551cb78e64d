//! What becomes of a flow when something in it goes wrong.

use crate::support::{Watched, counting, numbers, settle, seven};
use futures::stream::FusedStream;
use futures::{FutureExt, StreamExt};
use gen_stage::Flow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_any_layer_is_raised_after_all_lanes_are_gone() {
    for layer in 0..3 {
        let watched = Watched::new();
        let panics_in = move |at| {
            move |n: &u64| {
                if layer == at {
                    seven(*n);
                }
            }
        };
        let flow = numbers(watched.endless())
            .lanes(2)
            .inspect(panics_in(0))
            .partition()
            .lanes(3)
            .inspect(panics_in(1))
            .shuffle()
            .lanes(2)
            .inspect(panics_in(2));
        let caught = AssertUnwindSafe(StreamExt::for_each(flow, |_| async {})).catch_unwind().await;
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"), "layer {layer}");
        assert!(!watched.is_alive(), "layer {layer}");
    }
}

#[tokio::test]
async fn after_its_panic_a_flow_has_ended() {
    let mut flow = counting(10).inspect(|n| seven(*n));
    let reading = async { while flow.next().await.is_some() {} };
    assert!(AssertUnwindSafe(reading).catch_unwind().await.is_err());
    assert!(flow.is_terminated());
    assert_eq!(flow.next().await, None);
}

#[tokio::test]
async fn a_panic_is_raised_though_another_lane_never_ends_to_send() {
    let streams = [futures::stream::repeat(1).boxed(), futures::stream::iter([7]).boxed()];
    let flow = Flow::from_streams(streams).lanes(2).inspect(|n| seven(*n));
    let caught = AssertUnwindSafe(StreamExt::for_each(flow, |_| async {})).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
}

#[test]
fn a_flow_whose_runtime_is_gone_does_not_end_as_if_it_were_complete() {
    let lanes = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let mut flow =
        numbers(futures::stream::iter(0..3).chain(futures::stream::pending())).on(lanes.handle().clone());
    assert_eq!(futures::executor::block_on(flow.next()), Some(0));
    lanes.shutdown_background();
    let reading = async { while flow.next().await.is_some() {} };
    let caught = futures::executor::block_on(AssertUnwindSafe(reading).catch_unwind());
    let message = caught.unwrap_err();
    let message = message.downcast_ref::<&str>().unwrap();
    assert!(message.contains("runtime of the flow was shut down"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_a_flow_in_full_run_drops_everything_in_it() {
    for round in 0..50 {
        let alive = Arc::new(AtomicUsize::new(0));
        let counts = alive.clone();
        let mut flow = Flow::from_iter(0u64..)
            .lanes(2)
            .map(move |_| crate::support::Alive::new(&counts))
            .partition_with(2, |_| Some(0))
            .lanes(2);
        for _ in 0..round {
            assert!(flow.next().await.is_some());
        }
        drop(flow);
        // A lane that was being polled by another thread stops when that poll returns.
        let mut waited = 0;
        while alive.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
            waited += 1;
            assert!(waited < 10_000_000, "items are alive long after their flow");
        }
    }
}

#[tokio::test]
async fn no_task_outlives_its_flow() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let mut flow = counting(1_000_000).lanes(3).partition().lanes(4);
    flow.next().await;
    assert_eq!(tasks(), before + 1 + 3 + 4);
    drop(flow);
    settle().await;
    assert_eq!(tasks(), before);
    counting(10).run().await;
    assert_eq!(tasks(), before, "nor one that came to its end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_can_be_dropped_from_inside_of_one_of_its_lanes() {
    let slot: Arc<std::sync::Mutex<Option<futures::stream::BoxStream<'static, ()>>>> = Arc::default();
    let inside = slot.clone();
    let watched = Watched::new();
    let mut flow = numbers(watched.endless())
        .lanes(1)
        .map(move |n| {
            if n >= 2000 {
                drop(inside.lock().unwrap().take());
            }
        })
        .into_stream()
        .boxed();
    assert_eq!(flow.next().await, Some(()));
    *slot.lock().unwrap() = Some(flow);
    // Goes on only when somebody reads: the lane has room for what was read.
    loop {
        let reading = slot.lock().unwrap().as_mut().map(|flow| flow.next().now_or_never());
        if reading.is_none() {
            break;
        }
        tokio::task::yield_now().await;
    }
    while watched.is_alive() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_first_panic_is_raised_though_dropping_the_rest_panics_too() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                std::panic::panic_any("dropped");
            }
        }
    }
    let bomb = Bomb;
    let silent = futures::stream::pending().inspect(move |_: &u64| {
        let _ = &bomb;
    });
    let streams = [silent.boxed(), futures::stream::iter([7]).boxed()];
    let flow = Flow::from_streams(streams).lanes(2).inspect(|n| seven(*n));
    let caught = AssertUnwindSafe(flow.collect::<Vec<_>>()).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
}
