use crate::support::{Live, Lives, Numbers, counting, operator_suite, seven};
use gen_stage::Flow;
use gen_stage::flow::Top;
use gen_stage::window::Window;
use proptest::prelude::*;
use std::cmp::Reverse;
use std::time::Duration;

operator_suite!(
    |flow: Numbers| flow
        .top_by_key(10, |n| *n)
        .emit_state()
        .departition(|| Top::new(10), Top::merge, |top, _| top)
        .flat_map(|top| top),
    |items| items.into_iter().rev().take(10).collect(),
    |flow: Numbers| flow.top_by_key(10, |n| {
        seven(*n);
        *n
    }),
);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Those with the greatest keys, of equal ones the first.
fn model(items: &[(u8, usize)], n: usize) -> Vec<(u8, usize)> {
    let mut sorted = items.to_vec();
    sorted.sort_by_key(|item| Reverse(item.0));
    sorted.truncate(n);
    sorted
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #[test]
    fn any_items_leave_the_greatest_and_of_equal_ones_the_first(
        keys in prop::collection::vec(any::<u8>().prop_map(|key| key % 8), 0..60),
        n in 1usize..20,
        at in 0usize..60,
    ) {
        let items: Vec<_> = keys.into_iter().zip(0..).collect();
        let of_one: Vec<_> = block_on(Flow::from_iter(items.clone()).lanes(1).top_by_key(n, |item| item.0).collect());
        prop_assert_eq!(&of_one, &model(&items, n));
        // The same in two parts, one after the other.
        let (first, second) = items.split_at(at.min(items.len()));
        let top_of = |part: &[(u8, usize)]| {
            let mut top = Top::new(n);
            part.iter().for_each(|item| top.push(item.0, *item));
            top
        };
        let mut merged = top_of(first);
        merged.merge(top_of(second));
        prop_assert_eq!(merged.len(), of_one.len());
        prop_assert_eq!(merged.iter().copied().collect::<Vec<_>>(), of_one.clone());
        prop_assert_eq!(merged.into_iter().collect::<Vec<_>>(), of_one);
    }

    #[test]
    fn any_lanes_have_the_keys_of_the_whole_between_them(
        keys in prop::collection::vec(any::<u8>(), 0..200),
        n in 1usize..20,
        lanes in 1usize..5,
    ) {
        let items: Vec<_> = keys.into_iter().zip(0..).collect();
        let flow = Flow::from_iter(items.clone()).shuffle().lanes(lanes).demand(3, 1).top_by_key(n, |item| item.0);
        let got = block_on(flow.take_sort_by(n, |a, b| b.0.cmp(&a.0)).collect::<Vec<_>>());
        let keys = |items: &[(u8, usize)]| items.iter().map(|item| item.0).collect::<Vec<_>>();
        prop_assert_eq!(got.len(), 1);
        prop_assert_eq!(keys(&got[0]), keys(&model(&items, n)));
    }
}

#[tokio::test]
async fn each_window_has_a_top_of_its_own_and_an_early_one_is_kept() {
    let tops = counting(25)
        .lanes(1)
        .window_by(|n| *n, |at| Window::fixed(ms(10), at).every(5))
        .top_by_key(2, |n| n % 7)
        .on_trigger(|top, info| [(info.window.start, top.iter().copied().collect::<Vec<_>>())]);
    let expected = [
        (0, vec![4, 3]),
        (0, vec![6, 5]),
        (0, vec![6, 5]),
        (10, vec![13, 12]),
        (10, vec![13, 12]),
        (10, vec![13, 12]),
        (20, vec![20, 24]),
        (20, vec![20, 24]),
    ];
    assert_eq!(tops.collect::<Vec<_>>().await, expected);
}

#[tokio::test]
async fn two_sessions_that_become_one_have_one_top() {
    let tops = Flow::from_iter([(0i64, 3), (1, 9), (16, 7), (17, 8), (9, 1)])
        .lanes(1)
        .window_by(|item| item.0, |at| Window::session(ms(10), |_| (), at).allowed_lateness(ms(100)))
        .top_by_key(3, |item| item.1)
        .merge_states(Top::merge)
        .on_trigger(|top, info| info.is_done().then(|| top.iter().map(|item| item.1).collect::<Vec<_>>()));
    assert_eq!(tops.collect::<Vec<_>>().await, [[9, 8, 7]]);
}

#[tokio::test]
async fn no_more_than_n_items_are_kept() {
    let lives = Lives::new();
    let of_lives = lives.clone();
    // Each is greater than all before it.
    let tops = counting(1000).lanes(1).map(move |n| Live::new(n, &of_lives)).top_by_key(5, |live| live.n);
    assert_eq!(tops.count().await, 5);
    assert!(lives.peak() <= 6, "{} were alive at once", lives.peak());
    assert_eq!(lives.now(), 0);
}

#[tokio::test]
async fn nothing_leaves_nothing() {
    let none = counting(0).lanes(3).top_by_key(3, |n| *n);
    assert_eq!(none.count().await, 0);
    assert!(Top::<u64, u64>::new(1).is_empty());
}

#[test]
#[should_panic(expected = "top_by_key keeps at least 1 item, given 0")]
fn a_top_of_none_is_refused() {
    let _ = counting(1).top_by_key(0, |n| *n);
}

#[test]
#[should_panic(expected = "a top must be of at least 1 item, given 0")]
fn an_empty_top_is_refused() {
    let _ = Top::<u64, u64>::new(0);
}
