//! Every way to fail, in every callback, of every kind of stage.

use super::faulty::{Ask, FROM_OUTSIDE, Fault, How, IN_CALLBACKS, Place};
use super::nothing_is_left;
use crate::support::settle;
use crate::support::stages::{Log, Say, adds_up, collect, count, until, why};
use futures::FutureExt;
use gen_stage::prelude::*;
use gen_stage::stage::adapters::{Consuming, Producing, Transforming};
use gen_stage::stage::{CallError, CastError, Driver, Handle, Reason, Role, SubscribeError, from_iter};
use std::sync::atomic::Ordering;
use tokio::task::AbortHandle;

/// Runs the driver of a stage so that it can be ended from outside.
struct Runner {
    runtime: Option<tokio::runtime::Runtime>,
    task: Option<AbortHandle>,
}

impl Runner {
    fn run(driver: Driver, how: How) -> Self {
        if how == How::RuntimeShutdown {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
            runtime.spawn(driver);
            Self { runtime: Some(runtime), task: None }
        } else {
            Self { runtime: None, task: Some(tokio::spawn(driver).abort_handle()) }
        }
    }

    fn end<R: Role>(&mut self, handle: &Handle<R, Ask>, how: How) {
        match how {
            How::Abort => handle.abort(),
            How::DriverDropped => self.task.take().expect("it is a task").abort(),
            How::RuntimeShutdown => self.runtime.take().expect("it has one").shutdown_background(),
            _ => {}
        }
    }
}

/// Makes it go wrong, waits until the stage has ended, and checks what holds for all kinds.
async fn goes_wrong<R: Role>(handle: &Handle<R, Ask>, mut runner: Runner, fault: &Fault, case: &str) {
    let boom = {
        let address = handle.address();
        tokio::spawn(async move { address.call(Ask::Boom).await })
    };
    if fault.place == Place::Terminate {
        // Posted at once; waiting for it is not needed.
        assert!(handle.stop(Reason::Shutdown).now_or_never().is_none());
    }
    let waiting = {
        let address = handle.address();
        tokio::spawn(async move { address.call(Ask::Boom).await })
    };
    if fault.how.is_from_outside() {
        fault.entered.notified().await;
        runner.end(handle, fault.how);
    }
    let expected = fault.how.reason(fault.place);
    let reason = handle.wait().await;
    assert_eq!(why(&reason), expected, "{case}");
    // Where it was: a stage without a label goes by its type and its identifier.
    let stage = handle.stage_ref();
    let place = format!("the {} `{}` ({})", stage.kind(), stage.label(), stage.id());
    let said = match &reason {
        Reason::Panicked(panic) => panic.place(),
        Reason::Failed(failure) => failure.place(),
        _ => Some(&*place),
    };
    assert_eq!(said, Some(&*place), "{case}");
    if fault.how == How::RuntimeShutdown {
        until("the state is dropped", || fault.alive.load(Ordering::SeqCst) == 0).await;
        let closed = || matches!(handle.try_cast(Ask::Text("")), Err(CastError::Ended(_)));
        until("the mailbox is closed", closed).await;
    }
    assert_eq!(fault.alive.load(Ordering::SeqCst), 0, "{case}: the state is dropped before it is told");
    let terminated = match fault.place {
        Place::Terminate => vec!["shutdown"],
        _ if fault.how.is_from_outside() => vec![],
        _ => vec![expected],
    };
    assert_eq!(fault.terminated.all(), terminated, "{case}");

    // Calls that were waiting, and those that come late.
    for call in [boom, waiting] {
        let answer = call.await.expect("it does not panic");
        assert!(matches!(answer, Err(CallError::NoReply | CallError::Ended)), "{case}: {answer:?}");
    }
    assert_eq!(handle.call(Ask::Boom).await, Err(CallError::Ended), "{case}");
    for refused in [
        handle.cast(Ask::Text("back")).await,
        handle.try_cast(Ask::Text("back")),
        handle.info(Ask::Text("back")).await,
    ] {
        let refused = refused.expect_err("it has ended");
        assert!(matches!(refused, CastError::Ended(_)), "{case}");
        assert!(matches!(refused.into_message(), Ask::Text("back")), "{case}");
    }
    assert!(handle.status().await.is_err(), "{case}");
}

/// Those who read from the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Stream,
    Stage,
}

const READERS: [Reader; 2] = [Reader::Stream, Reader::Stage];

/// What a reader was told at last.
enum Reading {
    Stream(tokio::task::JoinHandle<String>),
    Stage(Log, gen_stage::stage::ConsumerHandle<u64, Say>),
}

impl Reading {
    fn start<R>(reader: Reader, handle: &Handle<R, Ask>) -> Self
    where
        R: gen_stage::stage::Produces<Item = u64, Options = ()>,
    {
        let subscribe = handle.subscribe().demand(10, 5);
        match reader {
            Reader::Stream => Self::Stream(tokio::spawn(async move {
                // Temporary, so that it only ends, and says why.
                match subscribe.temporary().await {
                    Err(SubscribeError::Gone) => Reason::Gone.to_string(),
                    Err(other) => other.to_string(),
                    Ok(mut subscription) => {
                        while subscription.next_batch().await.is_some() {}
                        why(subscription.end().expect("it has ended"))
                    }
                }
            })),
            Reader::Stage => {
                let reader = collect();
                let log = reader.log();
                Self::Stage(log, reader.stage().subscribe_to(subscribe).spawn())
            }
        }
    }

    async fn check(self, expected: &str, case: &str) {
        match self {
            Self::Stream(told) => assert_eq!(told.await.expect("it does not panic"), expected, "{case}"),
            Self::Stage(log, handle) => {
                assert_eq!(why(&handle.wait().await), expected, "{case}");
                assert_eq!(log.cancelled(), [format!("down {expected}")], "{case}");
                // It was not aborted itself, whatever has become of its producer.
                assert_eq!(log.end().as_deref(), Some(expected), "{case}");
            }
        }
    }
}

/// What the readers of a stage are told.
fn told_below(place: Place, how: How) -> &'static str {
    // Their subscription was still in its mailbox.
    if place == Place::Start { "the producer had already ended" } else { how.reason(place) }
}

fn is_possible(place: Place, how: How) -> bool {
    place != Place::Terminate || how == How::Panic || how.is_from_outside()
}

fn cases(places: &[Place]) -> Vec<(Place, How)> {
    let all =
        places.iter().flat_map(|place| IN_CALLBACKS.into_iter().chain(FROM_OUTSIDE).map(|how| (*place, how)));
    all.filter(|(place, how)| is_possible(*place, *how)).collect()
}

#[tokio::test]
async fn every_failure_of_a_producer_is_told_to_all_and_leaves_nothing() {
    let places = [
        Place::Start,
        Place::Demand,
        Place::Produce,
        Place::Message,
        Place::Consumer,
        Place::ConsumerLeft,
        Place::Terminate,
    ];
    for (place, how) in cases(&places) {
        for reader in READERS {
            let case = format!("{how:?} in {place:?}, read by a {reader:?}");
            let fault = Fault::new(place, how);
            let (handle, driver) = Producer::stage(fault.stage()).into_parts();
            let handle: Handle<Producing<u64, ()>, Ask> = handle;
            let runner = Runner::run(driver, how);
            let reading = Reading::start(reader, &handle);
            if place == Place::ConsumerLeft {
                let leaving = handle.subscribe().await.unwrap();
                settle().await;
                fault.arm();
                drop(leaving);
            } else if !matches!(place, Place::Start | Place::Consumer) {
                while handle.status().await.expect("it is alive").consumers.is_empty() {}
                fault.arm();
                // `produce` is looked at anew behind a letter.
                let _ = handle.status().now_or_never();
            }
            goes_wrong(&handle, runner, &fault, &case).await;
            reading.check(told_below(place, how), &case).await;
            adds_up(handle.counts(), &case);
            drop(handle);
            nothing_is_left(&case).await;
        }
    }
}

#[tokio::test]
async fn every_failure_of_a_producer_consumer_is_told_to_all_and_leaves_nothing() {
    let places = [
        Place::Start,
        Place::Items,
        Place::Message,
        Place::Subscribe,
        Place::ProducerLeft,
        Place::Consumer,
        Place::ConsumerLeft,
        Place::Terminate,
    ];
    for (place, how) in cases(&places) {
        for reader in READERS {
            let case = format!("{how:?} in {place:?}, read by a {reader:?}");
            let fault = Fault::new(place, how);
            let source = count(0);
            let log = source.log();
            let above = source.stage().spawn();
            let other = from_iter(0..).stage().spawn();
            let (handle, driver) = ProducerConsumer::stage(fault.stage())
                .subscribe_to(above.subscribe().demand(10, 5))
                .subscribe_to(other.subscribe().demand(4, 2).temporary())
                .into_parts();
            let handle: Handle<Transforming<u64, u64, ()>, Ask> = handle;
            // Where it fails before it comes to its mailbox, the subscription has to be there already.
            let reading = Reading::start(reader, &handle);
            settle().await;
            let runner = Runner::run(driver, how);
            if place == Place::ConsumerLeft {
                let leaving = handle.subscribe().await.unwrap();
                settle().await;
                fault.arm();
                drop(leaving);
            } else if !matches!(place, Place::Start | Place::Consumer | Place::Subscribe) {
                while handle.status().await.expect("it is alive").consumers.is_empty() {}
                fault.arm();
                if place == Place::ProducerLeft {
                    other.shutdown().await;
                }
            }
            goes_wrong(&handle, runner, &fault, &case).await;
            let told = if place == Place::Subscribe {
                told_below(Place::Start, how)
            } else {
                told_below(place, how)
            };
            reading.check(told, &case).await;
            adds_up(handle.counts(), &case);
            above_is_told(&log, &above, place, how, &case).await;
            other.shutdown().await;
            adds_up(other.counts(), &case);
            drop((handle, above, other));
            nothing_is_left(&case).await;
        }
    }
}

#[tokio::test]
async fn every_failure_of_a_consumer_is_told_to_all_and_leaves_nothing() {
    let places =
        [Place::Start, Place::Items, Place::Message, Place::Subscribe, Place::ProducerLeft, Place::Terminate];
    for (place, how) in cases(&places) {
        let case = format!("{how:?} in {place:?}");
        let fault = Fault::new(place, how);
        let source = count(0);
        let log = source.log();
        let above = source.stage().spawn();
        let other = from_iter(0..).stage().spawn();
        let (handle, driver) = Consumer::stage(fault.stage())
            .subscribe_to(above.subscribe().demand(10, 5))
            .subscribe_to(other.subscribe().demand(4, 2).temporary())
            .into_parts();
        let handle: Handle<Consuming<u64>, Ask> = handle;
        let runner = Runner::run(driver, how);
        if !matches!(place, Place::Start | Place::Subscribe) {
            while handle.status().await.expect("it is alive").producers.len() < 2 {}
            fault.arm();
            if place == Place::ProducerLeft {
                other.shutdown().await;
            }
        }
        goes_wrong(&handle, runner, &fault, &case).await;
        above_is_told(&log, &above, place, how, &case).await;
        other.shutdown().await;
        adds_up(other.counts(), &case);
        drop((handle, above, other));
        nothing_is_left(&case).await;
    }
}

/// What the producer of a stage is told, which lives on.
async fn above_is_told(
    log: &Log,
    above: &Handle<Producing<u64, ()>, Say>,
    place: Place,
    how: How,
    case: &str,
) {
    // Also of one that failed as it started: it was subscribed when it was set up.
    until("the producer is told", || !log.left().is_empty()).await;
    assert_eq!(log.left(), [format!("down {}", how.reason(place))], "{case}");
    assert!(above.status().await.unwrap().consumers.is_empty(), "{case}");
    above.shutdown().await;
    assert_eq!(log.end().as_deref(), Some("shutdown"), "{case}");
    adds_up(above.counts(), case);
}
