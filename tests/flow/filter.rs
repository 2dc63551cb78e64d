//! `filter`, `reject`, `filter_map` and `inspect`: at most one item of each.

use crate::support::{Numbers, counting, operator_suite, seven};
use futures::Stream;
use futures::future::FutureExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

mod keeping {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.filter(|n| n % 3 == 0),
        |items| items.into_iter().filter(|n| n % 3 == 0).collect(),
        |flow: Numbers| flow.filter(|n| {
            seven(*n);
            true
        }),
    );
}

mod rejecting {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.reject(|n| n % 3 == 0),
        |items| items.into_iter().filter(|n| n % 3 != 0).collect(),
        |flow: Numbers| flow.reject(|n| {
            seven(*n);
            false
        }),
    );
}

mod mapping {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.filter_map(|n| (n % 2 == 0).then_some(n + 1)),
        |items| items.into_iter().filter_map(|n| (n % 2 == 0).then_some(n + 1)).collect(),
        |flow: Numbers| flow.filter_map(|n| {
            seven(n);
            Some(n)
        }),
    );
}

mod inspecting {
    use super::*;
    operator_suite!(|flow: Numbers| flow.inspect(|_| ()), |items| items, |flow: Numbers| flow
        .inspect(|n| seven(*n)),);
}

#[tokio::test]
async fn inspect_sees_every_item_once() {
    let sum = Arc::new(AtomicU64::new(0));
    let adds = sum.clone();
    let seen: Vec<_> =
        counting(100).inspect(move |n| _ = adds.fetch_add(*n, Ordering::Relaxed)).collect().await;
    assert_eq!((seen.len(), sum.load(Ordering::Relaxed)), (100, 4950));
}

#[test]
fn size_hints_lose_their_lower_bound_where_items_may_be_dropped() {
    let hint = |flow: &dyn Stream<Item = u64>| flow.size_hint();
    assert_eq!(hint(&counting(9).filter(|_| true)), (0, Some(9)));
    assert_eq!(hint(&counting(9).reject(|_| true)), (0, Some(9)));
    assert_eq!(hint(&counting(9).filter_map(Some)), (0, Some(9)));
    assert_eq!(hint(&counting(9).inspect(|_| ())), (9, Some(9)));
}

#[tokio::test]
async fn dropping_every_item_of_an_endless_source_lets_other_tasks_run() {
    // One thread for all: a lane that never gave way would never let this test go on.
    let mut flow = crate::support::numbers(futures::stream::iter(0..)).lanes(1).filter(|_| false);
    assert!(futures::StreamExt::next(&mut flow).now_or_never().is_none());
    crate::support::settle().await;
}
