//! How many messages wait for a stage.

use crate::support::settle;
use crate::support::stages::Log;
use futures::FutureExt;
use gen_stage::prelude::*;
use gen_stage::stage::{CastError, Output, StageError};
use std::sync::Arc;
use std::task::Poll;
use tokio_test::task::spawn;

/// A stage that waits to be let on.
struct Slow(Log<u8>, Arc<tokio::sync::Semaphore>);

impl Producer<u8> for Slow {
    type Item = u64;

    async fn handle_demand(&mut self, _: usize, _: &mut Output<u64, u8>) -> Result<(), StageError> {
        Ok(())
    }

    async fn handle_message(&mut self, message: u8, _: &mut Output<u64, u8>) -> Result<(), StageError> {
        self.1.acquire().await?.forget();
        self.0.push(message);
        Ok(())
    }
}

#[tokio::test]
async fn a_mailbox_takes_so_many_messages_and_no_more() {
    let (got, gate) = (Log::default(), Arc::new(tokio::sync::Semaphore::new(0)));
    let slow = Slow(got.clone(), gate.clone()).stage().mailbox_size(2).spawn();
    // One is being handled, two are waiting.
    slow.cast(0).await.unwrap();
    settle().await;
    slow.cast(1).await.unwrap();
    slow.try_cast(2).unwrap();
    let Err(CastError::Full(3)) = slow.try_cast(3) else { panic!("it is full") };
    let mut third = spawn(slow.cast(3));
    let mut fourth = spawn(slow.cast(4));
    assert!(third.poll().is_pending() && fourth.poll().is_pending());
    // Other letters are not messages.
    assert!(slow.subscribe().into_future().now_or_never().is_none());
    gate.add_permits(1);
    settle().await;
    assert_eq!(got.all(), [0]);
    assert!(third.is_woken() && !fourth.is_woken(), "a place for one");
    assert!(matches!(third.poll(), Poll::Ready(Ok(()))));
    drop(fourth);
    gate.add_permits(10);
    settle().await;
    assert_eq!(got.all(), [0, 1, 2, 3]);
    // Those that wait behind items have as many places of their own.
    let producer = Slow(got.clone(), gate.clone()).stage().mailbox_size(2).spawn();
    producer.accumulate();
    producer.info(20).await.unwrap();
    producer.info(21).await.unwrap();
    let mut behind = spawn(producer.info(22));
    settle().await;
    assert!(behind.poll().is_pending());
    producer.try_cast(19).unwrap();
    settle().await;
    producer.forward();
    settle().await;
    assert!(behind.is_woken() && behind.poll().is_ready());
    settle().await;
    assert_eq!(got.all(), [0, 1, 2, 3, 19, 20, 21, 22]);
    for n in 4..6 {
        slow.cast(n).await.unwrap();
        settle().await;
    }
    assert_eq!(got.len(), 10);
}

#[tokio::test]
async fn casts_that_wait_for_a_place_get_their_message_back_when_the_stage_ends() {
    let slow = Slow(Log::default(), Arc::new(tokio::sync::Semaphore::new(0))).stage().mailbox_size(1).spawn();
    slow.cast(0).await.unwrap();
    settle().await;
    slow.cast(1).await.unwrap();
    let mut waiting: Vec<_> = (2..5).map(|n| spawn(slow.cast(n))).collect();
    assert!(waiting.iter_mut().all(|cast| cast.poll().is_pending()));
    slow.abort();
    settle().await;
    for (cast, n) in waiting.iter_mut().zip(2..) {
        // One after the other gets a place in a mailbox that nobody reads any more.
        let Poll::Ready(Err(CastError::Ended(message))) = cast.poll() else { panic!("it has ended") };
        assert_eq!(message, n);
    }
}
