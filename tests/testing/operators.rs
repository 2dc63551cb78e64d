//! The check of operators: each broken promise is told. That ours pass is seen in the tests of each, by the operator suite.

use crate::faulty_stream::{Fault, Faulty};
use crate::told;
use futures::StreamExt;
use gen_stage::flow::{Boxed, Flowing, InOrder, Readable};
use gen_stage::prelude::*;
use gen_stage::testing::{ItemOrder, NumberFlow, check_operator, check_operator_that_panics};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn same(numbers: Vec<u64>) -> Vec<u64> {
    numbers
}

#[test]
fn an_operator_may_be_any_function_from_a_flow_to_a_flow() {
    fn sums(flow: Flow<impl Flowing<Item = u64>>) -> Flow<impl Readable<Item = (u64, u64)>> {
        flow.partition_by(|n| n % 3).sum_by(|n| (n % 3, n))
    }
    fn doubled(flow: Flow<impl InOrder<Item = u64>>) -> Flow<impl Readable<Item = u64>> {
        flow.map_async(4, |n| async move { 2 * n }).ordered()
    }

    let model = |numbers: Vec<u64>| {
        let sum = |key| numbers.iter().filter(move |n| *n % 3 == key).sum::<u64>();
        (0..3).filter(|key| numbers.len() as u64 > *key).map(|key| (key, sum(key))).collect()
    };
    check_operator(sums, model, ItemOrder::Any);

    check_operator(doubled, |numbers| numbers.iter().map(|n| 2 * n).collect(), ItemOrder::OfSource);
}

#[test]
fn each_fault_is_found_and_told_with_the_story_that_led_to_it() {
    let faults = [
        (Fault::LosesTheLast, "never came: "),
        (Fault::YieldsTwice, "came, and should not: 3"),
        (Fault::Swaps, "came in another order: ["),
        (Fault::EndsEarly, "never came: "),
        (Fault::ForgetsTheWaker, "the reader waits, and the waker of its last poll is never woken"),
        (Fault::HidesThePanic, "its source panicked, and it ended as if all had come"),
        (Fault::ChangesThePanic, "and the reader got `something went wrong`"),
        (Fault::LeaksItsSource, "it is dropped, and its source is not"),
    ];
    for (fault, expected) in faults {
        let build = |flow: NumberFlow| flow.per_lane(move |lane| Faulty::new(lane, fault)).boxed();
        let text = told(|| check_operator(build, same, ItemOrder::OfLane));
        assert!(text.starts_with("the operator breaks its contract: "), "{fault:?}: {text}");
        assert!(text.contains(expected), "{fault:?}: {text}");
        assert!(text.contains("; story ") && text.contains(" lanes, demand "), "{fault:?}: {text}");
    }
    let right = |flow: NumberFlow| flow.per_lane(|lane| Faulty::new(lane, Fault::None)).boxed();
    check_operator(right, same, ItemOrder::OfLane);
}

#[test]
fn an_operator_that_runs_the_flow_by_itself_is_found() {
    fn spawned(flow: NumberFlow) -> Flow<Boxed<u64>> {
        let (sender, receiver) = futures::channel::mpsc::unbounded();
        tokio::spawn(flow.for_each(move |n| _ = sender.unbounded_send(n)));
        receiver.flow().boxed()
    }
    let text = told(|| check_operator(spawned, same, ItemOrder::Any));
    assert!(text.contains("it reads its source before it is read"), "{text}");
}

#[test]
fn an_operator_that_takes_much_more_than_is_read_is_found() {
    let slow = |n| async move {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        n
    };
    let text = told(|| check_operator(|flow| flow.map_async(3000, slow), same, ItemOrder::Any));
    assert!(text.contains(" items were taken from the source for the 1 that were read, and "), "{text}");
    assert!(text.contains(" are enough; story "), "{text}");
}

#[test]
fn several_lanes_do_not_pass_for_the_order_of_the_source() {
    let text = told(|| check_operator(|flow| flow.map(|n| n), same, ItemOrder::OfSource));
    assert!(text.contains("came in another order: ["), "{text}");
    check_operator(|flow| flow.map(|n| n), same, ItemOrder::OfLane);
}

#[test]
fn a_panic_of_its_own_has_to_reach_the_reader_as_it_is() {
    fn panics(n: u64) {
        if n == 7 {
            std::panic::resume_unwind(Box::new("seven"));
        }
    }
    check_operator_that_panics(|flow| flow.inspect(|n| panics(*n)), "seven");

    let other = told(|| check_operator_that_panics(|flow| flow.inspect(|n| panics(*n)), "eight"));
    assert!(other.contains("it panics with `eight`, and the reader got `seven`"), "{other}");

    let hides = |flow: NumberFlow| flow.filter(|n| catch_unwind(AssertUnwindSafe(|| panics(*n))).is_ok());
    let hidden = told(|| check_operator_that_panics(hides, "seven"));
    assert!(
        hidden.contains("it should panic with `seven` at the 7, and ended as if all had come"),
        "{hidden}"
    );
}

#[tokio::test]
async fn a_check_in_a_task_says_where_it_belongs() {
    let text = told(|| check_operator(|flow| flow.map(|n| n), same, ItemOrder::Any));
    assert!(text.starts_with("a check has runtimes of its own, and cannot run in a task"), "{text}");
}

#[tokio::test]
async fn what_is_checked_is_what_a_user_reads() {
    // The flow that checks give is one like all others.
    let numbers: gen_stage::testing::NumberStream = futures::stream::iter(0..5).boxed();
    let flow: NumberFlow = numbers.flow();
    assert_eq!(flow.lanes(1).collect::<Vec<_>>().await, [0, 1, 2, 3, 4]);
}
