//! Where a failure was: the text of each failure of a stage says it, wherever it is told.

use super::faulty::{Ask, Fault, How, Place};
use crate::support::stages::{Say, collect, count, identity, silent};
use crate::support::{Lines, settle};
use futures::{FutureExt, SinkExt, StreamExt, sink, stream};
use gen_stage::dispatch::{Broadcast, Partition};
use gen_stage::prelude::*;
use gen_stage::stage::{Handle, Output, Reason, Role, StageError, from_iter, from_sink, from_stream};
use std::any::type_name;
use std::panic::{AssertUnwindSafe, panic_any};

const NUMBERS: std::ops::RangeFrom<u64> = 0..;

/// What a stage has ended with that fails at the place of `fault`, or that is told to.
async fn failed<R: Role>(stage: &Handle<R, Ask>, fault: &Fault) -> String {
    settle().await;
    match fault.place {
        Place::Message => assert!(stage.call(Ask::Boom).await.is_err()),
        Place::Terminate => drop(stage.shutdown().await),
        _ => {}
    }
    stage.wait().await.to_string()
}

/// Takes one batch of a stage and leaves it.
fn read_one<R>(stage: &Handle<R, Ask>)
where
    R: gen_stage::stage::Produces<Item = u64, Options = ()>,
{
    let subscribe = stage.subscribe().temporary();
    tokio::spawn(async move {
        if let Ok(mut read) = subscribe.await {
            read.next_batch().await;
        }
    });
}

#[tokio::test]
async fn every_failure_of_a_callback_names_the_stage_by_its_kind_and_label() {
    use Place::{
        Consumer as ByConsumer, ConsumerLeft, Demand, Items, Message, Produce, Start, Subscribe, Terminate,
    };
    let all = |places: &[Place]| -> Vec<(Place, How)> {
        let hows = |place| [How::Panic, How::Error, How::StopFailed].map(|how| (place, how));
        places.iter().copied().flat_map(hows).chain([(Terminate, How::Panic)]).collect()
    };
    let said = |how| match how {
        How::Panic => "panicked: boom",
        How::Error => "failed: boom",
        _ => "failed: enough",
    };
    for (place, how) in all(&[Start, Demand, Produce, Message, ByConsumer, ConsumerLeft]) {
        let fault = Fault::new(place, how);
        fault.arm();
        let stage = Producer::stage(fault.stage()).label("it").spawn();
        read_one(&stage);
        let text = failed(&stage, &fault).await;
        assert_eq!(text, format!("the producer `it` {}", said(how)), "{place:?}");
    }
    for (place, how) in all(&[Start, Items, Message, Subscribe, ByConsumer, ConsumerLeft]) {
        let fault = Fault::new(place, how);
        fault.arm();
        let above = count(0).stage().spawn();
        let stage =
            ProducerConsumer::stage(fault.stage()).label("it").subscribe_to(above.subscribe()).spawn();
        read_one(&stage);
        let text = failed(&stage, &fault).await;
        assert_eq!(text, format!("the producer-consumer `it` {}", said(how)), "{place:?}");
    }
    for (place, how) in all(&[Start, Items, Message, Subscribe]) {
        let fault = Fault::new(place, how);
        fault.arm();
        let above = count(0).stage().spawn();
        let stage = Consumer::stage(fault.stage()).label("it").subscribe_to(above.subscribe()).spawn();
        let text = failed(&stage, &fault).await;
        assert_eq!(text, format!("the consumer `it` {}", said(how)), "{place:?}");
    }
}

fn seven(n: u64) -> u64 {
    if n == 7 { panic_any("seven") } else { n }
}

/// What the producer that a flow or a stage reads from ends with.
async fn read_to_its_end<M: Send + 'static>(
    stage: Handle<gen_stage::stage::adapters::Producing<u64, ()>, M>,
) -> String {
    let read = stage.subscribe().temporary().await.unwrap();
    read.collect::<Vec<_>>().await;
    stage.wait().await.to_string()
}

#[tokio::test]
async fn every_failure_of_what_a_stage_is_made_of_names_the_stage() {
    struct Deaf;
    impl Producer<u8> for Deaf {
        type Item = u64;
        async fn handle_demand(&mut self, _: usize, _: &mut Output<u64, u8>) -> Result<(), StageError> {
            Ok(())
        }
    }
    struct Brittle;
    impl Producer for Brittle {
        type Item = u64;
        async fn handle_demand(&mut self, _: usize, out: &mut Output<u64>) -> Result<(), StageError> {
            out.finish();
            Ok(())
        }
    }
    impl Drop for Brittle {
        fn drop(&mut self) {
            panic_any("brittle");
        }
    }
    let iterator = read_to_its_end(from_iter(NUMBERS.map(seven)).stage().label("it").spawn());
    let streamed = read_to_its_end(from_stream(stream::iter(NUMBERS).map(seven)).stage().label("it").spawn());
    let dropped = read_to_its_end(Brittle.stage().label("it").spawn());
    let message = async {
        let deaf = Deaf.stage().label("it").spawn();
        deaf.cast(1).await.unwrap();
        deaf.wait().await.to_string()
    };
    let written = |fails: fn(u64) -> Result<(), StageError>| async move {
        let numbers = from_iter(NUMBERS).stage().spawn();
        let sink = Box::pin(sink::unfold((), move |(), n| async move { fails(n) }));
        from_sink(sink).stage().label("it").subscribe_to(numbers.subscribe()).spawn().wait().await.to_string()
    };
    let selector = async {
        let hub = from_iter(NUMBERS).stage().dispatcher(Broadcast::new()).label("it").spawn();
        let read = hub.subscribe().temporary().selector(|_| panic!("no opinion")).await.unwrap();
        read.collect::<Vec<_>>().await;
        hub.wait().await.to_string()
    };
    let partition = async {
        let hub =
            from_iter(NUMBERS).stage().dispatcher(Partition::by_key([0], |n: &u64| *n)).label("it").spawn();
        let read = hub.subscribe().temporary().in_partition(0).await.unwrap();
        read.collect::<Vec<_>>().await;
        hub.wait().await.to_string()
    };
    let unknown =
        "the producer `it` panicked: an item was assigned to the unknown partition 1; the known ones are [0]";
    let deaf =
        format!("the producer `it` failed: {} got a message and has no handle_message", type_name::<Deaf>());
    let table: [(&str, &str, String); 8] = [
        ("iterator", "the producer `it` panicked: seven", iterator.await),
        ("stream", "the producer `it` panicked: seven", streamed.await),
        ("drop", "the producer `it` panicked: brittle", dropped.await),
        ("sink that panics", "the consumer `it` panicked: seven", written(|n| Ok(_ = seven(n))).await),
        ("sink that fails", "the consumer `it` failed: full", written(|_| Err("full".into())).await),
        ("selector", "the producer `it` panicked: no opinion", selector.await),
        ("partition", unknown, partition.await),
        ("message", &deaf, message.await),
    ];
    for (what, expected, text) in table {
        assert_eq!(text, expected, "{what}");
    }
}

#[tokio::test]
async fn a_stage_without_a_label_is_named_by_its_type_and_identifier() {
    let (one, other) = (silent().stage().spawn(), silent().stage().spawn());
    assert_eq!(one.label(), other.label());
    one.cast(Say::Panic("boom")).await.unwrap();
    other.cast(Say::Fail("boom")).await.unwrap();
    let (first, second) = (one.wait().await.to_string(), other.wait().await.to_string());
    assert_eq!(first, format!("the producer `{}` ({}) panicked: boom", one.label(), one.id()));
    assert_eq!(second, format!("the producer `{}` ({}) failed: boom", other.label(), other.id()));
}

#[tokio::test]
async fn a_failure_that_is_passed_on_names_the_stage_where_it_was_and_no_other() {
    for (say, text) in [
        (Say::Panic("boom"), "the producer `first` panicked: boom"),
        (Say::Fail("boom"), "the producer `first` failed: boom"),
        (Say::Stop(vec![], Reason::failed("boom")), "the producer `first` failed: boom"),
    ] {
        let lines = Lines::listen();
        let first = silent().stage().label("first").spawn();
        let second = identity().stage().label("second").subscribe_to(first.subscribe()).spawn();
        let third = identity().stage().label("third").subscribe_to(second.subscribe()).spawn();
        let last = collect().stage().label("last").subscribe_to(third.subscribe()).spawn();
        let mut read = third.subscribe().await.unwrap().fallible();
        assert!(read.next().now_or_never().is_none());
        settle().await;
        first.cast(say).await.unwrap();
        let reasons = [first.wait().await, second.wait().await, third.wait().await, last.wait().await];
        assert_eq!(reasons.map(|reason| reason.to_string()), [text; 4]);
        assert_eq!(read.next().await.unwrap().unwrap_err().to_string(), text);
        // Each says that it has failed, and all why.
        let said = lines.with("a stage has failed");
        assert_eq!(said.len(), 4, "{said:?}");
        for label in ["first", "second", "third", "last"] {
            let of = said.iter().filter(|line| line.contains(&format!("stage={label}")));
            assert!(
                of.clone().count() == 1 && of.clone().all(|line| line.contains(text)),
                "{label}: {said:?}"
            );
        }
    }
}

/// What reading a stage as a stream is raised with, when the stage ends so.
async fn raised(end: impl AsyncFnOnce(&gen_stage::stage::ProducerHandle<u64, (), Say>)) -> String {
    let stage = silent().stage().label("it").spawn();
    let mut read = stage.subscribe().await.unwrap();
    assert!(read.next().now_or_never().is_none());
    settle().await;
    end(&stage).await;
    let payload = AssertUnwindSafe(read.next()).catch_unwind().await.unwrap_err();
    payload.downcast_ref::<String>().expect("it is a text").clone()
}

#[tokio::test]
async fn a_reader_is_raised_with_a_text_that_names_the_stage() {
    let failed = raised(async |stage| drop(stage.stop(Reason::failed("boom")).await)).await;
    assert_eq!(failed, "the producer `it` failed: boom");
    let aborted = raised(async |stage| stage.abort()).await;
    assert_eq!(aborted, "a subscription to the producer `it` ended before it was done: aborted");
}

#[tokio::test]
async fn the_sink_in_front_of_a_consumer_fails_with_the_name_of_the_consumer() {
    let fails = Box::pin(sink::unfold((), |(), _: u64| async { Err::<(), _>(StageError::from("full")) }));
    let error = from_sink(fails).into_sink().demand(1, 0).send(1).await.unwrap_err().to_string();
    assert!(error.starts_with("the consumer `") && error.ends_with(") failed: full"), "{error}");
}
