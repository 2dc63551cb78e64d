//! Windows of so much processing time: scenarios 352 to 355.

use super::window_count::named;
use crate::support::numbers;
use futures::{StreamExt, stream};
use gen_stage::window::{Trigger, Window};
use std::time::Duration;
use tokio::time::Instant;

const LENGTH: Duration = Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn scenario_352_a_window_each_period_whether_something_came_or_not() {
    let sums = numbers(stream::iter(1..=10).chain(stream::pending()))
        .lanes(1)
        .partition()
        .lanes(1)
        .window(Window::periodic(LENGTH))
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, info| [(*sum, info.lane, info.lanes, info.window, info.is_done())]);
    let sums: Vec<_> = sums.take(2).collect().await;
    assert_eq!(sums, [(55, 0, 1, 0, true), (0, 0, 1, 1, true)]);
}

#[tokio::test(start_paused = true)]
async fn scenario_353_every_five_within_a_period() {
    let sums = numbers(stream::iter(1..=10).chain(stream::pending()))
        .lanes(1)
        .partition()
        .lanes(1)
        .window(Window::periodic(LENGTH).every(5))
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, info| [named(info, *sum)]);
    let sums: Vec<_> = sums.take(3).collect().await;
    let every = || "every 5 items".to_string();
    assert_eq!(sums, [(0, every(), 15), (0, every(), 55), (0, "done".to_string(), 55)]);
}

#[tokio::test(start_paused = true)]
async fn scenario_355_seconds_minutes_and_hours() {
    // Units are those of `Duration`, which is also the trigger's name.
    for (seconds, name) in [(10, "every 10s"), (600, "every 600s"), (36_000, "every 36000s")] {
        let period = Duration::from_secs(seconds);
        let begun = Instant::now();
        let mut fired = numbers(stream::pending())
            .lanes(1)
            .window(Window::global().periodically(period))
            .reduce(|| (), |(), _| ())
            .on_trigger(|(), info| [(info.trigger, info.trigger.to_string())]);
        assert_eq!(fired.next().await, Some((Trigger::Periodically(period), name.to_string())));
        let waited = begun.elapsed();
        assert!(waited >= period && waited <= period + Duration::from_millis(2), "{waited:?}");
    }
}

#[test]
#[should_panic(expected = "the length of a periodic window must be longer than 0 ns, given 0ns")]
fn scenario_355_a_length_of_0_is_refused() {
    let _ = Window::periodic(Duration::ZERO);
}

#[test]
#[should_panic(expected = "the period of a trigger must be longer than 0 ns, given 0ns")]
fn scenario_355_a_period_of_0_is_refused() {
    let _ = Window::global().periodically(Duration::ZERO);
}
