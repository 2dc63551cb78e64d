use crate::support::{Numbers, counting, operator_suite, seven};
use futures::StreamExt;
use gen_stage::window::Window;

operator_suite!(
    |flow: Numbers| flow.window(Window::count(3)).reduce(Vec::new, Vec::push),
    |items| items,
    |flow: Numbers| flow.window(Window::count(3)).reduce(Vec::new, |items, n| {
        seven(n);
        items.push(n);
    }),
);

#[tokio::test]
async fn the_window_that_is_open_in_the_end_is_done_also_when_it_is_empty() {
    for (items, expected) in [
        (0, vec![(0, vec![])]),
        (1, vec![(0, vec![0])]),
        (2, vec![(0, vec![0, 1]), (1, vec![])]),
        (3, vec![(0, vec![0, 1]), (1, vec![2])]),
    ] {
        let lists = counting(items)
            .lanes(1)
            .window(Window::count(2))
            .reduce(Vec::new, Vec::push)
            .on_trigger(|list, info| [(info.window, list.clone())]);
        assert_eq!(lists.collect::<Vec<(u64, Vec<u64>)>>().await, expected, "{items} items");
    }
}

#[tokio::test]
async fn windows_of_one_item_emit_each_at_once() {
    let mut lists = super::so_far(
        &mut crate::support::numbers(super::then_silence(0..3))
            .lanes(1)
            .window(Window::count(1))
            .reduce(Vec::new, Vec::push)
            .emit_state(),
    )
    .await;
    lists.sort();
    assert_eq!(lists, [vec![0], vec![1], vec![2]]);
}

#[tokio::test]
async fn each_lane_counts_for_itself() {
    let flow = counting(100).lanes(4).partition_with(4, |n| Some(*n as usize % 4));
    let sizes = flow
        .window(Window::count(10))
        .reduce(|| 0, |size, _| *size += 1)
        .on_trigger(|size, info| [(info.lane, info.lanes, info.window, *size)]);
    let sizes = crate::support::sorted(sizes.collect::<Vec<(usize, usize, u64, u32)>>().await);
    let expected: Vec<_> =
        (0..4).flat_map(|lane| [(lane, 4, 0, 10), (lane, 4, 1, 10), (lane, 4, 2, 5)]).collect();
    assert_eq!(sizes, expected);
}

#[tokio::test]
async fn items_that_an_operator_drops_behind_the_window_count() {
    let lists = counting(6)
        .lanes(1)
        .window(Window::count(3))
        .filter(|n| n % 2 == 0)
        .flat_map(|n| [n, n + 100])
        .reduce(Vec::new, Vec::push)
        .emit_state();
    assert_eq!(lists.collect::<Vec<Vec<u64>>>().await, [vec![0, 100, 2, 102], vec![4, 104], vec![]]);
}

#[tokio::test]
async fn a_reader_that_stops_finds_the_rest_later() {
    let mut flow = counting(1000).lanes(1).demand(1, 0).window(Window::count(7)).reduce(Vec::new, Vec::push);
    let first: Vec<u64> = flow.by_ref().take(5).collect().await;
    crate::support::settle().await;
    let rest: Vec<u64> = flow.collect().await;
    assert!(first.into_iter().chain(rest).eq(0..1000));
}

#[test]
#[should_panic(expected = "a window must be of at least 1 item, given 0")]
fn windows_of_no_items_are_refused() {
    let _ = Window::count(0);
}
