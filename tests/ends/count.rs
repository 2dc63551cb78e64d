use crate::support::shapes::shape;
use crate::support::{Watched, counting, numbers, settle, seven};
use futures::{FutureExt, StreamExt};
use proptest::prelude::*;
use std::panic::AssertUnwindSafe;

#[tokio::test]
async fn nothing_one_and_many_are_counted() {
    for items in [0, 1, 5000] {
        assert_eq!(counting(items).lanes(3).count().await, items);
    }
}

#[tokio::test]
async fn what_a_closed_layer_emits_is_counted() {
    let states = counting(10).lanes(3).reduce(|| 0, |sum, n| *sum += n).emit_state();
    assert_eq!(states.count().await, 3);
}

#[tokio::test]
async fn of_a_flow_that_was_begun_the_rest_is_counted() {
    for taken in [1, 3] {
        let mut flow = counting(10).lanes(1).demand(4, 2);
        for n in 0..taken {
            assert_eq!(flow.next().await, Some(n));
        }
        assert_eq!(flow.count().await, 10 - taken);
    }
    let mut flow = counting(10).lanes(1);
    assert_eq!(flow.next().await, Some(0));
    assert_eq!(flow.by_ref().count().await, 9);
    assert_eq!(flow.count().await, 0, "it has ended");
}

#[tokio::test]
async fn it_waits_for_a_pending_source_and_is_woken_by_it() {
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    let mut running = tokio_test::task::spawn(numbers(receiver).count());
    assert!(running.poll().is_pending());
    sender.unbounded_send(1).unwrap();
    settle().await;
    assert!(running.poll().is_pending());
    drop(sender);
    settle().await;
    assert!(running.is_woken());
    assert_eq!(tokio_test::assert_ready!(running.poll()), 1);
}

#[tokio::test]
async fn a_panic_reaches_whoever_awaits() {
    let counting = counting(100).inspect(|n| seven(*n)).count();
    let caught = AssertUnwindSafe(counting).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
}

#[tokio::test]
async fn dropping_the_future_drops_the_source() {
    let watched = Watched::new();
    let mut running = tokio_test::task::spawn(numbers(watched.endless()).count());
    assert!(running.poll().is_pending());
    tokio::task::yield_now().await;
    assert!(watched.is_alive());
    drop(running);
    assert!(!watched.is_alive());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn it_is_the_number_of_items(shape in shape()) {
        let expected = shape.items.iter().filter(|n| **n % 3 == 0).count() as u64;
        prop_assert_eq!(shape.run(shape.flow().filter(|n| n % 3 == 0).count()), expected);
    }
}
