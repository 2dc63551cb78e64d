use super::{Peak, ms, pass, sent, so_far, then_silence};
use crate::support::{counting, numbers, settle};
use futures::FutureExt;
use futures::stream::{self, StreamExt};
use gen_stage::Flow;
use gen_stage::window::{Info, Trigger, Triggers, Window};
use std::num::NonZeroUsize;

fn name<Id>(info: &Info<Id>) -> String {
    info.trigger.to_string()
}

#[tokio::test(start_paused = true)]
async fn several_periods_have_timers_of_their_own() {
    let names = numbers(stream::pending())
        .lanes(1)
        .window(Window::global().periodically(ms(1000)).periodically(ms(2500)))
        .reduce(|| (), |(), _| ())
        .on_trigger(|(), info| [info.trigger]);
    let (one, more) = (Trigger::Periodically(ms(1000)), Trigger::Periodically(ms(2500)));
    assert_eq!(names.take(5).collect::<Vec<_>>().await, [one, one, more, one, one]);
}

#[tokio::test(start_paused = true)]
async fn a_period_sets_off_every_open_window_in_order_changed_or_not() {
    let (a, first) = sent();
    let mut lists = Flow::from_streams([first, then_silence([0i64])])
        .lanes(1)
        .window(Window::fixed(ms(10), |time: &i64| *time).periodically(ms(1000)))
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [(info.window.start, list.clone())]);
    for time in [35, 15, 25] {
        a.unbounded_send(time).unwrap();
    }
    assert_eq!(so_far(&mut lists).await, []);
    let all = [(0, vec![0]), (10, vec![15]), (20, vec![25]), (30, vec![35])];
    for _ in 0..2 {
        pass(ms(1001)).await;
        assert_eq!(so_far(&mut lists).await, all);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_always_ready_does_not_keep_timers_from_going_off() {
    let mut fired = numbers(stream::repeat(1))
        .lanes(1)
        .window(Window::global().periodically(ms(1000)))
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, _| [*sum]);
    assert!(fired.next().now_or_never().is_none());
    tokio::task::yield_now().await;
    tokio::time::advance(ms(1001)).await;
    let mut turns = 0;
    let sum = loop {
        if let Some(sum) = fired.next().now_or_never() {
            break sum.unwrap();
        }
        tokio::task::yield_now().await;
        turns += 1;
        assert!(turns < 100, "it never goes off");
    };
    assert!(sum > 0);
}

#[tokio::test(start_paused = true)]
async fn a_source_of_which_everything_comes_out_at_once_does_not_keep_timers_from_going_off() {
    for max in [1, 10, 1000] {
        let mut items = numbers(stream::repeat(1))
            .lanes(1)
            .demand(max, 0)
            .window(Window::global().periodically(ms(1000)))
            .emit_and_reduce(|| (), |(), n| [n])
            .on_trigger(|(), _| [0]);
        assert_eq!(items.next().await, Some(1));
        tokio::time::advance(ms(1001)).await;
        let fired = items.by_ref().take(100_000).any(|n| async move { n == 0 }).await;
        assert!(fired, "at max_demand {max} it never goes off");
    }
}

#[tokio::test(start_paused = true)]
async fn an_iterator_without_end_does_not_keep_periodic_windows_from_being_done() {
    let mut items = Flow::from_iter(std::iter::repeat(1u64))
        .lanes(1)
        .partition()
        .lanes(1)
        .window(Window::periodic(ms(1000)))
        .emit_and_reduce(|| (), |(), n| [n])
        .on_trigger(|(), _| [0]);
    assert_eq!(items.next().await, Some(1));
    tokio::time::advance(ms(1001)).await;
    assert!(items.by_ref().take(200_000).any(|n| async move { n == 0 }).await);
}

#[tokio::test]
async fn a_message_sets_off_all_lanes_that_have_not_ended() {
    let triggers = Triggers::new();
    let (sender, source) = sent();
    let mut sums = Flow::from_streams([then_silence([1u64]), then_silence([2]), source])
        .lanes(3)
        .window(Window::global().triggered_by(&triggers))
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, info| [(info.lane, info.lanes, name(&info), *sum)]);
    assert_eq!(triggers.fire("too early"), 0, "a lane listens from its first poll on");
    sender.unbounded_send(3).unwrap();
    assert_eq!(so_far(&mut sums).await, []);
    let sample = |lane: usize, sum: u64| (lane, 3, "sample".to_string(), sum);
    assert_eq!(triggers.fire("sample"), 3);
    let got = crate::support::sorted(so_far(&mut sums).await);
    assert_eq!(got, [sample(0, 1), sample(1, 2), sample(2, 3)]);
    // One lane ends.
    drop(sender);
    assert_eq!(so_far(&mut sums).await, [(2, 3, "done".to_string(), 3)]);
    assert_eq!(triggers.clone().fire("sample"), 2);
    let got = crate::support::sorted(so_far(&mut sums).await);
    assert_eq!(got, [sample(0, 1), sample(1, 2)]);
    drop(sums);
    assert_eq!(triggers.fire("sample"), 0);
}

#[tokio::test]
async fn calls_that_a_lane_has_not_got_to_are_one_for_each_name() {
    let triggers = Triggers::new();
    let mut names = numbers(stream::pending())
        .lanes(1)
        .window(Window::global().triggered_by(&triggers))
        .reduce(|| (), |(), _| ())
        .on_trigger(|(), info| [name(&info)]);
    assert_eq!(so_far(&mut names).await, [""; 0]);
    for call in ["a", "b", "a", "c", "b", "a"] {
        assert_eq!(triggers.fire(call), 1);
    }
    assert_eq!(so_far(&mut names).await, ["a", "b", "c"]);
    triggers.fire("a");
    assert_eq!(so_far(&mut names).await, ["a"]);
}

#[tokio::test]
async fn a_window_listens_to_several_triggers() {
    let (left, right) = (Triggers::new(), Triggers::new());
    let mut names = numbers(stream::pending())
        .lanes(1)
        .window(Window::global().triggered_by(&left).triggered_by(&right))
        .reduce(|| (), |(), _| ())
        .on_trigger(|(), info| [name(&info)]);
    assert_eq!(so_far(&mut names).await, [""; 0]);
    right.fire("right");
    assert_eq!(so_far(&mut names).await, ["right"]);
    left.fire("left");
    assert_eq!(so_far(&mut names).await, ["left"]);
}

#[tokio::test]
async fn a_message_wakes_a_lane_that_waits_and_reaches_one_that_is_held_up_later() {
    let triggers = Triggers::new();
    let mut items = numbers(stream::repeat(1))
        .lanes(1)
        .demand(2, 0)
        .window(Window::global().triggered_by(&triggers))
        .emit_and_reduce(|| (), |(), n| [n])
        .on_trigger(|(), _| [0]);
    assert_eq!(items.next().await, Some(1));
    settle().await;
    triggers.fire("now");
    let read: Vec<u64> = items.by_ref().take(20).collect().await;
    assert_eq!(read.iter().filter(|n| **n == 0).count(), 1, "{read:?}");
}

#[tokio::test]
async fn triggers_of_every_kind_go_off_in_one_window() {
    let triggers = Triggers::new();
    let window = Window::count(4).every(3).triggered_by(&triggers);
    let mut sums = numbers(then_silence(1..=5))
        .lanes(1)
        .window(window)
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, info| [(info.window, name(&info), *sum)]);
    let every = |window, sum| (window, "every 3 items".to_string(), sum);
    assert_eq!(so_far(&mut sums).await, [every(0, 6), (0, "done".to_string(), 10)]);
    triggers.fire("x");
    assert_eq!(so_far(&mut sums).await, [(1, "x".to_string(), 5)]);
}

#[tokio::test]
async fn items_are_counted_anew_in_each_window() {
    let sums = counting(10)
        .lanes(1)
        .window(Window::count(5).every(3))
        .reduce(|| 0, |size, _| *size += 1)
        .on_trigger(|size, info| [(info.window, info.trigger, *size)]);
    let every = Trigger::Every(NonZeroUsize::new(3).unwrap());
    assert_eq!(
        sums.collect::<Vec<(u64, Trigger, u32)>>().await,
        [(0, every, 3), (0, Trigger::Done, 5), (1, every, 3), (1, Trigger::Done, 5), (2, Trigger::Done, 0),]
    );
}

#[tokio::test]
async fn a_trigger_at_the_last_item_of_a_window_comes_before_its_end() {
    let sums = counting(4)
        .lanes(1)
        .window(Window::count(2).every(1))
        .emit_and_reduce(
            || 0,
            |size, n| {
                *size += 1;
                [format!("item {n}")]
            },
        )
        .on_trigger(|size, info| [format!("{} {} {size}", info.window, info.trigger)]);
    assert_eq!(
        sums.collect::<Vec<_>>().await,
        [
            "item 0",
            "0 every 1 items 1",
            "item 1",
            "0 every 1 items 2",
            "0 done 2",
            "item 2",
            "1 every 1 items 1",
            "item 3",
            "1 every 1 items 2",
            "1 done 2",
            "2 done 0",
        ]
    );
}

#[tokio::test]
async fn a_custom_trigger_keeps_something_for_each_open_window() {
    // Fires at the second item of a window, in front of it; windows are open side by side.
    let kept = Peak::default();
    let init = kept.clone();
    let window = Window::sliding(ms(20), ms(10), |time: &i64| *time).trigger(
        move || (init.state(), 0),
        |(_, seen), time: i64, acts| {
            *seen += 1;
            if *seen == 2 {
                acts.fire("second");
            }
            acts.reduce(time);
        },
    );
    let lists = Flow::from_iter([0i64, 5, 15, 25])
        .lanes(1)
        .window(window)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| (!info.is_done()).then(|| (info.window.start, list.clone())));
    let expected = [(-10, vec![0]), (0, vec![0]), (10, vec![15])];
    assert_eq!(lists.collect::<Vec<(i64, Vec<i64>)>>().await, expected);
    assert_eq!(kept.made(), 4, "once for each window");
    assert_eq!(kept.alive.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_custom_trigger_reduces_others_and_fires_in_front_behind_and_without() {
    let window = Window::global().trigger(
        || (),
        |(), n: u64, acts| match n {
            0 => acts.fire("nothing yet"),
            1 => {
                acts.reduce(10);
                acts.fire("between");
                acts.reduce(11);
                acts.fire("behind");
            }
            _ => {}
        },
    );
    let lists = counting(4)
        .lanes(1)
        .demand(1, 0)
        .window(window)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [(name(&info), list.clone())]);
    let told = |name: &str, list: &[u64]| (name.to_string(), list.to_vec());
    assert_eq!(
        lists.collect::<Vec<_>>().await,
        [
            told("nothing yet", &[]),
            told("between", &[10]),
            told("behind", &[10, 11]),
            told("done", &[10, 11]),
        ]
    );
}

#[tokio::test]
async fn what_a_trigger_emits_comes_out_only_as_it_is_read() {
    let made = Peak::default();
    let states = made.clone();
    let mut items = counting(1000)
        .lanes(1)
        .demand(10, 5)
        .window(Window::global().every(1))
        .reduce(|| (), |(), _| ())
        .on_trigger(move |(), _| {
            let states = states.clone();
            (0..100).map(move |_| states.state()).map(|state| {
                drop(state);
                true
            })
        });
    assert_eq!(items.next().await, Some(true));
    settle().await;
    assert!(made.made() <= 11, "{} were made", made.made());
    assert_eq!(items.count().await, 1000 * 100 + 100 - 1);
}

#[tokio::test(start_paused = true)]
async fn a_period_can_pass_over_windows_that_nothing_came_into() {
    let (a, first) = sent();
    let mut lists = Flow::from_streams([first, then_silence([0i64])])
        .lanes(1)
        .window(Window::fixed(ms(10), |time: &i64| *time).periodically_if_changed(ms(1000)))
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [(info.window.start, list.clone())]);
    for time in [35, 15] {
        a.unbounded_send(time).unwrap();
    }
    assert_eq!(so_far(&mut lists).await, []);
    pass(ms(1001)).await;
    assert_eq!(so_far(&mut lists).await, [(0, vec![0]), (10, vec![15]), (30, vec![35])], "in order");
    pass(ms(1001)).await;
    assert_eq!(so_far(&mut lists).await, [], "nothing came");
    a.unbounded_send(16).unwrap();
    a.unbounded_send(36).unwrap();
    assert_eq!(so_far(&mut lists).await, []);
    pass(ms(1001)).await;
    assert_eq!(so_far(&mut lists).await, [(10, vec![15, 16]), (30, vec![35, 36])]);
    drop(a);
    pass(ms(5000)).await;
    assert_eq!(so_far(&mut lists).await, [], "the other source may go on");
}

#[tokio::test(start_paused = true)]
async fn what_any_trigger_emitted_is_not_repeated_until_it_changes() {
    let (a, source) = sent();
    let sample = Triggers::new();
    let window = Window::global()
        .every(2)
        .triggered_by(&sample)
        .periodically_if_changed(ms(1000))
        .periodically(ms(10_000));
    let mut sums = numbers(source)
        .lanes(1)
        .window(window)
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, info| [(info.trigger.to_string(), *sum)]);
    assert_eq!(so_far(&mut sums).await, []);
    let told = |name: &str, sum: u64| (name.to_string(), sum);
    a.unbounded_send(1).unwrap();
    a.unbounded_send(2).unwrap();
    assert_eq!(so_far(&mut sums).await, [told("every 2 items", 3)]);
    pass(ms(1500)).await;
    assert_eq!(so_far(&mut sums).await, [], "it was emitted at the second item");
    a.unbounded_send(3).unwrap();
    assert_eq!(so_far(&mut sums).await, []);
    sample.fire("sample");
    assert_eq!(so_far(&mut sums).await, [told("sample", 6)]);
    sample.fire("again");
    assert_eq!(so_far(&mut sums).await, [told("again", 6)], "a message is always answered");
    pass(ms(1000)).await;
    assert_eq!(so_far(&mut sums).await, []);
    pass(ms(7600)).await;
    assert_eq!(so_far(&mut sums).await, [told("every 10s", 6)], "the other period repeats it");
    drop(a);
    assert_eq!(so_far(&mut sums).await, [told("done", 6)], "the end is told anyway");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_a_trigger_of_ones_own_reduces_after_it_fired_is_a_change() {
    let (a, source) = sent();
    let before = Window::global().trigger(
        || (),
        |(), n: u64, acts| {
            acts.fire("before");
            if n > 0 {
                acts.reduce(n);
            }
        },
    );
    let mut sums = numbers(source)
        .lanes(1)
        .window(before.periodically_if_changed(ms(1000)))
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, info| [(info.trigger.to_string(), *sum)]);
    assert_eq!(so_far(&mut sums).await, []);
    let told = |name: &str, sum: u64| (name.to_string(), sum);
    a.unbounded_send(5).unwrap();
    assert_eq!(so_far(&mut sums).await, [told("before", 0)]);
    pass(ms(1000)).await;
    assert_eq!(so_far(&mut sums).await, [told("every 1s", 5)]);
    a.unbounded_send(0).unwrap();
    assert_eq!(so_far(&mut sums).await, [told("before", 5)]);
    pass(ms(1000)).await;
    assert_eq!(so_far(&mut sums).await, [], "what was not reduced is no change");
}

#[tokio::test(start_paused = true)]
async fn two_sessions_that_become_one_are_a_change() {
    let (a, source) = sent();
    let window = Window::session(ms(10), |_: &u64| (), |at| *at).allowed_lateness(ms(100));
    let mut lists = numbers(source)
        .lanes(1)
        .window(window.periodically_if_changed(ms(1000)))
        .reduce(Vec::new, Vec::push)
        .merge_states(Extend::extend)
        .on_trigger(|list, info| [(info.window.start, info.window.end, list.len())]);
    for at in [16, 0] {
        a.unbounded_send(at).unwrap();
    }
    assert_eq!(so_far(&mut lists).await, [(0, 10, 1)], "the watermark has passed it");
    pass(ms(1000)).await;
    assert_eq!(so_far(&mut lists).await, [(16, 26, 1)]);
    a.unbounded_send(8).unwrap();
    assert_eq!(so_far(&mut lists).await, []);
    pass(ms(1000)).await;
    assert_eq!(so_far(&mut lists).await, [(0, 26, 3)]);
}

#[test]
#[should_panic(expected = "the period of a trigger must be longer than 0 ns, given 0ns")]
fn a_period_of_nothing_for_what_changed_is_refused() {
    let _ = Window::global().periodically_if_changed(ms(0));
}
