//! Pipelines between probes, as users test theirs; and the probes themselves.

mod dispatchers;
mod faulty_stream;
/// The tests that the guide in the documentation shows.
#[path = "../../src/testing/guide/tests.rs"]
mod guide;
mod lanes;
mod operators;
mod stories;
mod streams;
mod windows;

use futures::stream::StreamExt;
use futures::{FutureExt, SinkExt};
use gen_stage::prelude::*;
use gen_stage::stage::{from_sink, from_stream};
use gen_stage::supervisor::{DynamicSupervisor, StreamSupervised};
use gen_stage::testing::{SinkCancelled, test_sink, test_source};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::task::JoinHandle;

const SECOND: Duration = Duration::from_secs(1);

/// What a future says when it panics.
async fn panic_of(future: impl Future<Output = ()>) -> String {
    let payload = AssertUnwindSafe(future).catch_unwind().await.expect_err("it panics");
    payload.downcast_ref::<String>().expect("it has a text").clone()
}

async fn panic_of_task<T: std::fmt::Debug>(task: JoinHandle<T>) -> String {
    let payload = task.await.expect_err("it panics").into_panic();
    payload.downcast_ref::<String>().expect("it has a text").clone()
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_is_not_read_does_not_poll_its_source() {
    let (source, mut input) = test_source::<u32>();
    let flow = source.flow().lanes(2).map(|n| n + 1);
    input.expect_no_demand_for(60 * SECOND).await;
    let reading = tokio::spawn(flow.collect::<Vec<_>>());
    input.expect_demand().await;
    input.send(1);
    input.end();
    assert_eq!(reading.await.unwrap(), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_flow_takes_no_more_than_its_demand_while_nobody_wants_what_it_makes() {
    let (source, input) = test_source();
    let (sink, mut output) = test_sink();
    (0..100).for_each(|n| input.send(n));
    let writing = tokio::spawn(source.flow().lanes(1).demand(4, 2).map(|n: u32| n * 2).forward(sink));
    output.expect_none_for(SECOND).await;
    assert!(input.taken() <= 4, "{input:?}");
    output.request(1);
    output.expect_next(0).await;
    output.expect_none_for(SECOND).await;
    assert!((1..=5).contains(&input.taken()), "{input:?}");
    // One more than there are: `forward` looks for the end when its sink is ready.
    output.request(100);
    input.end();
    for n in 1..100 {
        output.expect_next(n * 2).await;
    }
    output.expect_end().await;
    assert_eq!(writing.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_flow_whose_source_fails_does_not_close_its_sink() {
    let (source, input) = test_source();
    let (sink, mut output) = test_sink();
    let writing = tokio::spawn(source.flow().lanes(1).map(|n: u32| n).forward(sink));
    input.send(7);
    output.request(2);
    output.expect_next(7).await;
    input.fail("no more paper");
    assert_eq!(panic_of_task(writing).await, "no more paper");
    let text = panic_of(output.expect_end()).await;
    assert!(text.ends_with("1 more are asked for, and it was dropped without being closed"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_flow_whose_sink_takes_no_more_drops_its_source() {
    let (source, mut input) = test_source();
    let (sink, output) = test_sink();
    let writing = tokio::spawn(source.flow().partition().lanes(2).map(|n: u32| n).forward(sink));
    output.request(1);
    input.expect_demand().await;
    output.cancel();
    input.send(1);
    assert_eq!(writing.await.unwrap(), Err(SinkCancelled));
    input.expect_dropped().await;
}

#[tokio::test(start_paused = true)]
async fn a_window_by_event_time_closes_when_a_later_item_comes() {
    let (source, mut input) = test_source();
    let (sink, mut output) = test_sink();
    let window = Window::fixed(SECOND, |(at, _): &(i64, u32)| *at);
    let sums = source.flow().lanes(1).window(window).reduce(|| 0, |sum, (_, n)| *sum += n).emit_state();
    tokio::spawn(sums.forward(sink));
    output.request(10);
    input.send((10, 1));
    input.send((990, 2));
    output.expect_none_for(60 * SECOND).await;
    input.send((1000, 4));
    output.expect_next(3).await;
    input.expect_demand().await;
    input.end();
    output.expect_next(4).await;
    output.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stage_polls_its_stream_when_a_subscription_asks_and_no_further() {
    let (source, mut input) = test_source();
    let numbers = from_stream(source).stage().spawn();
    let mut read = numbers.subscribe().manual().await.unwrap();
    input.expect_no_demand_for(SECOND).await;
    (0..9).for_each(|n| input.send(n));
    read.ask(2);
    assert_eq!((read.next().await, read.next().await), (Some(0), Some(1)));
    assert_eq!(input.taken(), 2);
    read.ask(8);
    input.expect_demand().await;
    assert_eq!(input.taken(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_stage_before_a_sink_asks_for_what_the_sink_takes() {
    let (source, input) = test_source();
    let (sink, mut output) = test_sink();
    let numbers = from_stream(source).stage().spawn();
    let writer = from_sink(sink).stage().subscribe_to(numbers.subscribe().demand(2, 1)).spawn();
    (0..9).for_each(|n| input.send(n));
    output.expect_none_for(SECOND).await;
    assert!(input.taken() <= 2, "{input:?}");
    output.request(9);
    for n in 0..9 {
        output.expect_next(n).await;
    }
    input.end();
    output.expect_end().await;
    writer.wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_with_all_its_children_takes_no_item() {
    let (source, mut input) = test_source::<u32>();
    let supervisor = DynamicSupervisor::new(|_n| pending::<()>()).max_demand(2, 1);
    let starting = tokio::spawn(source.map(Ok).forward(supervisor));
    input.send(1);
    input.send(2);
    input.send(3);
    input.send(4);
    input.expect_no_demand_for(SECOND).await;
    assert!((2..=3).contains(&input.taken()), "two run, and one may wait: {input:?}");
    starting.abort();
    input.expect_dropped().await;
}

#[tokio::test(start_paused = true)]
async fn results_of_supervised_tasks_come_when_they_are_asked_for() {
    let (source, input) = test_source();
    let (sink, mut output) = test_sink();
    let doubled = source.supervised(2, |n: u32| async move { n * 2 }).map(|(_, result)| Ok(result.unwrap()));
    tokio::spawn(doubled.forward(sink));
    (1..=3).for_each(|n| input.send(n));
    output.expect_none_for(SECOND).await;
    output.request(3);
    let mut came = [output.expect_item().await, output.expect_item().await, output.expect_item().await];
    came.sort_unstable();
    assert_eq!(came, [2, 4, 6]);
    input.end();
    output.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_expected_and_what_was_seen_is_said_with_the_place_in_the_test() {
    let (mut sink, mut output) = test_sink();
    output.request(3);
    sink.send(1).await.unwrap();
    let place = |line: u32| format!("{}:{line}:", file!());

    let line = line!() + 1;
    let text = panic_of(output.expect_next(2)).await;
    assert!(text.starts_with(&place(line)), "{text}");
    assert!(text.ends_with("expected the item 2, and 1 came"), "{text}");

    let text = panic_of(output.expect_end()).await;
    assert!(
        text.ends_with("waited for the end, up to 1s: 0 items wait in the sink, 2 more are asked for"),
        "{text}"
    );

    sink.send(3).await.unwrap();
    let text = panic_of(output.expect_none_for(SECOND)).await;
    assert!(
        text.ends_with("expected nothing for 1s: 1 items wait in the sink, 1 more are asked for"),
        "{text}"
    );

    let (source, input) = test_source::<u32>();
    let line = line!() + 1;
    let text = panic_of(input.patience(2 * SECOND).expect_demand()).await;
    assert!(text.starts_with(&place(line)), "{text}");
    let seen = "waited for an item to be wanted, up to 2s: 0 items were taken from the source, 0 wait in it";
    assert!(text.ends_with(seen), "{text}");
    drop(source);
}

#[tokio::test(start_paused = true)]
async fn a_sink_takes_nothing_that_was_not_asked_for() {
    let (mut sink, mut output) = test_sink::<u32>();
    assert!(sink.feed(1).now_or_never().is_none());
    output.request(1);
    assert_eq!(sink.feed(1).now_or_never(), Some(Ok(())));
    assert!(sink.feed(2).now_or_never().is_none());
    assert_eq!(output.expect_item().await, 1);
    let text = panic_of(async { _ = sink.start_send_unpin(2) }).await;
    assert!(text.starts_with("an item was sent into a test sink that was not ready"), "{text}");
}

#[tokio::test]
async fn a_source_whose_probe_is_gone_does_not_look_as_if_it_had_ended() {
    let (source, input) = test_source();
    input.send(1);
    drop(input);
    let read = source.collect::<Vec<u32>>().map(drop);
    assert_eq!(panic_of(read).await, "the probe of a test source was dropped without `end`");
}

/// What a check says of what it finds.
fn told(check: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(check)).expect_err("it is found");
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).expect("it has a text")
}
