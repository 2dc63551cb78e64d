use crate::forward::panicking;
use crate::support::shapes::shape;
use crate::support::slate::{Broken, slate};
use crate::support::{Watched, counting, finisher_suite, numbers, settle, sorted};
use futures::{Sink, SinkExt, sink};
use gen_stage::Flow;
use proptest::prelude::*;
use std::convert::Infallible;
use std::future::ready;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

finisher_suite!(
    u64,
    |flow, lanes| async move {
        let (sinks, views): (Vec<_>, Vec<_>) = (0..lanes).map(|_| slate()).unzip();
        let done = flow.into_sinks(sinks).await;
        done.map(|()| sorted(views.iter().flat_map(|view| view.seen().items.clone())))
    },
    Ok,
    a_flow_that_was_begun_is_refused("get sinks"),
    a_panic_in_its_closure_reaches_whoever_awaits(|flow| async {
        // Its lanes were set to 1, 2 or 4.
        let flow = flow.shuffle();
        flow.into_sinks(vec![panicking(), panicking()]).await
    }),
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_goes_into_the_sinks_which_are_then_closed() {
    for (count, items) in [(1, 0), (3, 1), (1, 5000), (2, 5000), (8, 5000)] {
        let (sinks, views): (Vec<_>, Vec<_>) = (0..count).map(|_| slate()).unzip();
        assert_eq!(counting(items).into_sinks(sinks).await, Ok(()));
        let all = views.iter().flat_map(|view| view.seen().items.clone());
        assert_eq!(sorted(all), (0..items).collect::<Vec<_>>(), "{count} sinks");
        assert!(views.iter().all(|view| view.seen().closed && view.seen().dropped));
    }
}

#[tokio::test]
async fn each_lane_has_its_sink_in_the_order_of_the_lanes() {
    let (sinks, views): (Vec<_>, Vec<_>) = (0..3).map(|_| slate()).unzip();
    let flow = counting(9).lanes(1).partition_with(3, |n| Some((n % 3) as usize));
    assert_eq!(flow.into_sinks(sinks).await, Ok(()));
    let seen: Vec<_> = views.iter().map(|view| view.seen().items.clone()).collect();
    assert_eq!(seen, [[0, 3, 6], [1, 4, 7], [2, 5, 8]]);
}

#[tokio::test]
async fn items_need_not_be_sent_to_their_sink() {
    let count = Arc::new(AtomicUsize::new(0));
    let counts = count.clone();
    let sink = sink::drain().with(move |n: Rc<u64>| {
        counts.fetch_add(*n as usize, Ordering::Relaxed);
        ready(Ok::<_, Infallible>(()))
    });
    let flow = counting(4).map(Rc::new);
    assert!(flow.into_sinks(vec![sink]).await.is_ok());
    assert_eq!(count.load(Ordering::Relaxed), 6);
}

#[tokio::test]
#[should_panic(expected = "into_sinks needs at least 1 sink, given 0")]
async fn into_sinks_without_a_sink_is_refused() {
    drop(counting(3).into_sinks(Vec::<sink::Drain<u64>>::new()));
}

#[tokio::test]
#[should_panic(expected = "into_sinks needs a sink for each lane: lanes was set to 3, given 2 sinks")]
async fn another_number_of_lanes_than_sinks_is_refused() {
    drop(counting(3).lanes(3).into_sinks(vec![sink::drain(), sink::drain()]));
}

#[tokio::test]
#[should_panic(expected = "lanes was set to 4, given 1 sinks")]
async fn a_router_that_says_another_number_of_lanes_is_refused() {
    drop(counting(3).partition_with(4, |_| Some(0)).into_sinks(vec![sink::drain()]));
}

#[tokio::test]
async fn the_lanes_of_layers_above_are_left_alone() {
    let (sinks, views): (Vec<_>, Vec<_>) = (0..2).map(|_| slate()).unzip();
    let states = counting(10).lanes(5).partition().reduce(|| 1, |_, _| ()).emit_state();
    assert_eq!(states.into_sinks(sinks).await, Ok(()));
    assert!(views.iter().all(|view| view.seen().items == [1]), "one state for each lane of the last layer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_error_stops_all_and_nothing_is_left_when_it_returns() {
    for count in [1, 2, 8] {
        let watched = Watched::new();
        let (sinks, views): (Vec<_>, Vec<_>) = (0..count).map(|_| slate()).unzip();
        views[count - 1].fail_after(3);
        assert_eq!(numbers(watched.endless()).into_sinks(sinks).await, Err(Broken), "{count} sinks");
        assert!(!watched.is_alive());
        assert!(views.iter().all(|view| view.seen().dropped));
        assert!(views.iter().all(|view| !view.seen().closed));
    }
}

#[tokio::test]
async fn an_error_at_the_close_is_returned() {
    let sink = sink::unfold((), |(), _: u64| ready(Ok::<_, u8>(())));
    let sink = sink.with_flat_map(|n| futures::stream::iter([Ok(n)])).fanout(FailsToClose);
    assert_eq!(counting(3).into_sinks(vec![sink]).await, Err(4));
}

/// Takes everything and cannot be closed.
#[derive(Clone, Copy)]
struct FailsToClose;

impl Sink<u64> for FailsToClose {
    type Error = u8;

    fn poll_ready(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Polled {
        std::task::Poll::Ready(Ok(()))
    }

    fn start_send(self: std::pin::Pin<&mut Self>, _: u64) -> Result<(), u8> {
        Ok(())
    }

    fn poll_flush(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Polled {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_close(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Polled {
        std::task::Poll::Ready(Err(4))
    }
}

type Polled = std::task::Poll<Result<(), u8>>;

#[tokio::test]
async fn a_sink_that_is_not_ready_stops_its_lane_and_the_source() {
    let watched = Watched::new();
    let (sinks, views): (Vec<_>, Vec<_>) = (0..2).map(|_| slate()).unzip();
    views.iter().for_each(|view| view.set_room(3));
    let mut writing = tokio_test::task::spawn(numbers(watched.endless()).demand(10, 5).into_sinks(sinks));
    for _ in 0..5 {
        assert!(writing.poll().is_pending());
        settle().await;
    }
    let taken = watched.taken();
    assert!((6..=2 * (3 + 10 + 1)).contains(&taken), "{taken} items were taken");
    assert!(views.iter().all(|view| view.seen().items.len() == 3), "no more than there is room for");
    views[0].set_room(100);
    settle().await;
    assert_eq!(views[0].seen().items.len(), 103, "the other lane does not hold it up");
    assert_eq!(views[1].seen().items.len(), 3);
    drop(writing);
    assert!(!watched.is_alive() && views.iter().all(|view| view.seen().dropped));
}

#[tokio::test]
async fn a_sink_is_flushed_while_its_lane_has_nothing_and_closed_when_that_has_ended() {
    use futures::StreamExt;
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    let (sinks, views): (Vec<_>, Vec<_>) = (0..2).map(|_| slate()).unzip();
    let streams = [receiver.boxed(), futures::stream::iter([7]).boxed()];
    let mut writing = tokio_test::task::spawn(Flow::from_streams(streams).into_sinks(sinks));
    assert!(writing.poll().is_pending());
    sender.unbounded_send(1).unwrap();
    settle().await;
    {
        let seen = views[0].seen();
        assert_eq!((seen.items.len(), seen.flushed, seen.closed), (1, 1, false));
    }
    assert!(views[1].seen().closed, "it does not wait for the others");
    drop(sender);
    settle().await;
    assert!(writing.is_woken());
    assert_eq!(tokio_test::assert_ready!(writing.poll()), Ok(()));
}

#[tokio::test]
async fn those_who_look_see_which_sink_failed() {
    let (sinks, views): (Vec<_>, Vec<_>) = (0..3).map(|_| slate()).unzip();
    views[1].fail_after(2);
    let mut flow = counting(100)
        .lanes(1)
        .partition_with(3, |n| usize::try_from(*n % 3).ok())
        .label("thirds")
        .named("numbers");
    let monitor = flow.monitor();
    assert_eq!(flow.into_sinks(sinks).await, Err(Broken));
    let failure = monitor.stats().failure.unwrap();
    assert!(
        failure.starts_with("the sink of lane 1 of the layer `thirds` (tests/ends/into_sinks.rs:"),
        "{failure}"
    );
    assert!(
        failure.ends_with(") of the flow `numbers` failed, and its error went to the caller"),
        "{failure}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn each_sink_has_what_its_partition_has_in_order(shape in shape()) {
        let count = shape.lanes;
        let (sinks, views): (Vec<_>, Vec<_>) = (0..count).map(|_| slate()).unzip();
        let flow = shape
            .one_lane()
            .partition_with(count, move |n| Some(usize::from(*n) % count))
            .demand(shape.demand, shape.demand / 2);
        prop_assert_eq!(shape.run(flow.into_sinks(sinks)), Ok(()));
        for (lane, view) in views.iter().enumerate() {
            let expected: Vec<_> =
                shape.items.iter().copied().filter(|n| usize::from(*n) % count == lane).collect();
            prop_assert_eq!(&view.seen().items, &expected);
        }
    }
}
