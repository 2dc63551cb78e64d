//! What runs a stage: a runtime, a driver polled by hand, or nothing at all.

use super::into_sink::Basket;
use crate::support::Lines;
use crate::support::stages::{collect, count, double, identity};
use futures::{FutureExt, StreamExt, stream};
use gen_stage::prelude::*;
use gen_stage::stage::{Reason, from_iter, from_stream};

#[test]
#[should_panic(expected = "a stage needs a tokio runtime")]
fn a_stage_is_not_spawned_outside_of_a_runtime() {
    let _ = from_iter(0..3).stage().spawn();
}

#[test]
fn a_stage_can_be_spawned_from_outside_on_a_named_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let numbers = from_iter(0..3).stage().on(runtime.handle().clone()).spawn();
    let read = runtime.block_on(async { numbers.subscribe().await.unwrap().collect::<Vec<_>>().await });
    assert_eq!(read, [0, 1, 2]);
}

#[test]
fn what_has_no_task_needs_no_runtime() {
    futures::executor::block_on(async {
        let basket = Basket::default();
        let doubled = double().through(stream::iter(0..100));
        doubled.map(Ok).forward(basket.sink(7, 3)).await.unwrap();
        assert_eq!(basket.items(), (0..100).flat_map(|n| [n, n]).collect::<Vec<_>>());
    });
}

#[tokio::test]
async fn a_stage_can_be_run_by_hand_beside_its_readers() {
    let (numbers, driver) = from_stream(stream::iter(0..100)).stage().into_parts();
    let (same, between) = identity().stage().subscribe_to(numbers.subscribe().demand(7, 3)).into_parts();
    let reader = collect();
    let log = reader.log();
    let (consumer, last) = reader.stage().subscribe_to(same.subscribe().demand(10, 0)).into_parts();
    let waiting = async {
        assert!(matches!(consumer.wait().await, Reason::Normal));
    };
    futures::join!(driver, between, last, waiting);
    assert_eq!(log.items(), (0..100).collect::<Vec<_>>());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test]
async fn dropping_a_driver_that_was_never_polled_ends_its_stage() {
    let (numbers, driver) = count(0).stage().into_parts();
    let mut subscribing = Box::pin(numbers.subscribe().into_future());
    assert!(subscribing.as_mut().now_or_never().is_none());
    drop(driver);
    assert!(subscribing.await.is_err());
    assert!(matches!(numbers.wait().await, Reason::Aborted));
    assert!(numbers.status().await.is_err());
}

#[tokio::test]
async fn callbacks_run_in_the_span_of_their_stage() {
    let lines = Lines::listen();
    let within = lines.within();
    let numbers = from_iter((0..3).map(move |_| within())).stage().label("numbers").spawn();
    for spans in numbers.subscribe().await.unwrap().collect::<Vec<_>>().await {
        assert_eq!(spans, ["DEBUG stage stage=\"numbers\""]);
    }
    assert!(lines.within()().is_empty());
}
