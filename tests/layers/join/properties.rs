//! Joins, and what brings lanes together, of any shape, against nested loops.

use crate::support::shapes::run;
use crate::support::{Paired, sorted};
use gen_stage::Flow;
use gen_stage::flow::{FullOuter, Inner, LeftOuter, RightOuter, Side};
use gen_stage::window::Window;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// Key, time in milliseconds, and a number that tells items apart.
type Item = (u8, i64, usize);
type Row = (Option<Item>, Option<Item>);

/// How far times are out of order, at most.
const DISORDER: i64 = 25;

#[derive(Debug, Clone)]
struct Shape {
    left: Vec<Item>,
    right: Vec<Item>,
    lanes: [usize; 3],
    demands: [usize; 3],
    threads: usize,
}

/// Items whose times are out of order by up to `disorder`.
fn side(disorder: i64) -> impl Strategy<Value = Vec<Item>> {
    prop::collection::vec((0u8..8, 0i64..6, 0..=disorder), 0..150).prop_map(|items| {
        let mut now = -100;
        let timed = items.into_iter().enumerate().map(|(at, (key, step, early))| {
            now += step;
            (key, now + early, at)
        });
        timed.collect()
    })
}

fn shape(disorder: i64) -> impl Strategy<Value = Shape> {
    let demand = || prop::sample::select(vec![1usize, 2, 3, 10, 1000]);
    let demands = [demand(), demand(), demand()];
    (side(disorder), side(disorder), prop::array::uniform3(1usize..9), demands, 1usize..3)
        .prop_map(|(left, right, lanes, demands, threads)| Shape { left, right, lanes, demands, threads })
}

/// Of mode 0 to 3: inner, left, right, full.
fn nested_loop(mode: u8, left: &[Item], right: &[Item]) -> Vec<Row> {
    let mut rows = Vec::new();
    for l in left {
        let mut alone = true;
        for r in right {
            if l.0 == r.0 {
                rows.push((Some(*l), Some(*r)));
                alone = false;
            }
        }
        if alone && mode & 1 != 0 {
            rows.push((Some(*l), None));
        }
    }
    for r in right {
        if mode & 2 != 0 && left.iter().all(|l| l.0 != r.0) {
            rows.push((None, Some(*r)));
        }
    }
    rows
}

/// The same within each window of `size` at every `step`.
fn nested_loop_by_windows(mode: u8, shape: &Shape, size: i64, step: i64) -> Vec<Row> {
    let times = || shape.left.iter().chain(&shape.right).map(|item| item.1);
    let (Some(first), Some(last)) = (times().min(), times().max()) else {
        return Vec::new();
    };
    // From far enough before the first item; multiples of the step, also below 0.
    let mut start = (first - size).div_euclid(step) * step;
    let mut rows = Vec::new();
    while start <= last {
        let within = |items: &[Item]| -> Vec<Item> {
            items.iter().filter(|item| (start..start + size).contains(&item.1)).copied().collect()
        };
        rows.extend(nested_loop(mode, &within(&shape.left), &within(&shape.right)));
        start += step;
    }
    rows
}

/// Builds the same join in the mode of a number, and runs it.
macro_rules! rows_of {
    ($shape:expr, $mode:expr, |$as:ident| $flow:expr) => {{
        macro_rules! rows {
            ($in:expr) => {{
                let $as = $in;
                let flow = $flow.map(|row| -> Row { Paired::paired(row) });
                sorted(run($shape.threads, flow.collect::<Vec<_>>()))
            }};
        }
        match $mode {
            0 => rows!(Inner),
            1 => rows!(LeftOuter),
            2 => rows!(RightOuter),
            _ => rows!(FullOuter),
        }
    }};
}

/// Builds the same chain after a join in windows with keys of either form, in a box.
macro_rules! window_join {
    ($by_ref:expr, $left:expr, $mode:expr, $right:expr, $window:expr, |$flow:ident| $after:expr) => {
        if $by_ref {
            let $flow = $left.window_join_ref($mode, $right, $window, |left| &left.0, |right| &right.0);
            $after.boxed()
        } else {
            let $flow = $left.window_join($mode, $right, $window, |left| left.0, |right| right.0);
            $after.boxed()
        }
    };
}

fn time() -> impl FnMut(&Side<Item, Item>) -> i64 + Clone {
    Side::by(|left: &Item| left.1, |right: &Item| right.1)
}

fn millis(n: i64) -> Duration {
    Duration::from_millis(n.unsigned_abs())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_join_is_a_nested_loop_by_values_and_by_references(shape in shape(0), mode in 0u8..4, by_ref: bool) {
        let [a, b, c] = shape.lanes;
        let [x, y, z] = shape.demands;
        let sides = shape.clone();
        let got = rows_of!(shape, mode, |as_mode| {
            let left = Flow::from_iter(sides.left).lanes(a).demand(x, x / 2);
            let right = Flow::from_iter(sides.right).lanes(b).demand(y, y - 1);
            if by_ref {
                let flow = left.bounded_join_ref(as_mode, right, |left| &left.0, |right| &right.0);
                flow.lanes(c).demand(z, 0).boxed()
            } else {
                let flow = left.bounded_join(as_mode, right, |left| left.0, |right| right.0);
                flow.lanes(c).demand(z, 0).boxed()
            }
        });
        prop_assert_eq!(got, sorted(nested_loop(mode, &shape.left, &shape.right)));
    }

    #[test]
    fn a_window_join_is_one_in_each_window_by_values_and_by_references(
        shape in shape(0),
        mode in 0u8..4,
        size in 1i64..60,
        by_ref: bool,
    ) {
        let [a, b, c] = shape.lanes;
        let [x, y, z] = shape.demands;
        let sides = shape.clone();
        let window = Window::fixed(millis(size), time());
        let got = rows_of!(shape, mode, |as_mode| {
            let left = Flow::from_iter(sides.left).lanes(a).demand(x, x / 2);
            let right = Flow::from_iter(sides.right).lanes(b).demand(y, y - 1);
            window_join!(by_ref, left, as_mode, right, window, |flow| flow.lanes(c).demand(z, 0))
        });
        prop_assert_eq!(got, sorted(nested_loop_by_windows(mode, &shape, size, size)));
    }

    #[test]
    fn a_window_join_is_one_in_each_window_where_windows_overlap_and_items_are_late_too(
        shape in shape(DISORDER),
        mode in 0u8..4,
        size in 1i64..60,
        parts in 1i64..5,
        by_ref: bool,
    ) {
        let step = (size / parts).max(1);
        let [a, b, c] = shape.lanes;
        let [x, y, z] = shape.demands;
        let sides = shape.clone();
        let window = Window::sliding(millis(size), millis(step), time()).allowed_lateness(millis(DISORDER));
        let got = rows_of!(shape, mode, |as_mode| {
            let left = Flow::from_iter(sides.left).lanes(a).demand(x, x / 2);
            let right = Flow::from_iter(sides.right).lanes(b).demand(y, y - 1);
            window_join!(by_ref, left, as_mode, right, window, |flow| flow.lanes(c).demand(z, 0))
        });
        prop_assert_eq!(got, sorted(nested_loop_by_windows(mode, &shape, size, step)));
    }

    #[test]
    fn a_reduce_behind_a_window_join_has_the_rows_of_its_windows(
        shape in shape(0),
        size in 1i64..60,
        by_ref: bool,
    ) {
        let [a, b, c] = shape.lanes;
        let [x, y, z] = shape.demands;
        let left = Flow::from_iter(shape.left.clone()).lanes(a).demand(x, x / 2);
        let right = Flow::from_iter(shape.right.clone()).lanes(b).demand(y, y - 1);
        let window = Window::fixed(millis(size), time());
        let flow = window_join!(by_ref, left, FullOuter, right, window, |flow| flow
            .lanes(c)
            .demand(z, 0)
            .reduce(Vec::new, Vec::push)
            .departition(Vec::new, Vec::push, |rows: Vec<Row>, window| (window.start, sorted(rows))));
        let got = run(shape.threads, flow.collect::<Vec<_>>());
        let mut expected = BTreeMap::<i64, Vec<Row>>::new();
        for row in nested_loop_by_windows(3, &shape, size, size) {
            let (_, time, _) = row.0.or(row.1).unwrap();
            expected.entry(time.div_euclid(size) * size).or_default().push(row);
        }
        let expected: Vec<_> = expected.into_iter().map(|(start, rows)| (start, sorted(rows))).collect();
        prop_assert_eq!(got, expected, "windows in their order");
    }

    #[test]
    fn groups_counts_and_sums_are_those_of_one_loop(shape in shape(0)) {
        let [a, b, _] = shape.lanes;
        let [x, y, _] = shape.demands;
        let mut groups = BTreeMap::<u8, Vec<usize>>::new();
        shape.left.iter().for_each(|(key, _, at)| groups.entry(*key).or_default().push(*at));
        macro_rules! partitioned {
            () => {
                Flow::from_iter(shape.left.clone())
                    .lanes(a)
                    .demand(x, x / 2)
                    .partition_by(|item| item.0)
                    .lanes(b)
                    .demand(y, y - 1)
            };
        }
        let got = run(shape.threads, partitioned!().group_by(|item| item.0).collect::<Vec<_>>());
        let got: Vec<_> =
            got.into_iter().map(|(key, group)| (key, sorted(group.iter().map(|item| item.2)))).collect();
        prop_assert_eq!(sorted(got), groups.clone().into_iter().collect::<Vec<_>>());

        let got = run(shape.threads, partitioned!().map(|item| (item.0, item.2)).group_by_key().collect::<Vec<_>>());
        let got: Vec<_> = got.into_iter().map(|(key, group)| (key, sorted(group))).collect();
        prop_assert_eq!(sorted(got), groups.clone().into_iter().collect::<Vec<_>>());

        let got = run(shape.threads, partitioned!().count_by(|item| item.0).collect::<Vec<_>>());
        let counts: Vec<_> = groups.iter().map(|(key, group)| (*key, group.len() as u64)).collect();
        prop_assert_eq!(sorted(got), counts);

        let got = run(shape.threads, partitioned!().sum_by(|item| (item.0, item.2)).collect::<Vec<_>>());
        let sums: Vec<_> = groups.iter().map(|(key, group)| (*key, group.iter().sum::<usize>())).collect();
        prop_assert_eq!(sorted(got), sums);
    }

    #[test]
    fn the_first_n_are_those_of_a_sort(shape in shape(0), n in 1usize..200, size in 1i64..60) {
        let [a, b, _] = shape.lanes;
        let [x, y, _] = shape.demands;
        let key = |item: &Item| (item.0, item.1);
        macro_rules! partitioned {
            () => {
                Flow::from_iter(shape.left.clone())
                    .lanes(a)
                    .demand(x, x / 2)
                    .partition_by(|item| item.2)
                    .lanes(b)
                    .demand(y, y - 1)
            };
        }
        let first_n = |items: Vec<Item>| sorted(items).into_iter().take(n).collect::<Vec<_>>();
        let all = run(shape.threads, partitioned!().reduce(Vec::new, Vec::push).take_sort(n).collect::<Vec<_>>());
        prop_assert_eq!(all, [first_n(shape.left.clone())]);

        // By windows, and by an order in which many are equal.
        let windows = partitioned!()
            .window(Window::fixed(millis(size), |item: &Item| item.1))
            .reduce(Vec::new, Vec::push)
            .take_sort_by(n, move |a, b| key(a).cmp(&key(b)));
        let windows = run(shape.threads, windows.collect::<Vec<_>>());
        let mut expected = BTreeMap::<i64, Vec<(u8, i64)>>::new();
        for item in &shape.left {
            expected.entry(item.1.div_euclid(size) * size).or_default().push(key(item));
        }
        let expected: Vec<Vec<_>> =
            expected.into_values().map(|items| sorted(items).into_iter().take(n).collect()).collect();
        let got: Vec<Vec<_>> = windows.into_iter().map(|items| items.iter().map(key).collect()).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn departition_has_every_window_once_and_in_order(shape in shape(DISORDER), size in 1i64..60, skew in 1usize..30) {
        let [a, b, _] = shape.lanes;
        let [x, y, _] = shape.demands;
        let window = Window::fixed(millis(size), |item: &Item| item.1).allowed_lateness(millis(DISORDER));
        let flow = Flow::from_iter(shape.left.clone())
            .lanes(a)
            .demand(x, x / 2)
            .partition_by(move |item| item.2 / skew)
            .lanes(b)
            .demand(y, y - 1)
            .window(window)
            .reduce(Vec::new, Vec::push)
            .on_trigger(|items, _| std::mem::take(items))
            .departition(Vec::new, Vec::push, |items: Vec<Item>, window| (window.start, sorted(items)));
        let got = run(shape.threads, flow.collect::<Vec<_>>());
        let mut expected = BTreeMap::<i64, Vec<Item>>::new();
        for item in &shape.left {
            expected.entry(item.1.div_euclid(size) * size).or_default().push(*item);
        }
        let expected: Vec<_> = expected.into_iter().map(|(start, items)| (start, sorted(items))).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn a_merge_has_the_items_of_both(shape in shape(0), lanes in prop::option::of(1usize..9)) {
        let [a, b, c] = shape.lanes;
        let [x, y, z] = shape.demands;
        let flow = Flow::from_iter(shape.left.clone())
            .lanes(a)
            .demand(x, x / 2)
            .filter(|item| item.0 != 3)
            .merge(Flow::from_iter(shape.right.clone()).lanes(b).demand(y, y - 1))
            .demand(z, 0);
        let flow = match lanes {
            None => flow,
            Some(lanes) => flow.lanes(lanes),
        };
        let flow = flow.map(|item| item.0).partition().lanes(c).count_by(|key| *key);
        let got = run(shape.threads, flow.collect::<Vec<_>>());
        let mut expected = BTreeMap::new();
        let items = shape.left.iter().filter(|item| item.0 != 3).chain(&shape.right);
        items.for_each(|item| *expected.entry(item.0).or_insert(0u64) += 1);
        prop_assert_eq!(sorted(got), expected.into_iter().collect::<Vec<_>>());
    }
}
