use crate::support::shapes::shape;
use crate::support::{Numbers, Watched, counting, numbers, operator_suite, settle, seven, sorted};
use futures::{FutureExt, StreamExt, stream};
use gen_stage::Flow;
use gen_stage::window::Window;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

mod ready_at_once {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.then(async |n| n + 1),
        |items| items.into_iter().map(|n| n + 1).collect(),
        |flow: Numbers| flow.then(async |n| {
            seven(n);
            n
        }),
    );
}

mod not_ready_at_once {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.then(async |n| {
            yield_now().await;
            n + 1
        }),
        |items| items.into_iter().map(|n| n + 1).collect(),
        |flow: Numbers| flow.then(async |n| {
            yield_now().await;
            seven(n);
            n
        }),
    );
}

/// Takes some polls for some items.
async fn pend(n: u16) -> u16 {
    for _ in 0..n % 3 {
        yield_now().await;
    }
    n
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_lane_keeps_its_order(shape in shape()) {
        prop_assert_eq!(shape.run(shape.one_lane().then(pend).collect::<Vec<_>>()), shape.items.clone());
        prop_assert_eq!(sorted(shape.run(shape.flow().then(pend).collect::<Vec<_>>())), sorted(shape.items.clone()));
    }

    #[test]
    fn windows_are_closed_in_their_turn(shape in shape(), size in 1_usize..20) {
        let windows = shape.one_lane().window(Window::count(size)).then(pend).reduce(Vec::new, Vec::push).emit_state();
        let expected: Vec<Vec<u16>> = shape.items.chunks(size).map(<[u16]>::to_vec).collect();
        let mut windows: Vec<Vec<u16>> = shape.run(windows.collect::<Vec<_>>());
        // A last window that nothing came into is there too.
        windows.retain(|window| !window.is_empty());
        prop_assert_eq!(windows, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn each_lane_awaits_one_future_at_a_time() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (alive, peak) = (Arc::clone(&now), Arc::clone(&most));
    let start = Instant::now();
    let flow = counting(12).lanes(3).demand(1, 0).then(move |n| {
        let alive = Arc::clone(&alive);
        peak.fetch_max(alive.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        async move {
            sleep(Duration::from_secs(1)).await;
            alive.fetch_sub(1, Ordering::SeqCst);
            n
        }
    });
    assert_eq!(sorted(flow.collect::<Vec<_>>().await), (0..12).collect::<Vec<_>>());
    assert_eq!((now.load(Ordering::SeqCst), most.load(Ordering::SeqCst)), (0, 3));
    assert_eq!(start.elapsed().as_secs(), 4);
}

#[tokio::test]
async fn while_its_future_is_pending_a_lane_takes_nothing() {
    let watched = Watched::new();
    let mut flow = numbers(watched.endless()).lanes(2).demand(1, 0).then(|_| std::future::pending::<u64>());
    assert!(flow.next().now_or_never().is_none());
    settle().await;
    assert!(watched.taken() <= 2 + 2, "{} were taken", watched.taken());
    drop(flow);
    assert!(!watched.is_alive());
}

#[tokio::test]
async fn items_before_a_future_that_is_pending_come_out() {
    let stuck = Flow::from_iter(0..3_u64).lanes(1).then(|n| async move {
        if n == 2 {
            std::future::pending::<()>().await;
        }
        n
    });
    let first: Vec<u64> = stuck.into_stream().take(2).collect().await;
    assert_eq!(first, [0, 1]);
}

#[tokio::test]
async fn the_last_item_is_awaited_at_the_end_of_the_source() {
    let (sender, receiver) = tokio::sync::oneshot::channel::<u64>();
    let mut receiver = Some(receiver);
    let source = numbers(stream::once(async { 1 })).lanes(1);
    let mut got = tokio_test::task::spawn(
        source
            .per_lane(move |lane| {
                let receiver = receiver.take().unwrap().shared();
                lane.map(move |n| (n, receiver.clone()))
            })
            .then(async |(n, later)| n + later.await.unwrap())
            .collect::<Vec<_>>(),
    );
    assert!(got.poll().is_pending());
    settle().await;
    sender.send(41).unwrap();
    assert_eq!(got.await, [42]);
}
