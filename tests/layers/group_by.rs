use crate::support::{Numbers, counting, operator_suite, seven, sorted};
use gen_stage::Flow;
use gen_stage::window::Window;
use std::collections::HashMap;
use std::time::Duration;

mod groups {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow
            .group_by(|n| n % 10)
            .on_trigger(|groups, _| std::mem::take(groups).into_values().flatten()),
        |items| items,
        |flow: Numbers| flow
            .group_by(|n| {
                seven(*n);
                *n
            })
            .on_trigger(|groups, _| std::mem::take(groups).into_values().flatten()),
    );
}

mod groups_of_pairs {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.map(|n| (n % 3, n + 1)).group_by_key().on_trigger(|groups, _| std::mem::take(
            groups
        )
        .into_values()
        .flatten()),
        |items| items.into_iter().map(|n| n + 1).collect(),
        |flow: Numbers| flow
            .map(|n| {
                seven(n);
                (n, n)
            })
            .group_by_key()
            .on_trigger(|groups, _| std::mem::take(groups).into_keys()),
    );
}

mod counts {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow
            .partition_by(|n| n % 7)
            .count_by(|n| n % 7)
            .on_trigger(|counts, _| std::mem::take(counts).into_iter().map(|(key, n)| key * 1_000_000 + n)),
        |items| (0..7)
            .map(|key| (key, items.iter().filter(|n| **n % 7 == key).count() as u64))
            .filter(|(_, n)| *n > 0)
            .map(|(key, n)| key * 1_000_000 + n)
            .collect(),
        |flow: Numbers| flow
            .count_by(|n| {
                seven(*n);
                *n
            })
            .on_trigger(|counts, _| std::mem::take(counts).into_keys()),
    );
}

mod sums {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow
            .lanes(1)
            .sum_by(|n| (n % 2, n))
            .on_trigger(|sums, _| std::mem::take(sums).into_values()),
        |items| (0..2)
            .map(|parity| items.iter().filter(|n| **n % 2 == parity).collect::<Vec<_>>())
            .filter(|items| !items.is_empty())
            .map(|items| items.into_iter().sum())
            .collect(),
        |flow: Numbers| flow
            .sum_by(|n| {
                seven(n);
                (n, n)
            })
            .on_trigger(|sums, _| std::mem::take(sums).into_values()),
    );
}

#[tokio::test]
async fn items_of_a_group_are_in_the_order_they_came() {
    let groups: HashMap<u64, Vec<u64>> =
        counting(2000).lanes(1).demand(3, 1).group_by(|n| n % 11).collect().await;
    assert_eq!(groups.len(), 11);
    for (key, group) in groups {
        assert!(group.into_iter().eq((0..2000).filter(|n| n % 11 == key)));
    }
}

#[tokio::test]
async fn behind_a_partition_each_key_comes_out_once() {
    let groups: Vec<(u64, Vec<u64>)> =
        counting(300).lanes(3).partition_by(|n| n % 11).lanes(4).group_by(|n| n % 11).collect().await;
    let keys = sorted(groups.iter().map(|(key, _)| *key));
    assert_eq!(keys, (0..11).collect::<Vec<_>>());
    assert_eq!(sorted(groups.into_iter().flat_map(|(_, group)| group)), (0..300).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_window_has_groups_of_its_own() {
    let window = || Window::fixed(Duration::from_millis(4), |n: &u64| *n);
    let groups: Vec<(bool, Vec<u64>)> =
        counting(10).lanes(1).window(window()).group_by(|n| n % 2 == 0).collect().await;
    let expected = [
        (false, vec![1, 3]),
        (false, vec![5, 7]),
        (false, vec![9]),
        (true, vec![0, 2]),
        (true, vec![4, 6]),
        (true, vec![8]),
    ];
    assert_eq!(sorted(groups), expected);
    let sums: Vec<((), u64)> = counting(10).lanes(1).window(window()).sum_by(|n| ((), n)).collect().await;
    assert_eq!(sums, [((), 6), ((), 22), ((), 17)]);
    let counts: Vec<((), u64)> = counting(10).lanes(1).window(window()).count_by(|_| ()).collect().await;
    assert_eq!(counts, [((), 4), ((), 4), ((), 2)]);
}

#[tokio::test]
async fn states_are_maps() {
    let mut states: Vec<HashMap<&str, u32>> = Flow::from_iter([("a", 1), ("b", 2), ("a", 3)])
        .lanes(1)
        .sum_by(|pair| pair)
        .emit_state()
        .collect()
        .await;
    assert_eq!(states.pop(), Some(HashMap::from([("a", 4), ("b", 2)])));
    assert!(states.is_empty());
}
