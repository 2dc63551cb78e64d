use gen_stage::flow::{Flowing, Readable};
use gen_stage::prelude::*;
use gen_stage::testing::{ItemOrder, SinkCancelled, check_operator, test_sink, test_source};
use gen_stage::window::Window;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// What is tested; in your project, it stands in `src`. Times are milliseconds.
fn clicks_per_second(clicks: Flow<impl Flowing<Item = i64>>) -> Flow<impl Readable<Item = u64>> {
    clicks
        .inspect(|time| assert!(*time >= 0, "a click before all time: {time}"))
        .window(Window::fixed(SECOND, |time: &i64| *time))
        .reduce(|| 0, |count, _click| *count += 1)
        .emit_state()
}

#[tokio::test(start_paused = true)]
async fn a_second_is_counted_when_a_later_click_comes() {
    let (source, mut clicks) = test_source();
    let (sink, mut counts) = test_sink();
    let counting = tokio::spawn(clicks_per_second(source.flow().lanes(1)).forward(sink));
    counts.request(10);
    clicks.send(10);
    clicks.send(990);
    counts.expect_none_for(60 * SECOND).await; // the clock does not close it
    clicks.send(1000);
    counts.expect_next(2).await;
    clicks.expect_demand().await;
    clicks.end();
    counts.expect_next(1).await;
    counts.expect_end().await;
    assert_eq!(counting.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn no_more_clicks_are_taken_than_are_wanted() {
    let (source, clicks) = test_source();
    let (sink, mut counts) = test_sink();
    tokio::spawn(clicks_per_second(source.flow().lanes(1).demand(4, 2)).forward(sink));
    // Each opens a second of its own.
    (0..1000).for_each(|n| clicks.send(1000 * n));
    counts.expect_none_for(SECOND).await; // none is asked for
    assert!(clicks.taken() < 20, "{clicks:?}");
}

#[tokio::test(start_paused = true)]
async fn a_broken_click_ends_the_counting_with_its_place() {
    let (source, clicks) = test_source();
    let counting = clicks_per_second(source.flow().lanes(1).label("clicks")).start();
    clicks.send(-1);
    let error = counting.wait().await.unwrap_err().to_string();
    assert!(error.starts_with("lane 0 of the layer `clicks` ("), "{error}");
    assert!(error.ends_with(" panicked: a click before all time: -1"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_clicks_are_let_go_of_when_the_sink_takes_no_more() {
    let (source, mut clicks) = test_source();
    let (sink, counts) = test_sink();
    let counting = tokio::spawn(clicks_per_second(source.flow().lanes(1)).forward(sink));
    counts.request(1);
    clicks.expect_demand().await;
    counts.cancel();
    clicks.send(0);
    clicks.send(1000);
    assert_eq!(counting.await.unwrap(), Err(SinkCancelled));
    clicks.expect_dropped().await;
}

#[test]
fn it_keeps_the_promises_of_an_operator() {
    // One click each half of a second, so that two are in each second; on one lane, where no click is late.
    let model = |numbers: Vec<u64>| numbers.chunks(2).map(|second| second.len() as u64).collect();
    let counts =
        |flow: gen_stage::testing::NumberFlow| clicks_per_second(flow.lanes(1).map(|n| 500 * n as i64));
    check_operator(counts, model, ItemOrder::OfLane);
}
