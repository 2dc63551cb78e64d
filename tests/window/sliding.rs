use super::{Peak, done, ms, told};
use crate::support::{Numbers, operator_suite, seven};
use gen_stage::Flow;
use gen_stage::window::Window;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

// What comes out is the window an item was in, moved out of the negative, and the item.
operator_suite!(
    |flow: Numbers| flow
        .window(Window::sliding(ms(10), ms(5), |n: &u64| *n))
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| {
            let start = u64::try_from(info.window.start + 5).unwrap();
            std::mem::take(list).into_iter().map(move |n: u64| start * 1_000_000 + n)
        }),
    |items| items
        .into_iter()
        .flat_map(|n| [n / 5 * 5, n / 5 * 5 + 5].map(|start| start * 1_000_000 + n))
        .collect(),
    |flow: Numbers| flow
        .window(Window::sliding(ms(10), ms(5), |n: &u64| {
            seven(*n);
            *n
        }))
        .reduce(Vec::new, Vec::push),
);

#[tokio::test]
async fn windows_are_done_one_by_one() {
    let lists = Flow::from_iter([0i64, 7, 12, 30])
        .lanes(1)
        .window(Window::sliding(ms(10), ms(5), |time: &i64| *time))
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [told(info, list.clone())]);
    assert_eq!(
        lists.collect::<Vec<_>>().await,
        [
            done(-5, vec![0]),
            done(0, vec![0, 7]),
            done(5, vec![7, 12]),
            done(10, vec![12]),
            done(25, vec![30]),
            done(30, vec![30]),
        ]
    );
}

/// Counts how often it is cloned.
#[derive(Debug)]
struct Item(i64, Arc<AtomicUsize>);

impl Clone for Item {
    fn clone(&self) -> Self {
        self.1.fetch_add(1, Ordering::SeqCst);
        Self(self.0, self.1.clone())
    }
}

#[tokio::test]
async fn an_item_is_cloned_for_each_window_but_one_and_not_where_an_operator_drops_it() {
    let clones = Arc::new(AtomicUsize::new(0));
    for (size, step, keep, expected) in [(4, 1, true, 3), (4, 2, true, 1), (4, 4, true, 0), (4, 1, false, 0)]
    {
        clones.store(0, Ordering::SeqCst);
        let count = clones.clone();
        let source = (0..100i64).map(move |time| Item(time, count.clone()));
        let sizes = Flow::from_iter(source)
            .lanes(1)
            .window(Window::sliding(ms(size), ms(step), |item: &Item| item.0))
            .filter(move |_| keep)
            .reduce(|| 0, |sum, _| *sum += 1)
            .emit_state();
        let sum: usize = sizes.collect::<Vec<usize>>().await.into_iter().sum();
        assert_eq!(sum, if keep { 100 * (expected + 1) } else { 0 });
        assert_eq!(clones.load(Ordering::SeqCst), 100 * expected, "{size} by {step}");
    }
}

#[tokio::test]
async fn an_item_that_is_late_for_some_windows_is_in_the_others() {
    let mut lists = Flow::from_iter([0i64, 12, 6, 1])
        .lanes(1)
        .window(Window::sliding(ms(10), ms(5), |time: &i64| *time))
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [told(info, list.clone())]);
    let got: Vec<_> = futures::StreamExt::collect(&mut lists).await;
    assert_eq!(
        got,
        [
            done(-5, vec![0]),
            done(0, vec![0]),
            // 6 is too late for the one that ends at 10,
            done(5, vec![12, 6]),
            done(10, vec![12]),
        ]
    );
    assert_eq!(lists.late(), 1, "and 1 for all");
}

#[tokio::test]
async fn gaps_are_filled_step_by_step() {
    let sizes = Flow::from_iter([0i64, 30])
        .lanes(1)
        .window(Window::sliding(ms(10), ms(5), |time: &i64| *time).fill_gaps())
        .reduce(|| 0, |size, _| *size += 1)
        .on_trigger(|size, info| [(info.window.start, *size)]);
    let expected = [(-5, 1), (0, 1), (5, 0), (10, 0), (15, 0), (20, 0), (25, 1), (30, 1)];
    assert_eq!(sizes.collect::<Vec<(i64, u32)>>().await, expected);
}

#[tokio::test]
async fn no_more_states_are_alive_than_windows_overlap() {
    let peak = Peak::default();
    let states = peak.clone();
    let sizes = Flow::from_iter(0..20_000i64)
        .lanes(1)
        .window(Window::sliding(ms(50), ms(10), |time: &i64| *time))
        .reduce(move || (states.state(), 0), |(_, size), _| *size += 1)
        .on_trigger(|(_, size), _| [*size]);
    let sum: u32 = sizes.collect::<Vec<u32>>().await.into_iter().sum();
    assert_eq!(sum, 100_000);
    assert!(peak.peak() <= 11, "{} states were alive together", peak.peak());
}

#[tokio::test]
async fn times_at_the_ends_of_what_fits_are_in_windows() {
    for (size, step) in [(4, 2), (i64::MAX as u64 / 4, i64::MAX as u64 / 4)] {
        let overlap = (size / step) as usize;
        let mut lists = Flow::from_iter([i64::MIN, 0, i64::MAX])
            .lanes(1)
            .window(Window::sliding(ms(size), ms(step), |time: &i64| *time))
            .reduce(Vec::new, Vec::push)
            .on_trigger(|list, info| [(info.window.start < info.window.end, list.clone())]);
        let got: Vec<(bool, Vec<i64>)> = futures::StreamExt::collect(&mut lists).await;
        let expected: Vec<_> =
            [i64::MIN, 0, i64::MAX].iter().flat_map(|time| vec![(true, vec![*time]); overlap]).collect();
        assert_eq!((got, lists.late()), (expected, 0), "{size} by {step}");
    }
}

#[tokio::test]
async fn items_are_counted_for_each_window() {
    let lists = Flow::from_iter([0i64, 1, 5, 6])
        .lanes(1)
        .window(Window::sliding(ms(10), ms(5), |time: &i64| *time).every(2))
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| (!info.is_done()).then(|| told(info, list.clone())));
    let every = |start, list| (start, "every 2 items".to_string(), list);
    assert_eq!(
        lists.collect::<Vec<_>>().await,
        [every(-5, vec![0, 1]), every(0, vec![0, 1]), every(0, vec![0, 1, 5, 6]), every(5, vec![5, 6]),]
    );
}

#[test]
#[should_panic(expected = "the step of a sliding window must be at most its size, 4ms, given 5ms")]
fn a_step_longer_than_the_size_is_refused() {
    let _ = Window::sliding(ms(4), ms(5), |n: &u64| *n);
}

#[test]
#[should_panic(expected = "the step of a sliding window must be a whole number of milliseconds, from 1 to")]
fn a_step_of_0_is_refused() {
    let _ = Window::sliding(ms(4), ms(0), |n: &u64| *n);
}

#[test]
#[should_panic(expected = "a sliding window must be at most 100000 steps long")]
fn more_windows_than_anybody_can_want_are_refused() {
    let _ = Window::sliding(Duration::from_secs(365 * 24 * 3600), ms(1), |at: &i64| *at);
}
