use crate::support::shapes::shape;
use crate::support::slate::slate;
use crate::support::{Numbers, Watched, counting, numbers, operator_suite, settle, seven, sorted};
use futures::channel::mpsc;
use futures::{FutureExt, SinkExt, StreamExt, sink};
use gen_stage::testing::test_source;
use gen_stage::window::Window;
use proptest::prelude::*;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

operator_suite!(
    |flow: Numbers| flow.map(odd_is_an_error).dead_letters(sink::drain()),
    |items| items.into_iter().filter(|n| n % 2 == 0).collect(),
    |flow: Numbers| flow
        .map(|n| {
            seven(n);
            Ok::<_, u64>(n)
        })
        .dead_letters(sink::drain()),
);

fn odd_is_an_error(n: u64) -> Result<u64, u64> {
    if n % 2 == 0 { Ok(n) } else { Err(n) }
}

#[tokio::test]
async fn values_and_errors_keep_the_order_of_their_lane() {
    let (sink, view) = slate();
    let values: Vec<_> = counting(2000).lanes(1).map(odd_is_an_error).dead_letters(sink).collect().await;
    assert!(values.into_iter().eq((0..1000).map(|n| n * 2)));
    assert!(view.seen().items.iter().copied().eq((0..1000).map(|n| n * 2 + 1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_flow_has_ended_the_sink_has_everything_and_is_closed() {
    for (lanes, items) in [(1, 0), (1, 1), (2, 5000), (8, 5000)] {
        for run in [true, false] {
            let (sink, view) = slate();
            let flow = counting(items).lanes(lanes).map(odd_is_an_error).dead_letters(sink);
            if run {
                flow.run().await;
            } else {
                drop(flow.collect::<Vec<_>>().await);
            }
            let seen = view.seen();
            assert!(seen.closed && seen.dropped, "{lanes} lanes");
            assert_eq!(sorted(seen.items.iter().copied()), sorted((0..items).filter(|n| n % 2 == 1)));
        }
    }
}

#[tokio::test]
async fn errors_are_flushed_while_no_other_is_waiting() {
    let (sink, view) = slate();
    let (source, input) = test_source();
    let mut flow = numbers(source).lanes(1).map(odd_is_an_error).dead_letters(sink);
    input.send(1);
    assert!(flow.next().now_or_never().is_none());
    settle().await;
    let seen = view.seen();
    assert_eq!((seen.items.len(), seen.flushed, seen.closed), (1, 1, false));
}

#[tokio::test]
async fn a_sink_that_is_not_ready_holds_the_lanes_up_and_nothing_is_lost() {
    for lanes in [1, 3] {
        let (sink, view) = slate();
        view.set_room(2);
        let watched = Watched::new();
        let source = watched.endless().take(10_000);
        let flow = numbers(source).lanes(lanes).demand(10, 5).map(Err::<u64, _>).dead_letters(sink);
        let mut running = tokio_test::task::spawn(flow.run());
        for _ in 0..5 {
            assert!(running.poll().is_pending());
            settle().await;
        }
        // 2 are in the sink, up to 10 wait for it, one is held in each lane; 10 are on the edge to each lane.
        let taken = watched.taken();
        assert!((2 + 5 + 1..=2 + 10 + lanes * (1 + 10 + 1)).contains(&taken), "{taken} items were taken");
        assert_eq!(view.seen().items.len(), 2);
        view.set_room(usize::MAX);
        for _ in 0..2000 {
            if running.poll().is_ready() {
                break;
            }
            settle().await;
        }
        let seen = view.seen();
        assert!(seen.closed, "{lanes} lanes");
        assert_eq!(sorted(seen.items.iter().copied()), (0..10_000).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn the_sink_goes_on_while_nobody_reads_the_flow() {
    let (sink, view) = slate();
    let mut flow = counting(1000).lanes(1).map(odd_is_an_error).dead_letters(sink);
    assert!(flow.next().now_or_never().is_none(), "the first poll starts the tasks");
    settle().await;
    assert!(view.seen().closed && view.seen().items.len() == 500);
    assert_eq!(StreamExt::count(flow).await, 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_fails_ends_the_flow_with_a_panic_that_names_its_error() {
    for lanes in [1, 2, 8] {
        for run in [true, false] {
            let (sink, view) = slate();
            view.fail_after(5);
            let watched = Watched::new();
            let flow = numbers(watched.endless()).lanes(lanes).map(odd_is_an_error).dead_letters(sink);
            let caught = if run {
                AssertUnwindSafe(flow.run()).catch_unwind().await
            } else {
                AssertUnwindSafe(flow.collect::<Vec<_>>()).catch_unwind().await.map(drop)
            };
            let payload = caught.unwrap_err();
            let message = payload.downcast_ref::<String>().unwrap();
            assert_eq!(message, "the sink of dead letters failed: Broken");
            assert!(!watched.is_alive() && !view.seen().closed, "{lanes} lanes");
        }
    }
}

#[tokio::test]
async fn a_flow_that_would_have_ended_fails_with_its_sink() {
    let (sink, receiver) = mpsc::channel::<u64>(1);
    drop(receiver);
    let flow =
        counting(1).lanes(1).map(Err::<u64, _>).dead_letters(sink.sink_map_err(|error| error.to_string()));
    let caught = AssertUnwindSafe(flow.collect::<Vec<_>>()).catch_unwind().await;
    let payload = caught.unwrap_err();
    let message = payload.downcast_ref::<String>().unwrap();
    assert!(message.contains("receiver is gone"), "{message}");
}

#[tokio::test]
async fn dropping_the_flow_drops_the_sink_and_does_not_close_it() {
    let (sink, view) = slate();
    let watched = Watched::new();
    let mut flow = numbers(watched.endless()).lanes(2).demand(10, 5).map(odd_is_an_error).dead_letters(sink);
    assert!(flow.next().now_or_never().is_none());
    settle().await;
    drop(flow);
    assert!(view.seen().dropped && !view.seen().closed);
    assert!(!watched.is_alive());
}

#[tokio::test]
async fn lanes_that_end_before_their_input_have_sent_what_they_came_to() {
    let (sink, view) = slate();
    let flow = counting(1000).lanes(1).map(odd_is_an_error).dead_letters(sink).per_lane(|lane| lane.take(3));
    assert_eq!(flow.collect::<Vec<_>>().await, [0, 2, 4]);
    assert!(view.seen().closed);
    assert!(view.seen().items.starts_with(&[1, 3]));
}

#[tokio::test]
async fn max_demand_1_gets_everything_through_to_both() {
    let (sink, view) = slate();
    let values: Vec<_> =
        counting(50).lanes(3).demand(1, 0).map(odd_is_an_error).dead_letters(sink).collect().await;
    assert_eq!((values.len(), view.seen().items.len()), (25, 25));
}

#[tokio::test]
async fn values_need_not_be_sent_where_nothing_reads_them() {
    let (sink, view) = slate();
    counting(4).map(|n| odd_is_an_error(n).map(Rc::new)).dead_letters(sink).run().await;
    assert_eq!(sorted(view.seen().items.iter().copied()), [1, 3]);
}

#[tokio::test]
async fn values_stay_in_their_windows_and_windows_end_in_their_turn() {
    let (sink, view) = slate();
    let ten = Window::fixed(Duration::from_millis(10), |n: &u64| *n);
    let counts = counting(100)
        .lanes(1)
        .window(ten)
        .on_init(|_, _| ())
        .map(odd_is_an_error)
        .dead_letters(sink)
        .reduce(|| 0, |count, _| *count += 1)
        .emit_state();
    assert_eq!(counts.collect::<Vec<u32>>().await, [5; 10]);
    assert_eq!(view.seen().items.len(), 50);
}

#[tokio::test]
async fn a_lane_that_cannot_go_on_keeps_no_other_from_its_errors() {
    // Lane by lane, only the one that has the next number goes on: the others must not take its room in the sink.
    for lanes in 2..=6 {
        let (sink, dead) = mpsc::channel(1);
        let flow = counting(2000).lanes(lanes).demand(1, 0).map(odd_is_an_error).dead_letters(sink);
        let flow = flow.map_async(2, async |n: u64| n).ordered();
        let (values, dead) = futures::join!(flow.collect::<Vec<_>>(), dead.collect::<Vec<_>>());
        assert!(values.into_iter().eq((0..1000).map(|n| n * 2)), "{lanes} lanes");
        assert_eq!(dead.len(), 1000, "{lanes} lanes");
    }
}

#[tokio::test]
async fn the_largest_demand_is_no_harm() {
    let mut flow = counting(4)
        .lanes(1)
        .demand(usize::MAX, usize::MAX - 5)
        .map(odd_is_an_error)
        .dead_letters(sink::drain());
    assert_eq!(flow.next().await, Some(0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn values_and_dead_letters_are_together_what_came_in(shape in shape(), rate in 1_u16..10) {
        let (sink, view) = slate();
        let flow = shape.flow().map(move |n| if n % rate == 0 { Err(n) } else { Ok(n) }).dead_letters(sink);
        let values = shape.run(flow.collect::<Vec<_>>());
        let split = shape.items.iter().copied().partition::<Vec<_>, _>(|n| n % rate == 0);
        prop_assert_eq!(sorted(view.seen().items.iter().copied()), sorted(split.0));
        prop_assert_eq!(sorted(values), sorted(split.1));
    }
}
