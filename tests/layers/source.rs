//! `flow`, `from_iter`, `from_iters` and `from_streams`.

use crate::support::{Alive, Watched, counting, sorted};
use futures::{Stream, StreamExt, stream};
use gen_stage::Flow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sources_are_read_whole_on_any_number_of_lanes() {
    for sources in [1, 2, 3, 7] {
        for lanes in [1, 2, 3, 8] {
            let parts = (0..sources).map(|part| part * 1000..(part + 1) * 1000);
            let streams = parts.clone().map(stream::iter);
            let expected: Vec<u64> = (0..sources * 1000).collect();
            let read: Vec<_> = Flow::from_iters(parts).lanes(lanes).collect().await;
            assert_eq!(sorted(read), expected, "{sources} iterators, {lanes} lanes");
            let read: Vec<_> = Flow::from_streams(streams).lanes(lanes).collect().await;
            assert_eq!(sorted(read), expected, "{sources} streams, {lanes} lanes");
        }
    }
}

#[tokio::test]
async fn sources_that_share_a_lane_take_turns() {
    let read: Vec<u64> = Flow::from_iters([0..4, 10..14]).lanes(1).demand(2, 0).collect().await;
    assert_eq!(read, [0, 1, 10, 11, 2, 3, 12, 13]);
}

#[tokio::test]
async fn a_source_that_pends_does_not_hold_up_one_that_shares_its_lane() {
    let streams = [stream::pending().boxed(), stream::iter(0..3).boxed()];
    let mut flow = Flow::from_streams(streams).lanes(1);
    for n in 0..3 {
        assert_eq!(flow.next().await, Some(n));
    }
}

#[tokio::test]
async fn a_source_that_has_ended_is_dropped_and_not_polled_again() {
    let alive = Arc::new(AtomicUsize::new(0));
    let ended = Alive::new(&alive);
    let once = stream::poll_fn(move |_| {
        let _ = &ended;
        std::task::Poll::Ready(None::<u64>)
    });
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    let mut flow = Flow::from_streams([once.boxed(), receiver.boxed()]).lanes(1);
    sender.unbounded_send(1).unwrap();
    assert_eq!(flow.next().await, Some(1));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn size_hints_of_sources_add_up() {
    assert_eq!(Flow::from_iters([0..3, 3..10]).size_hint(), (10, Some(10)));
    assert_eq!(Flow::from_streams([stream::iter(0..3)]).size_hint(), (3, Some(3)));
    assert_eq!(Flow::from_iter(0u64..).size_hint(), (usize::MAX, None));
}

#[tokio::test]
async fn an_endless_iterator_is_read_as_far_as_it_is_asked() {
    let watched = Watched::new();
    let first: Vec<_> =
        crate::support::numbers(watched.endless()).lanes(1).into_stream().take(10).collect().await;
    assert!(first.into_iter().eq(0..10));
    assert!(watched.taken() <= 1500);
    assert!(!watched.is_alive());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_is_a_source_of_a_flow() {
    use gen_stage::prelude::*;
    let read: Vec<u64> = counting(1000).map(|n| n + 1).flow().map(|n| n * 2).collect().await;
    assert_eq!(sorted(read), (1..=1000).map(|n| n * 2).collect::<Vec<_>>());
}

#[test]
#[should_panic(expected = "from_iters needs at least 1 iterator, given 0")]
fn a_flow_over_no_iterators_is_refused() {
    let _ = Flow::from_iters(Vec::<std::ops::Range<u64>>::new());
}

#[test]
#[should_panic(expected = "from_streams needs at least 1 stream, given 0")]
fn a_flow_over_no_streams_is_refused() {
    let _ = Flow::from_streams(Vec::<stream::Empty<u64>>::new());
}
