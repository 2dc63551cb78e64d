//! The check of adapters: right ones pass, and each broken promise is told.

use crate::faulty_stream::{Fault, Faulty};
use crate::told;
use futures::{FutureExt, StreamExt};
use gen_stage::supervisor::StreamSupervised;
use gen_stage::testing::{ItemOrder, NumberStream, check_stream};
use gen_stage::window::{StreamWindow, Window};
use std::time::Duration;

fn same(numbers: Vec<u64>) -> Vec<u64> {
    numbers
}

#[test]
fn adapters_of_this_crate_keep_their_promises() {
    let supervised = |numbers: NumberStream| {
        numbers.supervised(2, |n: u64| async move { n }).map(|(_, result)| result.expect("no task fails"))
    };
    check_stream(supervised, same, ItemOrder::Any);
    let windows = |numbers: NumberStream| {
        numbers
            .window(Window::count(3))
            .reduce(Vec::new, Vec::push)
            .on_trigger(|numbers, info| [(info.window, numbers.clone())])
            .into_stream()
    };
    let model = |numbers: Vec<u64>| {
        let mut windows: Vec<_> = numbers.chunks(3).map(<[u64]>::to_vec).collect();
        // The window that is open at the end is done too.
        if numbers.len() % 3 == 0 {
            windows.push(Vec::new());
        }
        (0..).zip(windows).collect()
    };
    check_stream(windows, model, ItemOrder::OfSource);
}

#[test]
fn adapters_of_other_crates_keep_their_promises() {
    check_stream(
        |numbers| numbers.map(|n| n + 1),
        |numbers| numbers.iter().map(|n| n + 1).collect(),
        ItemOrder::OfSource,
    );
    check_stream(
        |numbers| numbers.take(5),
        |numbers| numbers.into_iter().take(5).collect(),
        ItemOrder::OfSource,
    );
    let buffered = |numbers: NumberStream| numbers.map(|n| async move { n }.boxed()).buffer_unordered(3);
    check_stream(buffered, same, ItemOrder::Any);
    let slow = |n: u64| async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        n
    };
    check_stream(move |numbers| numbers.then(slow), same, ItemOrder::OfSource);
}

#[test]
fn each_fault_is_found_and_told_with_the_story_that_led_to_it() {
    let faults = [
        (Fault::LosesTheLast, "never came: "),
        (Fault::YieldsTwice, "came, and should not: 3"),
        (Fault::Swaps, "came in another order: ["),
        (Fault::EndsEarly, "never came: 5, 6"),
        (Fault::ForgetsTheWaker, "the reader waits, and the waker of its last poll is never woken"),
        (Fault::KeepsTheFirstWaker, "the reader waits, and the waker of its last poll is never woken"),
        (Fault::HidesThePanic, "its source panicked, and it ended as if all had come"),
        (Fault::ChangesThePanic, "and the reader got `something went wrong`"),
        (Fault::ReadsAhead, " items were taken from the source for the "),
        (Fault::PollsAgainAfterTheEnd, "it polls its source again after the end of that"),
        (Fault::HintsWrong, "its size hint said that 0 to 3 items were still to come, and "),
        (Fault::OnlyWakes, "it wakes the reader again and again, and has nothing"),
        (Fault::LeaksItsSource, "it is dropped, and its source is not"),
    ];
    for (fault, expected) in faults {
        let text = told(|| check_stream(|numbers| Faulty::new(numbers, fault), same, ItemOrder::OfSource));
        assert!(text.starts_with("the adapter breaks its contract: "), "{fault:?}: {text}");
        assert!(text.contains(expected), "{fault:?}: {text}");
        assert!(text.contains("; story ") && text.contains("the source has 0"), "{fault:?}: {text}");
    }
    check_stream(|numbers| Faulty::new(numbers, Fault::None), same, ItemOrder::OfSource);
}

#[test]
fn an_adapter_that_reads_before_it_is_read_is_found() {
    let eager = |mut numbers: NumberStream| {
        let first = numbers.next().now_or_never().flatten();
        futures::stream::iter(first).chain(numbers)
    };
    // The source has nothing yet when the adapter is made; it is polled all the same.
    let text = told(|| check_stream(eager, same, ItemOrder::OfSource));
    assert!(text.contains("it reads its source before it is read"), "{text}");
}

#[test]
fn an_order_that_does_not_matter_is_not_looked_at() {
    check_stream(|numbers| Faulty::new(numbers, Fault::Swaps), same, ItemOrder::Any);
}
