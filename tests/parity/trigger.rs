//! Triggers: scenarios 356 to 377. Items are 1 to 100 unless said.

use super::{LARGE, SMALL};
use crate::support::{numbers, sorted};
use futures::{StreamExt, stream};
use gen_stage::Flow;
use gen_stage::window::{Global, Trigger, Triggers, Window};
use std::num::NonZeroUsize;
use std::time::Duration;
use tokio::time::Instant;

fn every(items: usize) -> Trigger {
    Trigger::Every(NonZeroUsize::new(items).unwrap())
}

#[tokio::test]
async fn scenario_356_every_ten_with_the_state_kept() {
    for demand in [LARGE, SMALL] {
        let sums = one_partition!(1..=100u64, demand)
            .window(Window::global().every(10))
            .reduce(|| 0, |sum, n| *sum += n)
            .emit_state();
        let expected = [55, 210, 465, 820, 1275, 1830, 2485, 3240, 4095, 5050, 5050];
        assert_eq!(sums.collect::<Vec<u64>>().await, expected, "{demand:?}");
    }
}

#[tokio::test]
async fn scenario_359_every_ten_with_names_and_the_state_taken() {
    let sums = one_partition!(1..=100u64)
        .window(Window::global().every(10))
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, info| [(info.window, info.trigger, std::mem::take(sum))]);
    let mut expected: Vec<_> = (0..10).map(|n| (Global, every(10), 55 + 100 * n)).collect();
    expected.push((Global, Trigger::Done, 0));
    assert_eq!(sums.collect::<Vec<(Global, Trigger, u64)>>().await, expected);
}

#[tokio::test]
async fn scenario_361_a_custom_trigger_sees_what_comes_in() {
    let sums = one_partition!(1..=10u64)
        .window(Window::global().trigger(
            || 1,
            |next, n: u64, acts| {
                assert_eq!(n, *next, "as it was before the operators");
                *next += 1;
                acts.reduce(n);
            },
        ))
        .map(|n| n + 1)
        .map(|n| n * 2)
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state();
    assert_eq!(sums.collect::<Vec<u64>>().await, [130]);
}

#[tokio::test(start_paused = true)]
async fn scenario_362_a_timer_makes_what_is_there_come_out() {
    let period = Duration::from_millis(200);
    let begun = Instant::now();
    let mut sums = numbers(stream::iter(1..=10).chain(stream::pending()))
        .lanes(1)
        .partition()
        .lanes(1)
        .window(Window::global().periodically(period))
        .map(|n| n * 2)
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state();
    assert_eq!(sums.next().await, Some(110));
    let waited = begun.elapsed();
    assert!(waited >= period && waited <= period + Duration::from_millis(2), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn scenario_364_a_message_makes_the_global_window_emit() {
    let triggers = Triggers::new();
    let timer = triggers.clone();
    let mut sums = numbers(stream::iter(1..=10).chain(stream::pending()))
        .lanes(1)
        .partition()
        .lanes(1)
        .window(Window::global().triggered_by(&triggers))
        .map(|n| n * 2)
        .reduce(
            move || {
                let timer = timer.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    assert_eq!(timer.fire("sample"), 1);
                });
                0
            },
            |sum, n| *sum += n,
        )
        .on_trigger(|sum, info| [(*sum, info.lane, info.lanes, info.window, info.trigger)]);
    assert_eq!(sums.next().await, Some((110, 0, 1, Global, Trigger::Named("sample"))));
}

/// Emits pairs of neighbours, and reduces `marker` where there is no pair yet.
macro_rules! neighbours {
    ($marker:expr) => {{
        let pairs = Window::global().trigger(
            || None,
            |last, letter: char, acts| match last.replace(letter) {
                Some(last) => {
                    acts.reduce(last);
                    acts.reduce(letter);
                    acts.fire("moving");
                }
                None => $marker.into_iter().for_each(|marker: char| acts.reduce(marker)),
            },
        );
        let flow = Flow::from_iters(["abc".chars(), "abc".chars()])
            .lanes(1)
            .partition()
            .lanes(1)
            .window(pairs)
            .reduce(Vec::new, Vec::push)
            .on_trigger(|letters, _| [sorted(letters.drain(..)).into_iter().collect::<String>()]);
        flow.collect::<Vec<_>>().await
    }};
}

#[tokio::test]
async fn scenario_367_a_custom_trigger_that_continues_with_something_else() {
    assert_eq!(neighbours!(None), ["ab", "bc", "ac", "ab", "bc", ""]);
    // Triggers are asked item by item: there is no pair but at the first. The original is asked once a list, and so
    // continues with the marker behind each list of three: in front of "ac", and of the end.
    assert_eq!(neighbours!(Some('x')), ["abx", "bc", "ac", "ab", "bc", ""]);
}

#[tokio::test]
async fn scenario_368_items_are_counted_before_the_operators() {
    let sums = one_partition!(1..=8u64)
        .window(Window::global().every(4))
        .filter(|n| n % 2 == 0)
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, info| [(*sum, info.trigger)]);
    let expected = [(6, every(4)), (20, every(4)), (20, Trigger::Done)];
    assert_eq!(sums.collect::<Vec<(u64, Trigger)>>().await, expected);
}

#[tokio::test]
async fn scenario_370_what_is_made_of_a_state_that_is_kept() {
    let sums = one_partition!(1..=4u64)
        .window(Window::global().every(2))
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, _| [*sum * 100]);
    assert_eq!(sums.collect::<Vec<u64>>().await, [300, 1000, 1000]);
}

#[tokio::test]
async fn scenario_371_every_two_with_the_state_taken() {
    let sums = one_partition!(1..=5u64)
        .window(Window::global().every(2))
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, info| [(std::mem::take(sum), info.trigger)]);
    let expected = [(3, every(2)), (7, every(2)), (5, Trigger::Done)];
    assert_eq!(sums.collect::<Vec<(u64, Trigger)>>().await, expected);
}

#[tokio::test]
async fn scenario_373_a_trigger_comes_behind_the_items_that_set_it_off() {
    let sums = one_partition!(1..=5u64)
        .window(Window::global().every(2))
        .emit_and_reduce(
            || 0,
            |sum, n| {
                *sum += n;
                [n.to_string()]
            },
        )
        .on_trigger(|sum, _| [format!("sum {sum}")]);
    // In the order of the items that caused it (design 6.5); in the original, triggers overtake items.
    let expected = ["1", "2", "sum 3", "3", "4", "sum 10", "5", "sum 15"];
    assert_eq!(sums.collect::<Vec<_>>().await, expected);
}

#[tokio::test]
async fn scenario_374_a_custom_trigger_that_continues_with_the_odd() {
    let odd = Window::global().trigger(
        || (),
        |(), n: u64, acts| {
            if n % 2 == 1 {
                acts.reduce(n);
            }
        },
    );
    let lists =
        one_partition!(1..=5u64).window(odd).reduce(Vec::new, |list, n| list.insert(0, n)).emit_state();
    assert_eq!(lists.collect::<Vec<Vec<u64>>>().await, [[5, 3, 1]]);
}

#[test]
#[should_panic(expected = "a window can emit at every 1 item or more, given 0")]
fn scenario_377_a_trigger_every_0_items_is_refused() {
    let _ = Window::global().every(0);
}
