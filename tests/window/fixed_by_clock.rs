use super::{ms, pass, sent, so_far};
use crate::support::{Numbers, numbers, operator_suite, seven};
use futures::StreamExt;
use gen_stage::window::Window;
use std::time::SystemTime;

operator_suite!(
    |flow: Numbers| flow.window(Window::fixed_by_clock(ms(3_600_000))).reduce(Vec::new, Vec::push),
    |items| items,
    |flow: Numbers| flow.window(Window::fixed_by_clock(ms(3_600_000))).reduce(Vec::new, |items, n| {
        seven(n);
        items.push(n);
    }),
);

#[tokio::test(start_paused = true)]
async fn an_item_is_in_the_window_in_which_it_comes() {
    let (sender, source) = sent();
    let mut lists = numbers(source)
        .lanes(1)
        .window(Window::fixed_by_clock(ms(100)).clock_starts_at(-130))
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [(info.window.start, info.window.end, list.clone())]);
    assert_eq!(so_far(&mut lists).await, []);
    sender.unbounded_send(1).unwrap();
    assert_eq!(so_far(&mut lists).await, []);
    pass(ms(29)).await;
    sender.unbounded_send(2).unwrap();
    assert_eq!(so_far(&mut lists).await, [], "it is -101 ms");
    pass(ms(1)).await;
    assert_eq!(so_far(&mut lists).await, [(-200, -100, vec![1, 2])], "nothing more need come");
    pass(ms(250)).await;
    sender.unbounded_send(3).unwrap();
    assert_eq!(so_far(&mut lists).await, [], "windows that nothing came into do not emit");
    drop(sender);
    assert_eq!(so_far(&mut lists).await, [(100, 200, vec![3])], "the last is done with the input");
}

#[tokio::test(start_paused = true)]
async fn with_gaps_filled_every_window_of_the_lane_emits() {
    let (sender, source) = sent();
    let mut lists = numbers(source)
        .lanes(1)
        .window(Window::fixed_by_clock(ms(100)).clock_starts_at(30).fill_gaps())
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [(info.window.start, list.clone())]);
    assert_eq!(so_far(&mut lists).await, []);
    pass(ms(170)).await;
    assert_eq!(so_far(&mut lists).await, [(0, vec![]), (100, vec![])]);
    sender.unbounded_send(1).unwrap();
    assert_eq!(so_far(&mut lists).await, []);
    pass(ms(100)).await;
    assert_eq!(so_far(&mut lists).await, [(200, vec![1])]);
    drop(sender);
    assert_eq!(so_far(&mut lists).await, [(300, vec![])]);
}

/// A lane that is not polled in time has items waiting when its timer is due.
#[tokio::test(start_paused = true)]
async fn an_item_that_comes_before_the_timer_is_seen_is_in_a_window_of_its_own_time() {
    for gaps in [false, true] {
        let (sender, source) = sent();
        let window = Window::fixed_by_clock(ms(100)).clock_starts_at(0);
        let window = if gaps { window.fill_gaps() } else { window };
        // Without a flow, the lane is polled by the test alone.
        let mut lists = std::pin::pin!(
            gen_stage::window::StreamWindow::window(source, window)
                .reduce(Vec::new, Vec::push)
                .on_trigger(|list: &mut Vec<u64>, info| [(info.window.start, list.clone())])
                .into_stream()
        );
        sender.unbounded_send(1).unwrap();
        assert!(futures::poll!(lists.next()).is_pending());
        pass(ms(350)).await;
        sender.unbounded_send(2).unwrap();
        drop(sender);
        let got: Vec<_> = lists.collect().await;
        let empty = if gaps { vec![(100, vec![]), (200, vec![])] } else { vec![] };
        assert_eq!(got, [vec![(0, vec![1])], empty, vec![(300, vec![2])]].concat());
    }
}

#[tokio::test(start_paused = true)]
async fn all_lanes_have_the_same_windows() {
    let (sender, source) = sent();
    let mut counts = numbers(source)
        .lanes(1)
        .partition_by(|n| n % 3)
        .lanes(3)
        .window(Window::fixed_by_clock(ms(100)).clock_starts_at(50).fill_gaps())
        .reduce(|| 0, |count, _| *count += 1)
        .emit_state()
        .departition(|| 0, |all: &mut u32, n: u32| *all += n, |all, window| (window.start, all));
    assert_eq!(so_far(&mut counts).await, []);
    (0..5).for_each(|n| sender.unbounded_send(n).unwrap());
    assert_eq!(so_far(&mut counts).await, []);
    pass(ms(60)).await;
    assert_eq!(so_far(&mut counts).await, [(0, 5)], "a lane without items holds none up");
    sender.unbounded_send(0).unwrap();
    pass(ms(100)).await;
    assert_eq!(so_far(&mut counts).await, [(100, 1)]);
}

#[tokio::test(start_paused = true)]
async fn by_default_windows_are_those_of_the_time_of_day() {
    let hour = ms(3_600_000);
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64;
    let before = now();
    let starts: Vec<i64> = numbers(futures::stream::iter([1]))
        .lanes(1)
        .window(Window::fixed_by_clock(hour))
        .reduce(|| (), |(), _| ())
        .on_trigger(|(), info| [info.window.start])
        .collect()
        .await;
    let [start] = starts[..] else { panic!("one window: {starts:?}") };
    assert_eq!(start % 3_600_000, 0);
    assert!(start <= now() && before < start + 3_600_000, "{start} is not the hour");
}

#[tokio::test(start_paused = true)]
async fn triggers_emit_before_the_end() {
    let (sender, source) = sent();
    let mut sums = numbers(source)
        .lanes(1)
        .window(Window::fixed_by_clock(ms(100)).clock_starts_at(0).every(2).periodically(ms(40)))
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, info| [(info.window.start, info.trigger.to_string(), *sum)]);
    (1..=3).for_each(|n| sender.unbounded_send(n).unwrap());
    assert_eq!(so_far(&mut sums).await, [(0, "every 2 items".to_string(), 3)]);
    pass(ms(99)).await;
    let forty = || (0, "every 40ms".to_string(), 6);
    assert_eq!(so_far(&mut sums).await, [forty(), forty()]);
    pass(ms(1)).await;
    assert_eq!(so_far(&mut sums).await, [(0, "done".to_string(), 6)]);
}

#[test]
#[should_panic(
    expected = "the size of a window by the clock must be a whole number of milliseconds, from 1 to 2305843009213693951, given 0ns"
)]
fn a_window_of_no_size_is_refused() {
    let _ = Window::fixed_by_clock(ms(0));
}
