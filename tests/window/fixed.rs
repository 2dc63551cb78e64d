use super::{Peak, done, ms, sent, so_far, told};
use crate::support::{Numbers, numbers, operator_suite, settle, seven};
use futures::StreamExt;
use futures::stream::BoxStream;
use gen_stage::Flow;
use gen_stage::window::Window;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

// What comes out is the window an item was in, and the item.
operator_suite!(
    |flow: Numbers| flow.window(Window::fixed(ms(10), |n: &u64| *n)).reduce(Vec::new, Vec::push).on_trigger(
        |list, info| {
            let start = u64::try_from(info.window.start).unwrap();
            std::mem::take(list).into_iter().map(move |n: u64| start * 1_000_000 + n)
        }
    ),
    |items| items.into_iter().map(|n| n / 10 * 10 * 1_000_000 + n).collect(),
    |flow: Numbers| flow
        .window(Window::fixed(ms(10), |n: &u64| {
            seven(*n);
            *n
        }))
        .reduce(Vec::new, Vec::push),
);

/// Two upstreams of one lane, within the lane and in front of it.
macro_rules! two_upstreams {
    ($first:expr, $second:expr, $across:expr) => {{
        let sources: [BoxStream<'static, i64>; 2] = [$first, $second];
        let flow = Flow::from_streams(sources);
        let window = Window::fixed(ms(1000), |time: &i64| *time);
        if $across {
            let flow = flow.lanes(2).partition_with(1, |_| Some(0)).window(window);
            let flow = flow.reduce(Vec::new, Vec::push).on_trigger(|list, info| [told(info, list.clone())]);
            flow.boxed()
        } else {
            let flow = flow.lanes(1).window(window);
            let flow = flow.reduce(Vec::new, Vec::push).on_trigger(|list, info| [told(info, list.clone())]);
            flow.boxed()
        }
    }};
}

#[tokio::test]
async fn the_time_of_each_item_is_asked_once_wherever_it_goes() {
    // Some stay in the window of the item before, some go back to another that is still open.
    let times = || (0..4000i64).map(|n| if n % 7 == 6 { n - 15 } else { n });
    for across in [false, true] {
        let asked = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&asked);
        let window = Window::fixed(ms(10), move |time: &i64| {
            count.fetch_add(1, Ordering::Relaxed);
            *time
        });
        let window = window.allowed_lateness(ms(20));
        let flow = Flow::from_iter(times()).lanes(1);
        let sums: Vec<(i64, i64)> = if across {
            let flow = flow.partition_with(1, |_| Some(0)).window(window).reduce(|| 0, |sum, n| *sum += n);
            flow.on_trigger(|sum, info| info.is_done().then_some((info.window.start, *sum))).collect().await
        } else {
            let flow = flow.window(window).reduce(|| 0, |sum, n| *sum += n);
            flow.on_trigger(|sum, info| info.is_done().then_some((info.window.start, *sum))).collect().await
        };
        let mut expected = BTreeMap::new();
        times().for_each(|time| *expected.entry(time.div_euclid(10) * 10).or_insert(0) += time);
        assert_eq!(sums, expected.into_iter().collect::<Vec<_>>(), "{across}");
        assert_eq!(asked.load(Ordering::Relaxed), 4000, "{across}");
    }
}

#[tokio::test]
async fn the_slowest_upstream_closes_windows_and_one_that_ended_holds_none() {
    for across in [false, true] {
        let ((a, first), (b, second)) = (sent(), sent());
        let mut lists = two_upstreams!(first, second, across);
        for time in [0, 1200, 5000] {
            a.unbounded_send(time).unwrap();
        }
        assert_eq!(so_far(&mut lists).await, [], "the other has sent nothing: {across}");
        b.unbounded_send(1500).unwrap();
        assert_eq!(so_far(&mut lists).await, [done(0, vec![0])], "{across}");
        b.unbounded_send(900).unwrap();
        a.unbounded_send(6000).unwrap();
        assert_eq!(so_far(&mut lists).await, [], "a late item, and one that is ahead: {across}");
        drop(b);
        assert_eq!(
            so_far(&mut lists).await,
            [done(1000, vec![1200, 1500]), done(5000, vec![5000])],
            "{across}"
        );
        drop(a);
        assert_eq!(so_far(&mut lists).await, [done(6000, vec![6000])], "{across}");
    }
}

#[tokio::test]
async fn an_upstream_that_ends_without_an_item_holds_nothing() {
    for across in [false, true] {
        let ((a, first), (b, second)) = (sent::<i64>(), sent::<i64>());
        let mut lists = two_upstreams!(first, second, across);
        a.unbounded_send(0).unwrap();
        a.unbounded_send(1000).unwrap();
        assert_eq!(so_far(&mut lists).await, [], "{across}");
        drop(b);
        assert_eq!(so_far(&mut lists).await, [done(0, vec![0])], "{across}");
        drop(a);
        assert_eq!(so_far(&mut lists).await, [done(1000, vec![1000])], "{across}");
    }
}

#[tokio::test]
async fn iterators_that_share_a_lane_hold_each_other() {
    // One is a thousand seconds ahead; no item of the other is late.
    let ahead: Vec<i64> = (1_000_000..1_002_000).collect();
    let behind: Vec<i64> = (0..2000).collect();
    let mut sizes = Flow::from_iters([ahead, behind])
        .lanes(1)
        .demand(10, 5)
        .window(Window::fixed(ms(1000), |time: &i64| *time))
        .reduce(|| 0, |size, _| *size += 1)
        .on_trigger(|size, info| [(info.window.start, *size)]);
    let got: Vec<(i64, u32)> = sizes.by_ref().collect().await;
    assert_eq!(got, [(0, 1000), (1000, 1000), (1_000_000, 1000), (1_001_000, 1000)]);
    assert_eq!(sizes.late(), 0);
}

#[tokio::test]
async fn an_idle_partition_holds_nothing_of_the_other_lanes() {
    // All with one key: three lanes get nothing, and emit nothing.
    let sizes = Flow::from_iter(0..3000i64)
        .lanes(1)
        .partition_with(4, |_| Some(2))
        .window(Window::fixed(ms(1000), |time: &i64| *time))
        .reduce(|| 0, |size, _| *size += 1)
        .on_trigger(|size, info| [(info.lane, info.window.start, *size)]);
    let got: Vec<(usize, i64, u32)> = sizes.collect().await;
    assert_eq!(got, [(2, 0, 1000), (2, 1000, 1000), (2, 2000, 1000)]);
}

#[tokio::test]
async fn windows_with_nothing_in_them_emit_on_demand_only() {
    let starts = |gaps: bool, times: Vec<i64>| async move {
        let window = Window::fixed(ms(10), |time: &i64| *time);
        let window = if gaps { window.fill_gaps() } else { window };
        let flow = Flow::from_iter(times).lanes(1).window(window).reduce(|| 0, |size, _| *size += 1);
        flow.on_trigger(|size, info| [(info.window.start, *size)]).collect::<Vec<(i64, u32)>>().await
    };
    assert_eq!(starts(false, vec![-15, 25]).await, [(-20, 1), (20, 1)]);
    assert_eq!(starts(true, vec![-15, 25]).await, [(-20, 1), (-10, 0), (0, 0), (10, 0), (20, 1)]);
    assert_eq!(starts(true, vec![7]).await, [(0, 1)], "none in front of the first, none behind the last");
    assert_eq!(starts(true, vec![]).await, []);
}

#[tokio::test]
async fn gaps_are_filled_between_windows_that_are_open_in_the_end_too() {
    let ((a, first), (b, second)) = (sent(), sent::<i64>());
    let mut sizes = Flow::from_streams([first, second])
        .lanes(1)
        .window(Window::fixed(ms(10), |time: &i64| *time).fill_gaps())
        .reduce(|| 0, |size, _| *size += 1)
        .on_trigger(|size, info| [(info.window.start, *size)]);
    for time in [0, 30, 60] {
        a.unbounded_send(time).unwrap();
    }
    assert_eq!(so_far(&mut sizes).await, []);
    drop((a, b));
    let expected = [(0, 1), (10, 0), (20, 0), (30, 1), (40, 0), (50, 0), (60, 1)];
    assert_eq!(so_far(&mut sizes).await, expected);
}

#[tokio::test]
async fn a_huge_gap_takes_no_memory_and_comes_out_as_it_is_read() {
    for last in [1_000_000_000_000, i64::MAX] {
        let peak = Peak::default();
        let states = peak.clone();
        let flow = Flow::from_iter([0, last])
            .lanes(1)
            .demand(10, 5)
            .window(Window::fixed(ms(1), |time: &i64| *time).fill_gaps())
            .reduce(move || states.state(), |_, _| ())
            .on_trigger(|_, info| [info.window.start]);
        let mut flow = flow.boxed();
        let starts: Vec<i64> = flow.by_ref().take(10).collect().await;
        assert_eq!(starts, (0..10).collect::<Vec<_>>());
        settle().await;
        let made = peak.made();
        settle().await;
        assert_eq!(peak.made(), made, "nothing is done while nobody reads");
        assert!(made <= 22, "{made} windows were made");
        assert!(peak.peak() <= 2, "{} states were alive together", peak.peak());
        let more: Vec<i64> = flow.by_ref().take(1000).collect().await;
        assert_eq!(more, (10..1010).collect::<Vec<_>>());
        assert!(peak.peak() <= 2, "{} states were alive together", peak.peak());
    }
}

#[tokio::test]
async fn a_huge_gap_of_which_nothing_comes_out_gives_way() {
    let peak = Peak::default();
    let states = peak.clone();
    let mut flow = Flow::from_iter([0, 1_000_000_000])
        .lanes(1)
        .window(Window::fixed(ms(1), |time: &i64| *time).fill_gaps())
        .reduce(move || states.state(), |_, _| ())
        .on_trigger(|_, _| None::<u64>);
    assert!(futures::poll!(flow.next()).is_pending());
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(peak.made() > 1, "the lane is at it");
    assert!(peak.made() < 1_000_000, "and lets others run");
    assert!(peak.peak() <= 2);
    drop(flow);
    let made = peak.made();
    settle().await;
    assert_eq!(peak.made(), made);
}

#[tokio::test]
async fn a_huge_gap_at_the_end_of_input_takes_no_memory_either() {
    let peak = Peak::default();
    let states = peak.clone();
    // The upstream that sends nothing holds the gap back until both end.
    let ((a, first), (b, second)) = (sent(), sent::<i64>());
    let mut flow = Flow::from_streams([first, second])
        .lanes(1)
        .demand(10, 5)
        .window(Window::fixed(ms(1), |time: &i64| *time).fill_gaps())
        .reduce(move || states.state(), |_, _| ())
        .on_trigger(|_, info| [info.window.start]);
    a.unbounded_send(0).unwrap();
    a.unbounded_send(i64::MAX).unwrap();
    assert_eq!(so_far(&mut flow).await, []);
    drop((a, b));
    let starts: Vec<i64> = flow.by_ref().take(100).collect().await;
    assert_eq!(starts, (0..100).collect::<Vec<_>>());
    assert!(peak.peak() <= 3, "{} states were alive together", peak.peak());
}

#[tokio::test]
async fn times_at_the_ends_of_what_fits_are_in_windows_of_their_own() {
    let times = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX];
    for (size, lateness) in [(1, 0), (1000, 0), (1000, i64::MAX as u64 / 4), (i64::MAX as u64 / 4, 0)] {
        let window = Window::fixed(ms(size), |time: &i64| *time).allowed_lateness(ms(lateness));
        let mut lists =
            Flow::from_iter(times).lanes(1).window(window).reduce(Vec::new, Vec::push).on_trigger(
                |list, info| info.is_done().then(|| (info.window.start < info.window.end, list.clone())),
            );
        let got: Vec<(bool, Vec<i64>)> = lists.by_ref().collect().await;
        let lists_of: Vec<Vec<i64>> = got.iter().map(|(_, list)| list.clone()).collect();
        assert!(got.iter().all(|(proper, _)| *proper), "{size}, {lateness}: {got:?}");
        assert_eq!(
            lists_of,
            [vec![i64::MIN, i64::MIN + 1], vec![-1], vec![0], vec![i64::MAX - 1, i64::MAX]],
            "{size}, {lateness}"
        );
        assert_eq!(lists.late(), 0, "{size}, {lateness}");
    }
}

#[tokio::test]
async fn states_are_dropped_when_their_windows_are_done() {
    let peak = Peak::default();
    let states = peak.clone();
    let sizes = Flow::from_iter(0..100_000i64)
        .lanes(1)
        .window(Window::fixed(ms(10), |time: &i64| *time).allowed_lateness(ms(20)))
        .reduce(move || (states.state(), 0), |(_, size), _| *size += 1)
        .on_trigger(|(_, size), info| info.is_done().then_some(*size));
    let sizes: Vec<u32> = sizes.collect().await;
    assert_eq!((sizes.len(), sizes.iter().sum::<u32>()), (10_000, 100_000));
    assert_eq!(peak.made(), 10_000);
    assert!(peak.peak() <= 4, "{} states were alive together", peak.peak());
}

#[tokio::test]
async fn open_windows_are_done_when_the_input_ends() {
    let mut lists = numbers(futures::stream::iter([25, 5, 15]))
        .lanes(1)
        .window(Window::fixed(ms(10), |n: &u64| *n).allowed_lateness(ms(100)))
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [told(info, list.clone())]);
    let got: Vec<_> = lists.by_ref().collect().await;
    let watermark = super::watermark;
    let expected = [
        watermark(0, vec![5]),
        watermark(10, vec![15]),
        done(0, vec![5]),
        done(10, vec![15]),
        done(20, vec![25]),
    ];
    assert_eq!((got, lists.late()), (expected.to_vec(), 0));
}

#[test]
#[should_panic(
    expected = "the size of a fixed window must be a whole number of milliseconds, from 1 to 2305843009213693951, given 0ns"
)]
fn windows_of_no_size_are_refused() {
    let _ = Window::fixed(ms(0), |n: &u64| *n);
}

#[test]
#[should_panic(
    expected = "the size of a fixed window must be a whole number of milliseconds, from 1 to 2305843009213693951, given 1.5ms"
)]
fn windows_of_a_broken_size_are_refused() {
    let _ = Window::fixed(std::time::Duration::from_micros(1500), |n: &u64| *n);
}

#[test]
#[should_panic(expected = "the size of a fixed window must be a whole number of milliseconds, from 1 to")]
fn windows_that_never_end_are_refused() {
    let _ = Window::fixed(std::time::Duration::MAX, |n: &u64| *n);
}
