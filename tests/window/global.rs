use crate::support::{Numbers, counting, operator_suite, seven, sorted};
use gen_stage::window::{Global, Window};

operator_suite!(
    |flow: Numbers| flow
        .window(Window::global().every(3))
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, _| std::mem::take(list)),
    |items| items,
    |flow: Numbers| flow.window(Window::global().every(3)).reduce(Vec::new, |items, n| {
        seven(n);
        items.push(n);
    }),
);

#[tokio::test]
async fn every_lane_has_one_window_also_without_items() {
    let sums = counting(2)
        .lanes(1)
        .partition_with(3, |n| Some(*n as usize))
        .window(Window::global())
        .reduce(|| 5, |sum, n| *sum += n)
        .on_trigger(|sum, info| [(info.lane, info.window, info.is_done(), *sum)]);
    let sums = sorted(sums.collect::<Vec<(usize, Global, bool, u64)>>().await);
    assert_eq!(sums, [(0, Global, true, 5), (1, Global, true, 6), (2, Global, true, 5)]);
}

#[tokio::test]
async fn a_state_that_is_kept_is_emitted_as_it_is_each_time() {
    let lists = counting(5).lanes(1).window(Window::global().every(2)).reduce(Vec::new, Vec::push);
    assert_eq!(lists.collect::<Vec<u64>>().await, [0, 1, 0, 1, 2, 3, 0, 1, 2, 3, 4]);
}
