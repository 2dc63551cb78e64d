//! Stages whose last handle is dropped, and the drop of their state.

use super::faulty::{Ask, Fault, How, Place};
use super::nothing_is_left;
use crate::support::settle;
use crate::support::stages::{Log, adds_up, count, why};
use futures::{FutureExt, StreamExt};
use gen_stage::prelude::*;
use gen_stage::stage::adapters::Producing;
use gen_stage::stage::{CastError, Handle, Output, Reply, StageError};
use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn the_last_handle_of_a_stage_that_never_returns_is_dropped() {
    for place in [Place::Start, Place::Demand, Place::Message, Place::Produce] {
        let fault = Fault::new(place, How::Abort);
        let handle = Producer::stage(fault.stage()).spawn();
        let address = handle.address();
        let mut read = None;
        if place != Place::Start {
            let mut reading = handle.subscribe().demand(10, 5).await.unwrap();
            fault.arm();
            assert!(reading.next().now_or_never().is_none());
            read = Some(reading);
        }
        let _ = address.try_cast(Ask::Boom(reply()));
        fault.entered.notified().await;
        drop(handle);
        settle().await;
        if let Some(read) = read {
            assert_eq!(fault.alive.load(Ordering::SeqCst), 1, "{place:?}: the subscription holds it");
            drop(read);
            settle().await;
        }
        assert_eq!(fault.alive.load(Ordering::SeqCst), 0, "{place:?}");
        assert!(fault.terminated.is_empty(), "{place:?}");
        let Err(CastError::Ended(Ask::Text("back"))) = address.cast(Ask::Text("back")).await else {
            panic!("{place:?}: it has ended");
        };
        nothing_is_left(&format!("{place:?}")).await;
    }
}

/// A reply that nobody waits for.
fn reply() -> Reply<()> {
    let kept = Arc::new(std::sync::Mutex::new(None));
    let keeper = kept.clone();
    let handle = Producer::stage(Fault::new(Place::Start, How::Error).stage());
    let (handle, _driver) = handle.into_parts();
    let _ = handle
        .call(move |reply| {
            *keeper.lock().unwrap() = Some(reply);
            Ask::Text("")
        })
        .now_or_never();
    kept.lock().unwrap().take().expect("it was made")
}

#[tokio::test]
async fn the_last_handle_of_a_consumer_that_never_returns_is_dropped() {
    for place in [Place::Start, Place::Subscribe, Place::Items] {
        let fault = Fault::new(place, How::Abort);
        fault.arm();
        let source = count(0);
        let log = source.log();
        let above = source.stage().spawn();
        let handle = Consumer::stage(fault.stage()).subscribe_to(above.subscribe().demand(10, 5)).spawn();
        fault.entered.notified().await;
        drop(handle);
        settle().await;
        assert_eq!(fault.alive.load(Ordering::SeqCst), 0, "{place:?}");
        assert_eq!(log.left(), ["down aborted"], "{place:?}");
        above.shutdown().await;
        adds_up(above.counts(), &format!("{place:?}"));
    }
}

type Kept = Arc<std::sync::Mutex<Option<Handle<Producing<u64, ()>>>>>;

/// Looks, when it is dropped, whether its stage is said to have ended.
struct Last {
    handle: Kept,
    told: Log<bool>,
}

impl Producer for Last {
    type Item = u64;

    async fn handle_demand(&mut self, _: usize, _: &mut Output<u64>) -> Result<(), StageError> {
        Ok(())
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        let handle = self.handle.lock().unwrap().take().expect("it was put there");
        self.told.push(handle.wait().now_or_never().is_some());
    }
}

#[tokio::test]
async fn the_state_is_dropped_before_anybody_is_told_that_the_stage_has_ended() {
    for end in ["shutdown", "abort", "dropped"] {
        let (place, told) = (Arc::default(), Log::default());
        let (handle, driver) = Last { handle: Arc::clone(&place), told: told.clone() }.stage().into_parts();
        *place.lock().unwrap() = Some(handle.clone());
        let task = tokio::spawn(driver);
        settle().await;
        match end {
            "shutdown" => drop(handle.shutdown().await),
            "abort" => handle.abort(),
            _ => task.abort(),
        }
        handle.wait().await;
        assert_eq!(told.all(), [false], "{end}");
    }
}

#[tokio::test]
async fn a_panic_in_the_drop_of_a_state_ends_nobody_else() {
    struct Brittle;
    impl Producer for Brittle {
        type Item = u64;
        async fn handle_demand(&mut self, _: usize, _: &mut Output<u64>) -> Result<(), StageError> {
            Ok(())
        }
    }
    impl Drop for Brittle {
        fn drop(&mut self) {
            panic_any("brittle");
        }
    }
    let brittle = Brittle.stage().spawn();
    let mut read = brittle.subscribe().temporary().await.unwrap();
    assert_eq!(why(&brittle.shutdown().await), "panicked: brittle");
    assert_eq!(read.next().await, None);
}
