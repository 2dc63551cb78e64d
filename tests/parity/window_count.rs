//! Windows of so many items: scenarios 301 to 316. Items are 1 to 100 unless said.
//!
//! Nothing here depends on how many items cross at once: "large" and "small" come out alike.

use super::{LARGE, SMALL};
use crate::support::numbers;
use futures::{StreamExt, stream};
use gen_stage::Flow;
use gen_stage::window::{Info, Trigger, Triggers, Window};
use std::num::NonZeroUsize;
use std::time::Duration;

/// The trigger's name, without the words that go around the number.
pub(super) fn named<Id: Copy>(info: Info<Id>, sum: u64) -> (Id, String, u64) {
    (info.window, info.trigger.to_string(), sum)
}

#[tokio::test]
async fn scenario_301_all_that_windows_emit() {
    let sums = Flow::from_iter(1..=100u64)
        .lanes(4)
        .demand(5, 0)
        .partition()
        .lanes(4)
        .window(Window::count(1000))
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state();
    let sums: Vec<u64> = sums.collect().await;
    assert_eq!((sums.len(), sums.iter().sum::<u64>()), (4, 5050));
}

#[tokio::test]
async fn scenario_302_every_ten_with_the_state_kept() {
    for demand in [LARGE, SMALL] {
        let sums = one_partition!(1..=100u64, demand)
            .window(Window::count(1000).every(10))
            .reduce(|| 0, |sum, n| *sum += n)
            .emit_state();
        let expected = [55, 210, 465, 820, 1275, 1830, 2485, 3240, 4095, 5050, 5050];
        assert_eq!(sums.collect::<Vec<u64>>().await, expected, "{demand:?}");
    }
}

#[tokio::test]
async fn scenario_304_every_ten_with_names_and_the_state_taken() {
    let sums = one_partition!(1..=100u64)
        .window(Window::count(1000).every(10))
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, info| [(info.window, info.trigger, std::mem::take(sum))]);
    let every = Trigger::Every(NonZeroUsize::new(10).unwrap());
    let mut expected: Vec<(u64, Trigger, u64)> = (0..10).map(|n| (0, every, 55 + 100 * n)).collect();
    expected.push((0, Trigger::Done, 0));
    assert_eq!(sums.collect::<Vec<_>>().await, expected);
}

#[tokio::test]
async fn scenario_305_a_custom_trigger_that_lets_all_pass() {
    let sums = one_partition!(1..=10u64)
        .window(Window::count(1000).trigger(|| (), |(), n: u64, acts| acts.reduce(n)))
        .map(|n| n + 1)
        .map(|n| n * 2)
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state();
    assert_eq!(sums.collect::<Vec<u64>>().await, [130]);
}

#[tokio::test(start_paused = true)]
async fn scenario_307_a_message_makes_a_window_emit() {
    let triggers = Triggers::new();
    let timer = triggers.clone();
    let mut sums = numbers(stream::iter(1..=10).chain(stream::pending()))
        .lanes(1)
        .partition()
        .lanes(1)
        .window(Window::count(1000).triggered_by(&triggers))
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
    assert_eq!(sums.next().await, Some((110, 0, 1, 0, Trigger::Named("sample"))));
}

#[tokio::test]
async fn scenario_308_windows_of_fifty() {
    for demand in [LARGE, SMALL] {
        let sums = one_partition!(1..=100u64, demand)
            .window(Window::count(50))
            .reduce(|| 0, |sum, n| *sum += n)
            .emit_state();
        assert_eq!(sums.collect::<Vec<u64>>().await, [1275, 3775, 0], "{demand:?}");
    }
}

#[tokio::test]
async fn scenario_310_windows_of_ten() {
    let sums =
        one_partition!(1..=100u64).window(Window::count(10)).reduce(|| 0, |sum, n| *sum += n).emit_state();
    let expected = [55, 155, 255, 355, 455, 555, 655, 755, 855, 955, 0];
    assert_eq!(sums.collect::<Vec<u64>>().await, expected);
}

#[tokio::test]
async fn scenario_311_windows_of_two_with_names() {
    let sums = one_partition!(1..=4u64)
        .window(Window::count(2))
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, info| [(*sum, info.window, info.is_done())]);
    assert_eq!(sums.collect::<Vec<(u64, u64, bool)>>().await, [(3, 0, true), (7, 1, true), (0, 2, true)]);
}

#[tokio::test]
async fn scenario_313_items_at_once_and_sums_of_two() {
    let sums = one_partition!(1..=5u64)
        .window(Window::count(2))
        .emit_and_reduce(
            || 0,
            |sum, n| {
                *sum += n;
                [n.to_string()]
            },
        )
        .on_trigger(|sum, info| [format!("{sum} in {}", info.window)]);
    let expected = ["1", "2", "3 in 0", "3", "4", "7 in 1", "5", "5 in 2"];
    assert_eq!(sums.collect::<Vec<_>>().await, expected);
}

#[tokio::test]
async fn scenario_314_a_window_in_the_layer_of_the_source() {
    let sums = Flow::from_iter(1..=5u64)
        .lanes(1)
        .window(Window::count(2))
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state();
    assert_eq!(sums.collect::<Vec<u64>>().await, [3, 7, 5]);
}

#[tokio::test]
async fn scenario_316_windows_over_what_windows_emit() {
    let lists = one_partition!(1..=6u64)
        .window(Window::count(2))
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state()
        .partition()
        .lanes(1)
        .window(Window::count(2))
        .reduce(Vec::new, Vec::push)
        .emit_state();
    // The oldest first, where the original prepends.
    assert_eq!(lists.collect::<Vec<Vec<u64>>>().await, [vec![3, 7], vec![11, 0], vec![]]);
}
