use crate::support::{Live, Lives, Numbers, counting, numbers, operator_suite, settle, seven, sorted};
use futures::channel::mpsc::unbounded;
use futures::{FutureExt, StreamExt};
use gen_stage::Flow;
use gen_stage::window::adapters::Fixed;
use gen_stage::window::{Global, Window};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Windows of numbers that are their own times, in milliseconds.
fn fixed(size: u64) -> Window<Fixed<impl FnMut(&u64) -> u64 + Clone>> {
    Window::fixed(Duration::from_millis(size), |n: &u64| *n)
}

operator_suite!(
    |flow: Numbers| flow
        .reduce(Vec::new, Vec::push)
        .departition(Vec::new, Vec::push, |all, Global| all)
        .flat_map(|all: Vec<u64>| all),
    |items| items,
    |flow: Numbers| flow
        .reduce(Vec::new, Vec::push)
        .departition(
            Vec::new,
            |all: &mut Vec<u64>, n| {
                seven(n);
                all.push(n);
            },
            |all, _| all
        )
        .flat_map(|all| all),
);

mod by_windows {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow
            .lanes(1)
            .window(fixed(3))
            .reduce(|| 0, |sum, n| *sum += n + 1)
            .emit_state()
            .departition(|| 0, |all, sum: u64| *all += sum, |all, _| all),
        |items| items.chunks(3).map(|window| window.iter().map(|n| n + 1).sum()).collect(),
        |flow: Numbers| flow
            .lanes(1)
            .window(fixed(3))
            .reduce(|| 0, |sum, n| *sum += n)
            .emit_state()
            .departition(
                || 0,
                |all, sum: u64| *all += sum,
                |all, window| {
                    seven(window.start as u64 / 3 + 6);
                    all
                }
            ),
    );
}

#[tokio::test]
async fn one_item_comes_out_for_each_window_in_their_order() {
    let windows: Vec<(i64, Vec<u64>)> = counting(1000)
        .lanes(1)
        .partition_by(|n| n % 13)
        .lanes(5)
        .demand(3, 1)
        .window(fixed(70))
        .reduce(Vec::new, Vec::push)
        .departition(Vec::new, Vec::push, |all, window| (window.start, sorted(all)))
        .collect()
        .await;
    let expected: Vec<_> = (0..1000u64)
        .step_by(70)
        .map(|start| (start as i64, (start..1000.min(start + 70)).collect::<Vec<_>>()))
        .collect();
    assert_eq!(windows, expected);
}

#[tokio::test]
async fn a_window_that_some_lanes_never_have_comes_out_once_all_are_past_it() {
    let (sender, receiver) = unbounded();
    // Even numbers to one lane, odd ones to the other.
    let mut flow = numbers(receiver)
        .lanes(1)
        .partition_with(2, |n| Some((n % 2) as usize))
        .window(fixed(10))
        .reduce(|| 0, |n, _| *n += 1)
        .emit_state()
        .departition(|| 0, |all: &mut u64, n: u64| *all += n, |all, window| (window.start, all));
    for n in [0, 2, 11, 20] {
        sender.unbounded_send(n).unwrap();
    }
    assert_eq!(flow.next().now_or_never(), None);
    settle().await;
    assert_eq!(flow.next().now_or_never(), None, "the odd lane may still have something before 10");
    sender.unbounded_send(31).unwrap();
    assert_eq!(flow.next().await, Some((0, 2)), "it is done with the window behind");
    settle().await;
    assert_eq!(flow.next().now_or_never(), None);
    sender.unbounded_send(40).unwrap();
    assert_eq!(flow.next().await, Some((10, 1)));
    drop(sender);
    assert_eq!(flow.collect::<Vec<_>>().await, [(20, 1), (30, 1), (40, 1)]);
}

#[tokio::test]
async fn a_lane_that_has_ended_holds_nothing_up() {
    let (sender, receiver) = unbounded();
    let streams = [futures::stream::iter([5u64]).boxed(), receiver.boxed()];
    let mut flow = Flow::from_streams(streams)
        .lanes(2)
        .window(fixed(10))
        .reduce(Vec::new, Vec::push)
        .departition(Vec::new, Vec::push, |all, window| (window.start, sorted(all)));
    for n in [3, 10] {
        sender.unbounded_send(n).unwrap();
    }
    assert_eq!(flow.next().await, Some((0, vec![3, 5])));
    drop(sender);
    assert_eq!(flow.collect::<Vec<_>>().await, [(10, vec![10])]);
}

#[tokio::test]
async fn a_lane_may_emit_several_items_or_none_for_a_window() {
    for emitted in [0u64, 1, 3] {
        let windows: Vec<(i64, u64)> = counting(40)
            .lanes(1)
            .partition()
            .lanes(3)
            .window(fixed(10))
            .reduce(|| 0, |n, _| *n += 1)
            .on_trigger(move |n, _| vec![*n; emitted as usize])
            .departition(|| 0, |all, n: u64| *all += n, |all, window| (window.start, all))
            .collect()
            .await;
        let of = 10 * emitted;
        assert_eq!(windows, [(0, of), (10, of), (20, of), (30, of)], "{emitted} items");
    }
}

#[tokio::test]
async fn what_triggers_emit_before_the_end_is_taken_in_too() {
    let windows: Vec<(u64, Vec<u64>)> = Flow::from_iter(1..=7u64)
        .lanes(1)
        .window(Window::count(5).every(2))
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state()
        .departition(Vec::new, Vec::push, |all, window| (window, all))
        .collect()
        .await;
    assert_eq!(windows, [(0, vec![3, 10, 15]), (1, vec![13, 13])]);

    // Taken out at each trigger, the sum is that of the window.
    let sums: Vec<u64> = counting(100)
        .lanes(2)
        .window(Window::global().every(3))
        .reduce(|| 0, |sum, n| *sum += n)
        .on_trigger(|sum, _| [std::mem::take(sum)])
        .departition(|| 0, |all, sum: u64| *all += sum, |all, Global| all)
        .collect()
        .await;
    assert_eq!(sums, [4950]);
}

#[tokio::test]
async fn an_empty_input_has_the_windows_that_need_no_item() {
    let sums = |flow: Numbers| flow.lanes(3);
    let whole = sums(counting(0)).reduce(|| 1, |sum, n| *sum += n).emit_state();
    let whole = whole.departition(|| 0, |all, one: u64| *all += one, |all, Global| all);
    assert_eq!(whole.collect::<Vec<_>>().await, [3], "each lane has a state");
    let counted = sums(counting(0)).window(Window::count(2)).reduce(|| 1, |sum, n| *sum += n).emit_state();
    let counted = counted.departition(|| 0, |all, one: u64| *all += one, |all, window| (window, all));
    assert_eq!(counted.collect::<Vec<_>>().await, [(0, 3)]);
    let timed = sums(counting(0)).window(fixed(10)).reduce(|| 1, |sum, n| *sum += n).emit_state();
    let timed = timed.departition(|| 0, |all, one: u64| *all += one, |all, window| (window, all));
    assert_eq!(timed.collect::<Vec<_>>().await, []);
}

#[tokio::test]
async fn windows_of_lanes_that_count_for_themselves_come_together_by_number() {
    // 3 items to one lane, 5 to the other: windows of 2.
    let flow = Flow::from_iter(0..8u64)
        .lanes(1)
        .partition_with(2, |n| Some(usize::from(*n >= 3)))
        .window(Window::count(2))
        .reduce(Vec::new, Vec::push)
        .departition(Vec::new, Vec::push, |all, window| (window, sorted(all)));
    let windows: Vec<(u64, Vec<u64>)> = flow.collect().await;
    assert_eq!(windows, [(0, vec![0, 1, 3, 4]), (1, vec![2, 5, 6]), (2, vec![7])]);
}

#[tokio::test]
async fn gaps_come_out_as_windows_of_their_own_if_asked_for() {
    let flow = Flow::from_iter([0u64, 35])
        .lanes(1)
        .window(fixed(10).fill_gaps())
        .reduce(Vec::new, Vec::push)
        .departition(|| 0, |n, _: u64| *n += 1, |n, window| (window.start, n));
    assert_eq!(flow.collect::<Vec<_>>().await, [(0, 1), (10, 0), (20, 0), (30, 1)]);
}

#[tokio::test]
async fn lanes_and_demand_behind_it_are_those_that_reduce_and_operators_have_one() {
    let lanes = Arc::new(AtomicUsize::new(0));
    let counts = lanes.clone();
    let sums = counting(100)
        .partition()
        .reduce(|| 1, |_, _| ())
        .emit_state()
        .departition(|| 0, |all, n: u64| *all += n, |all, _| all)
        .lanes(7)
        .demand(2, 1)
        .per_lane(move |lane| {
            counts.fetch_add(1, Ordering::SeqCst);
            lane
        });
    assert_eq!(sums.collect::<Vec<_>>().await, [7]);
    assert_eq!(lanes.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_comes_out_goes_on_in_many_lanes_and_is_reduced_again() {
    let counts: Vec<usize> = counting(1000)
        .lanes(2)
        .window(fixed(10))
        .reduce(Vec::new, Vec::push)
        .departition(Vec::new, Vec::push, |all: Vec<u64>, _| all)
        .shuffle()
        .lanes(3)
        .map(|window| window.len())
        .reduce(Vec::new, Vec::push)
        .collect()
        .await;
    assert_eq!(counts, [10; 100]);
}

#[tokio::test]
async fn what_is_kept_goes_with_its_window() {
    let lives = Lives::new();
    let of_lives = lives.clone();
    let flow = counting(20_000)
        .lanes(1)
        .demand(10, 5)
        .partition_by(|n| n % 97)
        .lanes(3)
        .demand(10, 5)
        .window(fixed(20))
        .reduce(|| 0, |n, _| *n += 1)
        .emit_state()
        .departition(move || Live::new(0, &of_lives), |all, n: u64| all.n += n, |all, _| all.n);
    assert_eq!(flow.collect::<Vec<u64>>().await, [20; 1000]);
    assert!(lives.peak() <= 60, "{} windows were open", lives.peak());
    assert_eq!(lives.now(), 0);
}

#[tokio::test]
async fn windows_are_made_only_as_they_are_read() {
    let made = Arc::new(AtomicUsize::new(0));
    let counts = made.clone();
    let mut flow = counting(5000)
        .lanes(2)
        .window(fixed(1))
        .reduce(|| 0, |n, _| *n += 1)
        .emit_state()
        .departition(|| 0, |all, n: u64| *all += n, |all, _| all)
        .demand(1, 0)
        .inspect(move |_| _ = counts.fetch_add(1, Ordering::SeqCst));
    for read in 1..30 {
        assert_eq!(flow.next().await, Some(1));
        settle().await;
        assert!(made.load(Ordering::SeqCst) <= read + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_any_of_its_closures_reaches_the_reader() {
    for at in 0..3 {
        let check = move |closure: usize| {
            if at == closure {
                seven(7);
            }
        };
        let flow = counting(1000).lanes(2).window(fixed(10)).reduce(Vec::new, Vec::push).departition(
            move || check(0),
            move |(), _: u64| check(1),
            move |(), _| check(2),
        );
        let caught = AssertUnwindSafe(flow.run()).catch_unwind().await;
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"), "closure {at}");
    }
}

#[tokio::test]
async fn no_window_comes_out_of_a_flow_that_failed() {
    // The window is never done, for the lane that panics never says so.
    let flow = Flow::from_iters([vec![1u64, 2], vec![3, 7]])
        .lanes(2)
        .reduce(Vec::new, |items, n| {
            seven(n);
            items.push(n);
        })
        .departition(Vec::new, Vec::push, |all: Vec<u64>, _| all);
    let read = Arc::new(AtomicUsize::new(0));
    let counts = read.clone();
    let reading = StreamExt::for_each(flow, move |_| {
        counts.fetch_add(1, Ordering::SeqCst);
        async {}
    });
    assert!(AssertUnwindSafe(reading).catch_unwind().await.is_err());
    assert_eq!(read.load(Ordering::SeqCst), 0);
}
