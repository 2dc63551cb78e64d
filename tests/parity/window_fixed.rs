//! Windows of event time: scenarios 317 to 350, windows of a second unless said. Items are 1 to 100 unless said.
//!
//! W1: every item at time 0. W2: up to 50 at their own number, the others 1000 later. W3: up to 40 at 0, up to 80 at
//! 2000, the rest at 0 again.
//!
//! Flow fills gaps always, ours where it says `fill_gaps`. A window closes at the item that passes its end and not
//! behind the list with that item in it (design 6.5), and late items are counted (6.6): so "large" comes out as
//! "small" does.

use super::window_count::named;
use super::{LARGE, SMALL};
use crate::support::{numbers, sorted};
use futures::{StreamExt, stream};
use gen_stage::Flow;
use gen_stage::window::{Info, Span, Trigger, Window};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::oneshot;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

#[allow(clippy::trivially_copy_pass_by_ref, reason = "a window is given a reference")]
fn w2(n: &u64) -> u64 {
    if *n <= 50 { *n } else { 1000 + n }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "a window is given a reference")]
fn w3(n: &u64) -> u64 {
    if (41..=80).contains(n) { 2000 } else { 0 }
}

/// The start of the window, the trigger, and the sum.
fn told(info: Info<Span>, sum: u64) -> (i64, String, u64) {
    let (window, trigger, sum) = named(info, sum);
    (window.start, trigger, sum)
}

fn expected(all: &[(i64, &str, u64)]) -> Vec<(i64, String, u64)> {
    all.iter().map(|(start, trigger, sum)| (*start, (*trigger).to_string(), *sum)).collect()
}

const EVERY: &str = "every 12 items";

#[tokio::test]
async fn scenario_317_all_that_windows_emit() {
    let sums = Flow::from_iter(1..=100u64)
        .lanes(4)
        .demand(5, 0)
        .partition()
        .lanes(4)
        .window(Window::fixed(SECOND, |_: &u64| 0))
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state();
    assert_eq!(sums.collect::<Vec<u64>>().await.iter().sum::<u64>(), 5050);
}

#[tokio::test]
async fn scenario_319_every_ten_with_names_and_the_state_taken() {
    let sums = one_partition!(1..=100u64)
        .window(Window::fixed(SECOND, |_: &u64| 0).every(10))
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, info| [told(info, std::mem::take(sum))]);
    let mut all: Vec<_> = (0..10).map(|n| (0, "every 10 items", 55 + 100 * n)).collect();
    all.push((0, "done", 0));
    assert_eq!(sums.collect::<Vec<_>>().await, expected(&all));
}

#[tokio::test]
async fn scenario_320_a_custom_trigger_that_lets_all_pass() {
    let pass = Window::fixed(SECOND, |_: &u64| 0).trigger(|| (), |(), n: u64, acts| acts.reduce(n));
    let sums = one_partition!(1..=10u64)
        .window(pass)
        .map(|n| n + 1)
        .map(|n| n * 2)
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state();
    assert_eq!(sums.collect::<Vec<u64>>().await, [130]);
}

#[tokio::test]
async fn scenario_322_two_windows() {
    for demand in [LARGE, SMALL] {
        let sums = one_partition!(1..=100u64, demand)
            .window(Window::fixed(SECOND, w2))
            .reduce(|| 0, |sum, n| *sum += n)
            .emit_state();
        assert_eq!(sums.collect::<Vec<u64>>().await, [1275, 3775], "{demand:?}");
    }
}

#[tokio::test]
async fn scenario_323_every_twelve_in_two_windows() {
    for demand in [LARGE, SMALL] {
        let sums = one_partition!(1..=100u64, demand)
            .window(Window::fixed(SECOND, w2).every(12))
            .reduce(|| 0, |sum, n| *sum += n)
            .on_trigger(|sum, info| [told(info, *sum)]);
        // In one large list the original has all triggers in front of the first end.
        let all = [
            (0, EVERY, 78),
            (0, EVERY, 300),
            (0, EVERY, 666),
            (0, EVERY, 1176),
            (0, "done", 1275),
            (1000, EVERY, 678),
            (1000, EVERY, 1500),
            (1000, EVERY, 2466),
            (1000, EVERY, 3576),
            (1000, "done", 3775),
        ];
        assert_eq!(sums.collect::<Vec<_>>().await, expected(&all), "{demand:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn scenario_325_a_timer_makes_the_last_window_emit() {
    let sums = numbers(stream::iter(1..=100).chain(stream::pending()))
        .lanes(1)
        .partition()
        .lanes(1)
        .demand(5, 0)
        .window(Window::fixed(SECOND, w2).periodically(Duration::from_millis(100)))
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, info| [told(info, *sum)]);
    let sums: Vec<_> = sums.take(2).collect().await;
    assert_eq!(sums, expected(&[(0, "done", 1275), (1000, "every 100ms", 3775)]));
}

#[tokio::test]
async fn scenario_326_and_328_late_items_are_not_in_any_window() {
    for demand in [LARGE, SMALL] {
        let mut sums = one_partition!(1..=100u64, demand)
            .window(Window::fixed(SECOND, w3).fill_gaps())
            .reduce(|| 0, |sum, n| *sum += n)
            .emit_state();
        // In one large list of the original the late ones are still in time: 2630, 0, 2420.
        let got: Vec<u64> = sums.by_ref().collect().await;
        assert_eq!((got, sums.late()), (vec![820, 0, 2420], 20), "{demand:?}");
    }
}

#[tokio::test]
async fn scenario_329_every_twelve_with_a_gap() {
    for demand in [LARGE, SMALL] {
        let sums = one_partition!(1..=100u64, demand)
            .window(Window::fixed(SECOND, w3).fill_gaps().every(12))
            .reduce(|| 0, |sum, n| *sum += n)
            .on_trigger(|sum, info| [told(info, *sum)]);
        let all = [
            (0, EVERY, 78),
            (0, EVERY, 300),
            (0, EVERY, 666),
            (0, "done", 820),
            (1000, "done", 0),
            (2000, EVERY, 558),
            (2000, EVERY, 1260),
            (2000, EVERY, 2106),
            (2000, "done", 2420),
        ];
        assert_eq!(sums.collect::<Vec<_>>().await, expected(&all), "{demand:?}");
    }
}

#[tokio::test]
async fn scenario_331_and_332_two_upstreams_of_which_one_has_everything() {
    // While the other has sent nothing, no window closes and nothing is late.
    let (release, released) = oneshot::channel::<()>();
    let silent = stream::once(released).filter_map(|_| async { None });
    let mut sums = Flow::from_streams([stream::iter(1..=100).boxed(), silent.boxed()])
        .lanes(2)
        .map(|n| n)
        .partition_with(1, |_| Some(0))
        .window(Window::fixed(SECOND, w3).fill_gaps())
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state();
    assert!(futures::poll!(sums.next()).is_pending());
    crate::support::settle().await;
    release.send(()).unwrap();
    let got: Vec<u64> = sums.by_ref().collect().await;
    assert_eq!((got, sums.late()), (vec![2630, 0, 2420], 0));

    // Once it has ended, the one with everything is its own watermark.
    let (release, released) = oneshot::channel::<()>();
    let all = stream::once(released).filter_map(|_| async { None }).chain(stream::iter(1..=100));
    let mut sums = Flow::from_streams([all.boxed(), stream::empty().boxed()])
        .lanes(2)
        .map(|n| n)
        .partition_with(1, |_| Some(0))
        .demand(100, 50)
        .window(Window::fixed(SECOND, w3).fill_gaps())
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state();
    assert!(futures::poll!(sums.next()).is_pending());
    crate::support::settle().await;
    release.send(()).unwrap();
    let got: Vec<u64> = sums.by_ref().collect().await;
    assert_eq!((got, sums.late()), (vec![820, 0, 2420], 20));

    // As it comes, it is one of these or between them; nothing is lost without being counted.
    for max in [1000, 100, 5] {
        let (window, late) = Window::fixed(SECOND, w3).fill_gaps().late_output::<u64>(100);
        let sums = Flow::from_iter(1..=100u64)
            .lanes(2)
            .demand(max, 0)
            .map(|n| n)
            .partition()
            .lanes(1)
            .window(window)
            .reduce(|| 0, |sum, n| *sum += n)
            .emit_state();
        let (got, late) = futures::join!(sums.collect::<Vec<u64>>(), late.collect::<Vec<u64>>());
        assert_eq!(got[1..], [0, 2420], "max {max}");
        assert_eq!(got[0] + late.iter().sum::<u64>(), 2630, "max {max}");
        assert!(late.iter().all(|n| *n > 80), "max {max}: {late:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn scenario_334_late_items_within_an_hour() {
    let sums = one_partition!(1..=100u64)
        .window(Window::fixed(SECOND, w3).fill_gaps().allowed_lateness_by_clock(HOUR))
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state();
    // Twice 2630 in the original, as the late ones are in the same list.
    assert_eq!(sums.collect::<Vec<u64>>().await, [820, 0, 2630, 0, 2420]);
}

#[tokio::test(start_paused = true)]
async fn scenario_335_and_337_every_twelve_with_late_items_within_an_hour() {
    for demand in [LARGE, SMALL] {
        let sums = one_partition!(1..=100u64, demand)
            .window(Window::fixed(SECOND, w3).fill_gaps().allowed_lateness_by_clock(HOUR).every(12))
            .reduce(|| 0, |sum, n| *sum += n)
            .on_trigger(|sum, info| [told(info, *sum)]);
        let all = [
            (0, EVERY, 78),
            (0, EVERY, 300),
            (0, EVERY, 666),
            (0, "watermark", 820),
            (1000, "watermark", 0),
            (2000, EVERY, 558),
            (2000, EVERY, 1260),
            (2000, EVERY, 2106),
            (0, EVERY, 1496),
            (0, EVERY, 2630),
            (0, "done", 2630),
            (1000, "done", 0),
            (2000, "done", 2420),
        ];
        assert_eq!(sums.collect::<Vec<_>>().await, expected(&all), "{demand:?}");
    }
}

#[tokio::test]
async fn scenario_338_windows_in_the_layer_of_the_source() {
    let sums = Flow::from_iter(1..=100u64)
        .lanes(4)
        .demand(5, 0)
        .window(Window::fixed(SECOND, |n: &u64| if *n <= 50 { 0 } else { 1000 }))
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state();
    let sums: Vec<u64> = sums.collect().await;
    assert_eq!((sums.len(), sums.iter().sum::<u64>()), (8, 5050));
}

#[tokio::test]
async fn scenario_340_windows_behind_a_shuffle() {
    let sums = Flow::from_iter(1..=100u64)
        .lanes(4)
        .map(|n| n * 2)
        .shuffle()
        .lanes(1)
        .window(Window::fixed(SECOND, |n: &u64| if *n <= 100 { 0 } else { 1000 }))
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state();
    assert_eq!(sorted(sums.collect::<Vec<u64>>().await), [2550, 7550]);
}

type Counts = Vec<(&'static str, u32)>;

/// Counts words in windows of an hour.
macro_rules! words {
    ($words:expr $(, $lateness:ident, $grace:expr)?) => {{
        let hour = Window::fixed(HOUR, |word: &(&'static str, u64)| word.1)$(.$lateness($grace))?;
        let counts = one_partition!($words, SMALL)
            .window(hour)
            .reduce(BTreeMap::new, |counts, (word, _)| *counts.entry(word).or_insert(0u32) += 1)
            .on_trigger(|counts, _| [counts.clone().into_iter().collect::<Counts>()]);
        counts.collect::<Vec<Counts>>().await
    }};
}

#[tokio::test]
async fn scenario_341_words_by_the_hour() {
    let words = [
        ("elixir", 0),
        ("elixir", 1000),
        ("erlang", 60_000),
        ("concurrency", 3_200_000),
        ("elixir", 4_000_000),
        ("erlang", 5_000_000),
        ("erlang", 6_000_000),
    ];
    assert_eq!(
        words!(words),
        [vec![("concurrency", 1), ("elixir", 2), ("erlang", 1)], vec![("elixir", 1), ("erlang", 2)],]
    );
}

#[tokio::test(start_paused = true)]
async fn scenario_343_words_by_the_hour_of_which_one_is_late() {
    let words = [
        ("elixir", 1000),
        ("erlang", 60_000),
        ("concurrency", 3_200_000),
        ("elixir", 4_000_000),
        ("erlang", 5_000_000),
        ("erlang", 6_000_000),
        ("elixir", 0),
    ];
    assert_eq!(
        words!(words, allowed_lateness_by_clock, Duration::from_secs(300)),
        [
            vec![("concurrency", 1), ("elixir", 1), ("erlang", 1)],
            vec![("concurrency", 1), ("elixir", 2), ("erlang", 1)],
            vec![("elixir", 1), ("erlang", 2)],
        ]
    );
    // Without lateness it is counted and in no window.
    assert_eq!(
        words!(words),
        [vec![("concurrency", 1), ("elixir", 1), ("erlang", 1)], vec![("elixir", 1), ("erlang", 2)],]
    );
}

#[tokio::test]
async fn scenario_344_an_empty_source_has_no_windows() {
    let sums = one_partition!(Vec::<u64>::new())
        .window(Window::fixed(SECOND, w2).fill_gaps())
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state();
    assert_eq!(sums.collect::<Vec<u64>>().await, []);
}

/// What came into each window, and its start.
macro_rules! lists {
    ($times:expr, $demand:expr) => {{
        let mut lists = one_partition!($times, $demand)
            .window(Window::fixed(SECOND, |time: &i64| *time).fill_gaps())
            .reduce(Vec::new, Vec::push)
            .on_trigger(|list, info| [(info.window.start, list.clone(), info.is_done())]);
        let got: Vec<(i64, Vec<i64>, bool)> = lists.by_ref().collect().await;
        (got, lists.late())
    }};
}

#[tokio::test]
async fn scenario_346_times_are_rounded_down() {
    // The original rounds towards 0, so that -500 and 500 are in one window (design 6.4).
    let (lists, late) = lists!([-1500, -500, 500, 1500], LARGE);
    assert_eq!(
        lists,
        [
            (-2000, vec![-1500], true),
            (-1000, vec![-500], true),
            (0, vec![500], true),
            (1000, vec![1500], true),
        ]
    );
    assert_eq!(late, 0);
}

#[tokio::test]
async fn scenario_347_a_window_closes_at_the_item_that_passes_its_end() {
    for demand in [(1, 0), LARGE] {
        let (lists, late) = lists!([0, 1000, 500, 1200], demand);
        // In one list, the original still has 500 in the first.
        assert_eq!(lists, [(0, vec![0], true), (1000, vec![1000, 1200], true)], "{demand:?}");
        assert_eq!(late, 1, "{demand:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn scenario_349_lateness_goes_by_the_clock() {
    let source = stream::iter([0, 1000, 500, 1200]).then(|time: i64| async move {
        if time == 500 {
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        time
    });
    let window =
        Window::fixed(SECOND, |time: &i64| *time).allowed_lateness_by_clock(Duration::from_millis(50));
    let mut lists = Flow::from_streams([source.boxed()])
        .lanes(1)
        .partition()
        .lanes(1)
        .window(window)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [(info.window.start, info.trigger, list.clone())]);
    let got: Vec<(i64, Trigger, Vec<i64>)> = lists.by_ref().collect().await;
    assert_eq!(
        got,
        [
            (0, Trigger::Watermark, vec![0]),
            (0, Trigger::Done, vec![0]),
            (1000, Trigger::Done, vec![1000, 1200]),
        ]
    );
    assert_eq!(lists.late(), 1);
}
