use crate::support::{Numbers, counting, operator_suite, seven, sorted};
use futures::StreamExt;
use gen_stage::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;

operator_suite!(
    |flow: Numbers| flow.map_blocking(3, |n| n * 2),
    |items| items.into_iter().map(|n| n * 2).collect(),
    |flow: Numbers| flow.map_blocking(3, |n| {
        seven(n);
        n
    }),
);

#[tokio::test]
async fn it_blocks_no_worker_and_at_most_n_run_at_a_time() {
    for (lanes, n) in [(1, 1), (1, 3), (4, 2), (3, 8)] {
        let running = Arc::new(AtomicUsize::new(0));
        let peak = Arc::new(AtomicUsize::new(0));
        let (counts, peaks, worker) = (Arc::clone(&running), Arc::clone(&peak), thread::current().id());
        let slow = move |item: u64| {
            peaks.fetch_max(counts.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            assert_ne!(thread::current().id(), worker);
            thread::yield_now();
            counts.fetch_sub(1, Ordering::SeqCst);
            item
        };
        let got = counting(300).lanes(lanes).map_blocking(n, slow).collect::<Vec<_>>().await;
        assert_eq!(sorted(got), (0..300).collect::<Vec<_>>());
        assert!(peak.load(Ordering::SeqCst) <= n, "{} of {n}", peak.load(Ordering::SeqCst));
    }
}

#[tokio::test]
async fn all_n_run_at_the_same_time() {
    // Each waits until all three are there.
    let gate = Arc::new((Mutex::new(0), Condvar::new()));
    let meet = move |n: u64| {
        let (here, all) = &*gate;
        let mut here = here.lock().unwrap();
        *here += 1;
        all.notify_all();
        drop(all.wait_while(here, |here| *here < 3).unwrap());
        n
    };
    assert_eq!(counting(3).lanes(2).map_blocking(3, meet).count().await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_order_results_wait_for_those_before_them() {
    let uneven = |n: u64| {
        (0..n % 7).for_each(|_| thread::yield_now());
        n
    };
    let flow = counting(500).lanes(3).map_blocking(5, uneven).ordered();
    assert_eq!(flow.collect::<Vec<_>>().await, (0..500).collect::<Vec<_>>());
}

#[test]
fn what_has_begun_ends_after_a_drop_and_what_has_not_never_begins() {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    let (begins, begun) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let ends = Arc::new(AtomicUsize::new(0));
    let ended = Arc::clone(&ends);
    let mut flow = Flow::from_iter(0..10).lanes(1).map_blocking(4, move |n: u32| {
        begins.send(n).unwrap();
        // Until the flow is gone.
        let _ = wait.lock().unwrap().recv();
        ended.fetch_add(1, Ordering::SeqCst);
    });
    runtime.block_on(async {
        assert!(futures::poll!(flow.next()).is_pending());
        while begun.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        drop(flow);
        // What waited for the only thread is dropped, and with it the last of its senders.
        drop(go_on);
        tokio::task::spawn_blocking(|| {}).await.unwrap();
        assert_eq!(ends.load(Ordering::SeqCst), 1);
        assert!(begun.recv().is_err(), "no other has begun, or will");
    });
}

#[test]
#[should_panic(expected = "map_blocking needs room for at least 1 future in flight, given 0")]
fn map_blocking_without_room_is_refused() {
    let _ = counting(1).map_blocking(0, |n| n);
}
