use super::{done, ms, pass, sent, so_far, told, watermark};
use crate::support::{Watched, numbers, settle, sorted};
use futures::{FutureExt, StreamExt};
use gen_stage::Flow;
use gen_stage::window::{Late, Window};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[tokio::test]
async fn a_late_item_is_in_no_window_and_is_counted() {
    let mut lists = Flow::from_iter([0i64, 1000, 999, 2000, 1500])
        .lanes(1)
        .window(Window::fixed(ms(1000), |time: &i64| *time))
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [told(info, list.clone())]);
    assert_eq!(lists.late(), 0, "before it runs");
    let got: Vec<_> = lists.by_ref().collect().await;
    assert_eq!(got, [done(0, vec![0]), done(1000, vec![1000]), done(2000, vec![2000])]);
    assert_eq!(lists.late(), 2);
}

#[tokio::test]
async fn lateness_goes_by_the_times_of_items_to_the_millisecond() {
    let window = Window::fixed(ms(1000), |time: &i64| *time).allowed_lateness(ms(500));
    let mut lists = Flow::from_iter([0i64, 1000, 998, 1499, 999, 1500, 997])
        .lanes(1)
        .window(window)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [told(info, list.clone())]);
    let got: Vec<_> = lists.by_ref().collect().await;
    assert_eq!(got, [watermark(0, vec![0]), done(0, vec![0, 998, 999]), done(1000, vec![1000, 1499, 1500]),]);
    assert_eq!(lists.late(), 1);
}

#[tokio::test]
async fn a_window_that_only_late_items_come_into_emits_at_once_and_when_its_lateness_is_over() {
    let window = Window::fixed(ms(1000), |time: &i64| *time).allowed_lateness(ms(5000));
    let lists = Flow::from_iter([5000i64, 500, 700, 6000])
        .lanes(1)
        .window(window)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [told(info, list.clone())]);
    assert_eq!(
        lists.collect::<Vec<_>>().await,
        [
            watermark(0, vec![500]),
            // At the same time, the earlier window comes first.
            done(0, vec![500, 700]),
            watermark(5000, vec![5000]),
            done(5000, vec![5000]),
            done(6000, vec![6000]),
        ]
    );
}

#[tokio::test]
async fn late_items_count_for_triggers_of_their_window_and_those_that_are_too_late_do_not() {
    let window = Window::fixed(ms(1000), |time: &i64| *time).allowed_lateness(ms(500)).every(2);
    let lists = Flow::from_iter([0i64, 1000, 1, 1500, 2, 3, 4])
        .lanes(1)
        .window(window)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [told(info, list.clone())]);
    let every = |start, list| (start, "every 2 items".to_string(), list);
    assert_eq!(
        lists.collect::<Vec<_>>().await,
        [
            watermark(0, vec![0]),
            every(0, vec![0, 1]),
            every(1000, vec![1000, 1500]),
            done(0, vec![0, 1]),
            done(1000, vec![1000, 1500]),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn lateness_by_the_clock_is_counted_from_the_watermark() {
    let (sender, source) = sent();
    let window = Window::fixed(ms(1000), |time: &i64| *time).allowed_lateness_by_clock(ms(50));
    let mut lists = Flow::from_streams([source])
        .lanes(1)
        .window(window)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [told(info, list.clone())]);
    sender.unbounded_send(0).unwrap();
    assert_eq!(so_far(&mut lists).await, []);
    pass(ms(1000)).await;
    sender.unbounded_send(1_000_000).unwrap();
    assert_eq!(so_far(&mut lists).await, [watermark(0, vec![0])], "however far it is");
    pass(ms(40)).await;
    sender.unbounded_send(1).unwrap();
    assert_eq!(so_far(&mut lists).await, []);
    pass(ms(20)).await;
    assert_eq!(so_far(&mut lists).await, [done(0, vec![0, 1])]);
    sender.unbounded_send(2).unwrap();
    settle().await;
    // What is open in the end waits for no clock.
    sender.unbounded_send(1_001_000).unwrap();
    drop(sender);
    assert_eq!(
        so_far(&mut lists).await,
        [
            watermark(1_000_000, vec![1_000_000]),
            done(1_000_000, vec![1_000_000]),
            done(1_001_000, vec![1_001_000]),
        ]
    );
    assert_eq!(lists.late(), 1);
}

#[tokio::test]
async fn late_items_of_all_lanes_are_counted_where_it_was_said_and_there_only() {
    let late = Arc::new(AtomicU64::new(0));
    let times = |lane: u64| [10u64, 0, 20, 5].map(|time| (lane, time));
    let mut sizes = Flow::from_iter((0..4).flat_map(times))
        .lanes(1)
        .partition_with(4, |(lane, _)| Some(*lane as usize))
        .window(Window::fixed(ms(10), |(_, time): &(u64, u64)| *time).count_late(&late))
        .reduce(|| 0, |size, _| *size += 1)
        .on_trigger(|size, info| [(info.lane, info.window.start, *size)]);
    let got = sorted(sizes.by_ref().collect::<Vec<(usize, i64, u32)>>().await);
    let expected: Vec<_> = (0..4).flat_map(|lane| [(lane, 10, 1), (lane, 20, 1)]).collect();
    assert_eq!(got, expected);
    assert_eq!((late.load(Ordering::Relaxed), sizes.late()), (8, 0));
}

#[tokio::test]
async fn late_items_of_all_lanes_are_counted_by_the_flow_where_nothing_else_was_said() {
    let mut sizes = Flow::from_iter((0..4u64).flat_map(|lane| [10u64, 0, 20, 5].map(|time| (lane, time))))
        .lanes(1)
        .partition_with(4, |(lane, _)| Some(*lane as usize))
        .window(Window::session(ms(5), |(lane, _): &(u64, u64)| *lane, |(_, time)| *time))
        .reduce(|| 0, |size, _| *size += 1)
        .merge_states(|size, other| *size += other)
        .emit_state();
    assert_eq!(sizes.by_ref().collect::<Vec<u32>>().await, [1; 8]);
    assert_eq!(sizes.late(), 8);
}

/// A flow of numbers whose odd ones are late, and these.
macro_rules! odd_ones_are_late {
    ($source:expr, $capacity:expr $(, $count:expr)?) => {{
        let window = Window::fixed(ms(10), |n: &u64| if n % 2 == 0 { n + 1_000_000 } else { *n })$(.count_late($count))?;
        let (window, late): (_, Late<u64>) = window.late_output($capacity);
        let flow = numbers($source).lanes(1).demand(10, 5).window(window);
        (flow.reduce(Vec::new, Vec::push), late)
    }};
}

#[tokio::test]
async fn late_items_come_out_at_the_side_in_order_and_to_the_end() {
    let (flow, late) = odd_ones_are_late!(futures::stream::iter(0..1000), 3);
    let (flow, late) = futures::join!(flow.collect::<Vec<u64>>(), late.collect::<Vec<u64>>());
    assert!(flow.into_iter().eq((0..1000).filter(|n| n % 2 == 0)));
    assert!(late.into_iter().eq((0..1000).filter(|n| n % 2 == 1)));
}

#[tokio::test]
async fn a_side_output_that_nobody_reads_holds_the_lane() {
    for capacity in [1, 2, 5] {
        let watched = Watched::new();
        let (mut flow, mut late) = odd_ones_are_late!(watched.endless(), capacity);
        // Windows close all the time, and the flow is read.
        let mut read = so_far(&mut flow).await;
        let taken = watched.taken();
        read.extend(so_far(&mut flow).await);
        assert_eq!(watched.taken(), taken, "capacity {capacity}");
        assert!(taken <= 2 * (capacity + 2) + 10, "capacity {capacity}: {taken} were taken");
        // One that is read makes room for one.
        assert_eq!(late.next().now_or_never(), Some(Some(1)));
        read.extend(so_far(&mut flow).await);
        assert!(watched.taken() > taken || capacity > 1, "capacity {capacity}");
        let more: Vec<u64> = {
            let mut more = Vec::new();
            for _ in 0..100 {
                more.extend(late.next().now_or_never().flatten());
                read.extend(so_far(&mut flow).await);
            }
            more
        };
        assert!(more.iter().copied().eq((0..more.len() as u64).map(|n| 2 * n + 3)), "{more:?}");
        assert!(more.len() >= 100, "{} of 100", more.len());
        assert!(read.iter().all(|n| n % 2 == 0));
        assert_eq!(flow.late(), 0);
    }
}

#[tokio::test]
async fn a_side_output_wakes_its_reader_and_the_lane_that_waits_for_it() {
    let (sender, source) = sent();
    let (mut flow, late) = odd_ones_are_late!(source, 1);
    let mut late = tokio_test::task::spawn(late);
    assert!(late.poll_next().is_pending());
    for n in 0..6 {
        sender.unbounded_send(n).unwrap();
    }
    let mut read = so_far(&mut flow).await;
    for expected in [1, 3, 5] {
        assert!(late.is_woken(), "{expected}");
        assert_eq!(late.poll_next(), std::task::Poll::Ready(Some(expected)));
        assert!(late.poll_next().is_pending());
        read.extend(so_far(&mut flow).await);
    }
    drop(sender);
    read.extend(so_far(&mut flow).await);
    assert_eq!(read, [0, 2, 4]);
    assert!(late.is_woken());
    assert_eq!(late.poll_next(), std::task::Poll::Ready(None), "it ends with the flow");
}

#[tokio::test]
async fn once_a_side_output_is_dropped_late_items_are_counted() {
    let (mut flow, late) = odd_ones_are_late!(futures::stream::iter(0..100), 1);
    drop(late);
    assert_eq!(flow.by_ref().collect::<Vec<u64>>().await.len(), 50);
    assert_eq!(flow.late(), 50);

    let count = Arc::new(AtomicU64::new(0));
    let (mut flow, late) = odd_ones_are_late!(futures::stream::iter(0..100), 1, &count);
    drop(late);
    assert_eq!(flow.by_ref().collect::<Vec<u64>>().await.len(), 50);
    assert_eq!((count.load(Ordering::Relaxed), flow.late()), (50, 0));
}

#[tokio::test]
async fn a_side_output_that_is_dropped_lets_the_lane_go_that_waits_for_it() {
    let (mut flow, mut late) = odd_ones_are_late!(futures::stream::iter(0..100), 1);
    let mut read = so_far(&mut flow).await;
    assert_eq!(late.next().now_or_never(), Some(Some(1)));
    read.extend(so_far(&mut flow).await);
    assert!(read.len() < 50);
    drop(late);
    read.extend(flow.by_ref().collect::<Vec<u64>>().await);
    assert_eq!(read.len(), 50);
    // Of 50, one was read and one was in the output when that was dropped.
    assert_eq!(flow.late(), 48);
}

#[tokio::test]
async fn a_side_output_ends_when_its_flow_is_dropped() {
    let (flow, mut late) = odd_ones_are_late!(futures::stream::pending(), 1);
    assert!(late.next().now_or_never().is_none());
    drop(flow);
    assert_eq!(late.next().await, None, "it never ran");
    let (mut flow, mut late) = odd_ones_are_late!(super::then_silence(0..2), 1);
    so_far(&mut flow).await;
    drop(flow);
    assert_eq!(late.next().await, Some(1), "what is in it is not lost");
    assert_eq!(late.next().await, None);
}

#[tokio::test]
async fn late_items_of_all_lanes_come_out_at_one_side() {
    let (window, late) = Window::fixed(ms(10), |(_, time): &(u64, u64)| *time).late_output(2);
    let times = |lane: u64| [10u64, 0, 20, 5].map(|time| (lane, time));
    let flow = Flow::from_iter((0..4).flat_map(times))
        .lanes(1)
        .partition_with(4, |(lane, _)| Some(*lane as usize))
        .window(window)
        .reduce(Vec::new, Vec::push);
    let (got, late) = futures::join!(flow.collect::<Vec<_>>(), late.collect::<Vec<_>>());
    assert_eq!(got.len(), 8);
    assert_eq!(sorted(late), (0..4).flat_map(|lane| [(lane, 0), (lane, 5)]).collect::<Vec<_>>());
}

#[test]
#[should_panic(expected = "the output of late items must have room for at least 1 item, given 0")]
fn a_side_output_without_room_is_refused() {
    let _ = Window::fixed(ms(10), |n: &u64| *n).late_output::<u64>(0);
}

#[test]
#[should_panic(expected = "the allowed lateness must be a whole number of milliseconds, from 0 to")]
fn a_lateness_of_less_than_a_millisecond_is_refused() {
    let _ = Window::fixed(ms(10), |n: &u64| *n).allowed_lateness(std::time::Duration::from_micros(1));
}

#[test]
#[should_panic(expected = "the allowed lateness must be longer than 0 ns, given 0ns")]
fn a_lateness_by_the_clock_of_nothing_is_refused() {
    let _ = Window::fixed(ms(10), |n: &u64| *n).allowed_lateness_by_clock(ms(0));
}
