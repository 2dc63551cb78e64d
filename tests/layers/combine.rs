use crate::support::{Numbers, counting, operator_suite, seven, sorted};
use gen_stage::Flow;
use gen_stage::flow::Readable;
use std::collections::HashMap;

fn tens(flow: Numbers, max_keys: usize) -> Flow<impl Readable<Item = (u64, u64)>> {
    flow.combine(max_keys, |sums, n| *sums.at_owned(n / 10) += n, |sum, more| *sum += more)
}

mod suite_of_keys {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow
            .combine(4, |seen, n| *seen.at_owned(n) = n, |a: &mut u64, b| *a = b)
            .shuffle()
            .map(|(n, _)| n),
        |items| items,
        |flow: Numbers| flow
            .combine(
                4,
                |seen, n| {
                    seven(n);
                    *seen.at_owned(n) = n;
                },
                |a: &mut u64, b| *a = b
            )
            .shuffle()
            .map(|(n, _)| n),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bound_of_keys_does_not_change_the_result() {
    let mut expected: HashMap<u64, u64> = HashMap::new();
    (0..1000).for_each(|n| *expected.entry(n / 10).or_default() += n);
    for max_keys in [1, 2, 3, 50, 100, 1_000_000] {
        for lanes in [1, 2, 5] {
            let sums: Vec<_> = tens(counting(1000).lanes(lanes), max_keys).lanes(3).collect().await;
            assert_eq!(sums.len(), expected.len(), "every key once");
            assert_eq!(
                sums.into_iter().collect::<HashMap<_, _>>(),
                expected,
                "{max_keys} keys, {lanes} lanes"
            );
        }
    }
}

#[tokio::test]
async fn a_table_never_holds_more_keys_than_it_may() {
    let most = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = most.clone();
    let flow = counting(1000).combine(
        16,
        move |table: &mut gen_stage::flow::Combiner<u64, u64>, n| {
            *table.at_owned(n) += 1;
            seen.fetch_max(table.len(), std::sync::atomic::Ordering::SeqCst);
        },
        |a: &mut u64, b| *a += b,
    );
    assert_eq!(flow.collect::<Vec<_>>().await.len(), 1000);
    assert_eq!(most.load(std::sync::atomic::Ordering::SeqCst), 16);
}

#[tokio::test]
async fn merging_is_asked_for_every_second_value_of_a_key() {
    let flow = Flow::from_iters([["a", "b"], ["a", "c"]]).lanes(2).combine(
        10,
        |table, word| *table.at(word) = vec![word],
        |all: &mut Vec<_>, more| all.extend(more),
    );
    let got: Vec<(String, Vec<&str>)> = flow.collect().await;
    assert_eq!(sorted(got), [("a".into(), vec!["a", "a"]), ("b".into(), vec!["b"]), ("c".into(), vec!["c"])]);
}

#[test]
#[should_panic(expected = "max_keys must be at least 1, given 0")]
fn a_bound_of_no_keys_is_refused() {
    let _ = tens(counting(1), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_source_with_small_tables_can_be_dropped_at_any_moment() {
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for round in 0..100 {
        let mut flow = Flow::from_iter(0u64..).lanes(1).combine(
            10,
            |table, n| *table.at_owned(n) += 1,
            |count: &mut u64, more| *count += more,
        );
        for _ in 0..round % 5 {
            let _ = futures::FutureExt::now_or_never(futures::StreamExt::next(&mut flow));
            tokio::task::yield_now().await;
        }
    }
    while tokio::runtime::Handle::current().metrics().num_alive_tasks() > before {
        tokio::task::yield_now().await;
    }
}
