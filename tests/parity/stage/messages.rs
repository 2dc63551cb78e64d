//! Calls, casts and infos. Scenarios 80 to 82, 97 and 98.

use crate::support::settle;
use crate::support::stages::{Say, collect, count, identity, now, silent};
use gen_stage::prelude::*;
use gen_stage::stage::{CallError, CastError, Control, Reason, StageError, Upstream};

#[tokio::test]
async fn scenario_080_the_answer_to_a_call_comes_behind_what_it_emits() {
    let source = silent().stage().spawn();
    let mut reading = source.subscribe().manual().await.unwrap();
    reading.ask(3);
    assert_eq!(source.call(|reply| Say::Call(vec![1, 2, 3], reply)).await, Ok(0));
    assert_eq!(now(&mut reading), Some(vec![1, 2, 3]));
}

#[tokio::test]
async fn a_call_can_be_answered_before_what_it_emits_goes_out() {
    let source = silent().stage().spawn();
    let mut reading = source.subscribe().manual().await.unwrap();
    reading.ask(3);
    assert_eq!(source.call(|reply| Say::CallFirst(vec![1, 2, 3], reply)).await, Ok(0));
    assert_eq!(now(&mut reading), None);
    settle().await;
    settle().await;
    assert_eq!(now(&mut reading), Some(vec![1, 2, 3]));
}

#[tokio::test]
async fn scenario_082_a_call_that_ends_the_stage_is_answered() {
    let (source, middle, reader) = (count(7), identity(), collect());
    let logs = [source.log(), middle.log(), reader.log()];
    let (source, middle, reader) = (source.stage().spawn(), middle.stage().spawn(), reader.stage().spawn());
    let stop = |reply| Say::CallStop(Reason::Shutdown, reply);
    assert_eq!(source.call(stop).await, Ok(7));
    assert_eq!(middle.call(stop).await, Ok(0));
    assert_eq!(reader.call(stop).await, Ok(0));
    let reasons = [source.wait().await, middle.wait().await, reader.wait().await];
    assert!(reasons.iter().all(|reason| matches!(reason, Reason::Shutdown)), "{reasons:?}");
    assert_eq!(logs.map(|log| log.end()), [const { Some("shutdown") }; 3].map(|end| end.map(String::from)));
}

#[tokio::test]
async fn an_ended_stage_answers_no_messages() {
    let source = silent().stage().spawn();
    source.shutdown().await;
    assert!(matches!(source.cast(Say::Note('a')).await, Err(CastError::Ended(Say::Note('a')))));
    assert!(matches!(source.try_cast(Say::Note('a')), Err(CastError::Ended(Say::Note('a')))));
    assert!(matches!(source.info(Say::Note('a')).await, Err(CastError::Ended(Say::Note('a')))));
    assert_eq!(source.call(|reply| Say::Call(vec![], reply)).await, Err(CallError::Ended));
    assert!(source.status().await.is_err());
    assert!(source.estimate_buffered_count().await.is_err());
}

#[tokio::test]
async fn a_message_without_a_handler_fails_the_stage() {
    struct Deaf;
    impl Consumer<u32> for Deaf {
        type Input = u64;
        async fn handle_items(
            &mut self,
            _: Vec<u64>,
            _: &Upstream,
            _: &mut Control<u32>,
        ) -> Result<(), StageError> {
            Ok(())
        }
    }
    let deaf = Deaf.stage().spawn();
    deaf.cast(7).await.unwrap();
    let reason = deaf.wait().await.to_string();
    assert!(reason.contains("Deaf") && reason.contains("handle_message"), "{reason}");
}

#[tokio::test]
async fn scenario_097_an_info_to_a_consumer_is_handled_at_once() {
    let reader = collect();
    let log = reader.log();
    let reader = reader.stage().spawn();
    reader.info(Say::Note('a')).await.unwrap();
    reader.cast(Say::QueueAndNote(vec![], 'b')).await.unwrap();
    settle().await;
    assert_eq!(log.notes(), "ab");
}

#[tokio::test]
async fn scenario_098_an_info_with_nothing_buffered_is_handled_at_once() {
    let (source, middle) = (silent(), identity());
    let logs = [source.log(), middle.log()];
    let source = source.stage().spawn();
    let middle = middle.stage().subscribe_to(source.subscribe()).spawn();
    settle().await;
    source.info(Say::Note('a')).await.unwrap();
    source.cast(Say::QueueAndNote(vec![], 'b')).await.unwrap();
    middle.info(Say::Note('a')).await.unwrap();
    middle.cast(Say::QueueAndNote(vec![], 'b')).await.unwrap();
    settle().await;
    assert_eq!(logs.map(|log| log.notes()), ["ab", "ab"]);
}
