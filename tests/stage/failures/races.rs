//! Whoever asks a stage for something while it ends is answered.

use super::faulty::{Ask, Fault, How, Place};
use gen_stage::prelude::*;
use gen_stage::stage::{CallError, from_iter};

/// Fails instead of waiting for ever.
async fn answered<T>(what: &str, asking: impl Future<Output = T>) -> T {
    let limit = std::time::Duration::from_secs(20);
    tokio::time::timeout(limit, asking).await.unwrap_or_else(|_| panic!("{what} was never answered"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_a_stage_for_its_status_while_it_ends_is_answered() {
    for _ in 0..10_000 {
        let producer = from_iter(0..).stage().spawn();
        let asking = {
            let producer = producer.clone();
            tokio::spawn(async move { while producer.status().await.is_ok() {} })
        };
        producer.abort();
        answered("a status", asking).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_subscribes_to_a_stage_while_it_ends_is_answered() {
    for _ in 0..10_000 {
        let producer = from_iter(0..).stage().spawn();
        let subscribing = {
            let producer = producer.clone();
            tokio::spawn(async move { while producer.subscribe().await.is_ok() {} })
        };
        producer.abort();
        answered("a subscription", subscribing).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_calls_a_stage_while_it_ends_is_answered() {
    for _ in 0..10_000 {
        let fault = Fault::new(Place::Terminate, How::Error);
        let producer = Producer::stage(fault.stage()).spawn();
        let calling = {
            let address = producer.address();
            tokio::spawn(async move { while address.call(Ask::Boom).await != Err(CallError::Ended) {} })
        };
        producer.abort();
        answered("a call", calling).await.unwrap();
    }
}
