use crate::support::{Live, Lives, Numbers, counting, operator_suite, seven};
use futures::FutureExt;
use gen_stage::Flow;
use gen_stage::window::Window;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

operator_suite!(
    |flow: Numbers| flow.reduce(Vec::new, Vec::push).take_sort(10).flat_map(|least| least),
    |items| items.into_iter().take(10).collect(),
    |flow: Numbers| flow
        .reduce(Vec::new, Vec::push)
        .take_sort_by(10, |a, b| {
            seven(*a);
            seven(*b);
            a.cmp(b)
        })
        .flat_map(|least| least),
);

/// Numbers in an order of no use.
fn shuffled(items: u64) -> impl Iterator<Item = u64> + Send + 'static {
    (0..items).map(move |n| n * 7919 % items)
}

#[tokio::test]
async fn any_n_gives_the_first_n_of_all_lanes() {
    for n in [1, 2, 3, 99, 100, 101, 199, 1000, 1001, usize::MAX / 2, usize::MAX] {
        for lanes in [1, 4] {
            let flow = Flow::from_iter(shuffled(1000)).partition().lanes(lanes).reduce(Vec::new, Vec::push);
            let least: Vec<Vec<u64>> = flow.take_sort(n).collect().await;
            assert_eq!(least, [(0..1000).take(n).collect::<Vec<_>>()], "the first {n} of {lanes} lanes");
        }
    }
}

#[tokio::test]
async fn an_empty_input_becomes_one_empty_vector() {
    let none: Vec<Vec<u64>> = counting(0).lanes(3).reduce(Vec::new, Vec::push).take_sort(5).collect().await;
    assert_eq!(none, [vec![]]);
}

#[tokio::test]
async fn equal_items_are_all_there() {
    let equal = Flow::from_iter([2u64, 1, 2, 1, 2, 1, 2].repeat(10)).shuffle().lanes(3);
    let least: Vec<Vec<u64>> = equal.reduce(Vec::new, Vec::push).take_sort(35).collect().await;
    assert_eq!(least, [[vec![1; 30], vec![2; 5]].concat()]);
}

#[tokio::test]
async fn another_order_is_kept_to() {
    let flow = Flow::from_iter(shuffled(500)).lanes(1).partition().lanes(3).reduce(Vec::new, Vec::push);
    let greatest = flow.take_sort_by(4, |a: &u64, b| b.cmp(a));
    assert_eq!(greatest.collect::<Vec<_>>().await, [[499, 498, 497, 496]]);
    // Items that cannot be ordered by themselves.
    let flow = Flow::from_iter([1.5, -0.5, 0.0]).reduce(Vec::new, Vec::push);
    assert_eq!(flow.take_sort_by(2, f64::total_cmp).collect::<Vec<_>>().await, [[-0.5, 0.0]]);
}

#[tokio::test]
async fn each_window_has_a_vector_of_its_own() {
    let window = Window::fixed(Duration::from_millis(10), |n: &u64| *n);
    let tops: Vec<Vec<(u64, u64)>> = counting(35)
        .lanes(1)
        .partition_by(|n| n % 4)
        .lanes(3)
        .demand(1, 0)
        .window(window)
        .count_by(|n| n % 4)
        .take_sort_by(2, |(a, n), (b, m)| m.cmp(n).then(a.cmp(b)))
        .collect()
        .await;
    // 0 to 9 have 0 and 1 three times, 10 to 19 have 2 and 3, …
    assert_eq!(tops, [[(0, 3), (1, 3)], [(2, 3), (3, 3)], [(0, 3), (1, 3)], [(2, 2), (0, 1)]]);
}

#[tokio::test]
async fn only_the_first_n_are_kept_of_what_lanes_emit() {
    let lives = Lives::new();
    let of_lives = lives.clone();
    let least: Vec<Vec<u64>> = counting(0)
        .lanes(4)
        .reduce(|| (), |(), _| ())
        .on_trigger(move |(), info| {
            let (lives, lane, lanes) = (of_lives.clone(), info.lane as u64, info.lanes as u64);
            (0..10_000).rev().map(move |n| Live::new(n * lanes + lane, &lives))
        })
        .take_sort_by(10, |a, b| a.n.cmp(&b.n))
        .map(|least: Vec<Live>| least.iter().map(|live| live.n).collect())
        .collect()
        .await;
    assert_eq!(least, [(0..10).collect::<Vec<u64>>()]);
    // Up to 2 n where a lane sorts; then n of each of four lanes, and up to 2 n where they come together.
    assert!(lives.peak() <= 4 * 10 + 2 * 10, "{} items were alive", lives.peak());
    assert_eq!((lives.now(), lives.clones()), (0, 0));
}

#[tokio::test]
async fn it_sorts_where_lanes_come_together_too() {
    // One item to each lane: nothing was compared before.
    let flow = Flow::from_iter([3u64, 1, 2]).lanes(1).partition_with(3, |n| Some((n % 3) as usize));
    let comparing = flow.reduce(Vec::new, Vec::push).take_sort_by(2, |a: &u64, b| {
        if *a == 1 {
            std::panic::panic_any("compared");
        }
        a.cmp(b)
    });
    let caught = AssertUnwindSafe(comparing.collect::<Vec<_>>()).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"compared"));
}

#[test]
#[should_panic(expected = "take_sort takes at least 1 item, given 0")]
fn taking_no_items_is_refused() {
    let _ = counting(1).reduce(Vec::new, Vec::push).take_sort(0);
}
