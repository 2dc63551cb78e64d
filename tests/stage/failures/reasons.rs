//! The reasons that stages end with, and those around them hear.

use super::faulty::{Fault, How, Place};
use crate::support::settle;
use crate::support::stages::{Say, adds_up, collect, count, identity, queue, silent, until, why};
use futures::{FutureExt, StreamExt};
use gen_stage::prelude::*;
use gen_stage::stage::{Output, Reason, StageError, from_iter};
use std::panic::{AssertUnwindSafe, panic_any};

#[tokio::test]
async fn a_consumer_that_ends_because_its_producer_was_aborted_terminates() {
    let producer = count(0).stage().spawn();
    let reader = collect();
    let log = reader.log();
    let consumer = reader.stage().subscribe_to(producer.subscribe()).spawn();
    settle().await;
    producer.abort();
    assert!(matches!(consumer.wait().await, Reason::Aborted));
    assert_eq!(log.cancelled(), ["down aborted"]);
    // It was not aborted itself.
    assert_eq!(log.end().as_deref(), Some("aborted"));
}

#[tokio::test]
async fn a_failure_goes_down_a_pipeline_and_up_as_an_end() {
    for (how, expected) in
        [(How::Panic, "panicked: boom"), (How::Error, "failed: boom"), (How::Abort, "aborted")]
    {
        let source = count(0);
        let log = source.log();
        let first = source.stage().spawn();
        let fault = Fault::new(Place::Items, how);
        let second =
            ProducerConsumer::stage(fault.stage()).subscribe_to(first.subscribe().demand(10, 5)).spawn();
        let third = identity().stage().subscribe_to(second.subscribe().demand(10, 5)).spawn();
        let mut read = third.subscribe().demand(10, 5).await.unwrap().fallible();
        assert!(matches!(read.next().await, Some(Ok(0))));
        fault.arm();
        let last = async { read.by_ref().filter_map(|item| async { item.err() }).collect::<Vec<_>>().await };
        let aborting = async {
            if how == How::Abort {
                fault.entered.notified().await;
                second.abort();
            }
        };
        let (last, ()) = futures::join!(last, aborting);
        assert_eq!(last.iter().map(why).collect::<Vec<_>>(), [expected]);
        assert_eq!(why(&second.wait().await), expected);
        assert_eq!(why(&third.wait().await), expected);
        until("the first is told", || !log.left().is_empty()).await;
        assert_eq!(log.left(), [format!("down {expected}")]);
        first.shutdown().await;
        for (counts, name) in [(first.counts(), "first"), (second.counts(), "second")] {
            adds_up(counts, name);
        }
        drop(read);
        adds_up(third.counts(), "third");
    }
}

#[tokio::test]
async fn a_panic_is_raised_with_its_own_payload_in_the_first_who_reads() {
    #[derive(Debug, PartialEq)]
    struct Payload(u8);
    let producer = from_iter((0..).map(|n| if n == 3 { panic_any(Payload(7)) } else { n })).stage().spawn();
    let mut read = producer.subscribe().demand(1, 0).await.unwrap();
    let all = async { while read.next().await.is_some() {} };
    let payload = AssertUnwindSafe(all).catch_unwind().await.unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&Payload(7)));
    let Reason::Panicked(panic) = producer.wait().await else { panic!("it has panicked") };
    assert_eq!(panic.message(), "a panic without a text");
    assert_eq!(read.next().await, None, "it stays ended");
}

#[tokio::test]
async fn a_panic_at_the_end_does_not_hide_the_failure_before_it() {
    struct Twice;
    impl Producer for Twice {
        type Item = u64;
        async fn handle_demand(&mut self, _: usize, _: &mut Output<u64>) -> Result<(), StageError> {
            Err("first".into())
        }
        async fn terminate(&mut self, _: &Reason) {
            panic!("second");
        }
    }
    let twice = Twice.stage().spawn();
    let mut read = twice.subscribe().await.unwrap().fallible();
    assert_eq!(read.next().await.unwrap().unwrap_err(), Reason::failed("first"));
    assert_eq!(twice.wait().await, Reason::failed("first"));
}

#[tokio::test]
async fn reasons_are_equal_wherever_they_happened_and_differ_by_kind_and_text() {
    let stopped = |label: &'static str, with: &'static str| {
        let stage = silent().stage().label(label).spawn();
        async move { stage.stop(Reason::failed(with)).await }
    };
    let (here, there) = (stopped("here", "full").await, stopped("there", "full").await);
    assert_ne!(here.to_string(), there.to_string());
    assert_eq!(here, there);
    assert_eq!(here, Reason::failed("full"));
    assert_ne!(here, stopped("here", "empty").await);

    let panicking = |label: &'static str, with: &'static str| {
        let stage = silent().stage().label(label).spawn();
        async move {
            stage.cast(Say::Panic(with)).await.unwrap();
            stage.wait().await
        }
    };
    let (here, there) = (panicking("here", "full").await, panicking("there", "full").await);
    assert_ne!(here.to_string(), there.to_string());
    assert_eq!(here, there);
    assert_ne!(here, panicking("here", "empty").await);
    assert_ne!(here, Reason::failed("full"), "an error is no panic");
}

#[tokio::test]
async fn a_message_without_a_callback_fails_the_stage() {
    struct Deaf;
    impl Producer<u8> for Deaf {
        type Item = u64;
        async fn handle_demand(&mut self, _: usize, _: &mut Output<u64, u8>) -> Result<(), StageError> {
            Ok(())
        }
    }
    let deaf = Deaf.stage().spawn();
    deaf.cast(1).await.unwrap();
    let reason = deaf.wait().await.to_string();
    assert!(reason.ends_with("Deaf got a message and has no handle_message"), "{reason}");
}

#[tokio::test]
async fn a_reader_that_asks_for_more_than_can_be_counted_does_not_end_its_producer() {
    let producer = silent().stage().spawn();
    let mut read = producer.subscribe().manual().await.unwrap();
    read.ask(usize::MAX);
    read.ask(1);
    settle().await;
    queue(&producer, [1, 2]).await;
    assert_eq!(read.next_batch().await, Some(vec![1, 2]));
}
