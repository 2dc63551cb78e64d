//! How stages start, and how they end when they are told to. Scenario 76.

use crate::support::settle;
use crate::support::stages::{Say, count, identity, now, silent, why};
use futures::StreamExt;
use gen_stage::prelude::*;
use gen_stage::stage::{Control, Output, Reason, StageError, SubscribeError, Upstream};

type Start = fn(&mut Control) -> Result<(), StageError>;

#[tokio::test]
async fn scenario_076_a_start_that_fails_ends_the_stage() {
    struct Fails(Start);
    impl Producer for Fails {
        type Item = u64;
        async fn handle_demand(&mut self, _: usize, _: &mut Output<u64>) -> Result<(), StageError> {
            unreachable!("it never starts")
        }
        async fn handle_start(&mut self, out: &mut Output<u64>) -> Result<(), StageError> {
            (self.0)(out)
        }
    }
    impl ProducerConsumer for Fails {
        type Input = u64;
        type Item = u64;
        async fn handle_items(
            &mut self,
            _: Vec<u64>,
            _: &Upstream,
            _: &mut Output<u64>,
        ) -> Result<(), StageError> {
            unreachable!("it never starts")
        }
        async fn handle_start(&mut self, out: &mut Output<u64>) -> Result<(), StageError> {
            (self.0)(out)
        }
    }
    impl Consumer for Fails {
        type Input = u64;
        async fn handle_items(
            &mut self,
            _: Vec<u64>,
            _: &Upstream,
            _: &mut Control,
        ) -> Result<(), StageError> {
            unreachable!("it never starts")
        }
        async fn handle_start(&mut self, stage: &mut Control) -> Result<(), StageError> {
            (self.0)(stage)
        }
    }
    let starts: [(Start, &str); 3] = [
        (|_| Err("oops".into()), "failed: oops"),
        (
            |stage| {
                stage.stop(Reason::failed("oops"));
                Ok(())
            },
            "failed: oops",
        ),
        (
            |stage| {
                stage.stop(Reason::Normal);
                Ok(())
            },
            "normal",
        ),
    ];
    for (start, end) in starts {
        let source = count(0).stage().spawn();
        let producer = Producer::stage(Fails(start)).spawn();
        let middle = ProducerConsumer::stage(Fails(start)).subscribe_to(source.subscribe()).spawn();
        let reader = Consumer::stage(Fails(start)).subscribe_to(source.subscribe()).spawn();
        let reasons = [producer.wait().await, middle.wait().await, reader.wait().await];
        assert_eq!(reasons.map(|reason| why(&reason)), [end; 3]);
        assert!(matches!(producer.subscribe().await, Err(SubscribeError::Gone)));
        assert_eq!(source.status().await.unwrap().consumers.len(), 0);
    }
}

#[tokio::test]
async fn a_callback_that_stops_sends_what_it_emits_and_no_more() {
    let source = silent();
    let log = source.log();
    let source = source.stage().spawn();
    let mut reading = source.subscribe().manual().await.unwrap();
    reading.ask(2);
    source.cast(Say::Stop(vec![1, 2, 3], Reason::Shutdown)).await.unwrap();
    assert!(matches!(source.wait().await, Reason::Shutdown));
    assert_eq!(now(&mut reading), Some(vec![1, 2]));
    assert_eq!(reading.next_batch().await, None);
    assert!(matches!(reading.end(), Some(Reason::Shutdown)));
    assert_eq!(log.end().as_deref(), Some("shutdown"));
    assert_eq!((source.counts().sent, source.counts().discarded), (2, 1));
}

#[tokio::test]
async fn ending_a_stage_says_why_and_terminates_it_first() {
    for reason in [Reason::Normal, Reason::Shutdown, Reason::shutdown_for("tea"), Reason::failed("boom")] {
        let source = silent();
        let log = source.log();
        let source = source.stage().spawn();
        let said = reason.to_string();
        assert_eq!(why(&source.stop(reason).await), said);
        assert_eq!(log.end(), Some(said.clone()));
        assert_eq!(why(&source.stop(Reason::failed("late")).await), said, "it had ended before");
    }
    let source = silent();
    let log = source.log();
    let source = source.stage().spawn();
    source.abort();
    assert!(matches!(source.wait().await, Reason::Aborted));
    assert_eq!(log.end(), None, "who is killed does not clean up");
}

#[tokio::test]
async fn a_producer_consumer_that_finishes_hands_out_what_it_has_made() {
    let (source, middle) = (count(0), identity());
    let log = middle.log();
    let source = source.stage().spawn();
    let middle = middle.stage().subscribe_to(source.subscribe().demand(10, 5)).spawn();
    let mut reading = middle.subscribe().manual().await.unwrap();
    reading.ask(1);
    settle().await;
    assert_eq!(middle.status().await.unwrap().buffered, 9);
    source.stop(Reason::Shutdown).await;
    settle().await;
    assert_eq!(log.end(), None, "nine are still to go out");
    reading.ask(4);
    settle().await;
    assert_eq!(log.end(), None, "five are still to go out");
    reading.ask(14);
    settle().await;
    assert_eq!(log.end(), None, "the last item is still to go out");
    reading.ask(1);
    assert!(matches!(middle.wait().await, Reason::Shutdown));
    let mut got = Vec::new();
    while let Some(batch) = reading.next_batch().await {
        got.extend(batch);
    }
    // Ten were handled before the end, and ten had come before it.
    assert_eq!(got, (0..20).collect::<Vec<_>>());
    assert!(matches!(reading.end(), Some(Reason::Shutdown)));
}

#[tokio::test]
async fn a_stage_that_is_told_to_finish_takes_messages_until_everything_is_out() {
    let source = count(0);
    let log = source.log();
    let source = source.stage().spawn();
    source.cast(Say::Finish(vec![101, 102, 103])).await.unwrap();
    settle().await;
    source.cast(Say::Note('m')).await.unwrap();
    let read: Vec<u64> = source.subscribe().demand(2, 0).await.unwrap().collect().await;
    assert_eq!(read, [101, 102, 103]);
    assert!(matches!(source.wait().await, Reason::Normal));
    assert_eq!((log.notes().as_str(), log.demands().len()), ("m", 0), "no demand reaches it any more");
}
