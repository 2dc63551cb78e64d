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

/// Numbers as texts, whose keys are borrowed from them.
fn texts(flow: Numbers) -> Flow<impl gen_stage::flow::Flowing<Item = (String, u64)>> {
    flow.map(|n| ((n % 7).to_string(), n))
}

mod groups_by_ref {
    use super::*;
    operator_suite!(
        |flow: Numbers| texts(flow)
            .group_by_ref(|(text, _)| text.as_str())
            .on_trigger(|groups, _| std::mem::take(groups).into_values().flatten().map(|(_, n)| n)),
        |items| items,
        |flow: Numbers| texts(flow)
            .group_by_ref(|(text, n)| {
                seven(*n);
                text
            })
            .on_trigger(|groups, _| std::mem::take(groups).into_values().flatten().map(|(_, n)| n)),
    );
}

mod counts_by_ref {
    use super::*;
    operator_suite!(
        |flow: Numbers| texts(flow)
            .partition_by_ref(|(text, _)| text)
            .count_by_ref(|(text, _)| text.as_str())
            .on_trigger(|counts, _| std::mem::take(counts).into_iter().map(|(key, n)| key
                .parse::<u64>()
                .unwrap()
                * 1_000_000
                + n)),
        |items| (0..7)
            .map(|key| (key, items.iter().filter(|n| **n % 7 == key).count() as u64))
            .filter(|(_, n)| *n > 0)
            .map(|(key, n)| key * 1_000_000 + n)
            .collect(),
        |flow: Numbers| texts(flow)
            .count_by_ref(|(text, n)| {
                seven(*n);
                text
            })
            .on_trigger(|counts, _| std::mem::take(counts).into_values()),
    );
}

mod sums_by_ref {
    use super::*;
    operator_suite!(
        |flow: Numbers| texts(flow)
            .partition_by_ref(|(text, _)| text)
            .sum_by_ref(|(text, n)| (text.as_str(), *n + 1))
            .on_trigger(|sums, _| std::mem::take(sums).into_values()),
        |items| (0..7)
            .map(|key| items.iter().filter(|n| **n % 7 == key).map(|n| n + 1).sum())
            .filter(|sum: &u64| *sum > 0)
            .collect(),
        |flow: Numbers| texts(flow)
            .sum_by_ref(|(text, n)| {
                seven(*n);
                (text, *n)
            })
            .on_trigger(|sums, _| std::mem::take(sums).into_values()),
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

/// A key that says how often it was cloned.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key(u64);

static CLONES: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

impl Clone for Key {
    fn clone(&self) -> Self {
        CLONES.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Self(self.0)
    }
}

#[tokio::test]
async fn a_borrowed_key_is_cloned_once_for_each_entry() {
    let items = || Flow::from_iter((0..100).map(|n| (Key(n % 3), n))).lanes(1);
    let counts: HashMap<Key, u64> = items().count_by_ref(|item| &item.0).collect().await;
    assert_eq!([0, 1, 2].map(|key| counts[&Key(key)]), [34, 33, 33]);
    let sums: HashMap<Key, u64> = items().sum_by_ref(|(key, n)| (key, *n)).collect().await;
    assert_eq!(sums.values().sum::<u64>(), 99 * 50);
    let groups: HashMap<Key, Vec<(Key, u64)>> = items().group_by_ref(|item| &item.0).collect().await;
    assert!(groups[&Key(1)].iter().map(|item| item.1).eq((1..100).step_by(3)));
    assert_eq!(CLONES.load(std::sync::atomic::Ordering::SeqCst), 3 * 3);
}
