//! `filter` and `reject`.

use crate::support::{Numbers, counting, operator_suite, seven};
use futures::Stream;
use futures::future::FutureExt;

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

#[test]
fn size_hints_lose_their_lower_bound_where_items_may_be_dropped() {
    let hint = |flow: &dyn Stream<Item = u64>| flow.size_hint();
    assert_eq!(hint(&counting(9).filter(|_| true)), (0, Some(9)));
    assert_eq!(hint(&counting(9).reject(|_| true)), (0, Some(9)));
}

#[tokio::test]
async fn dropping_every_item_of_an_endless_source_lets_other_tasks_run() {
    // One thread for all: a lane that never gave way would never let this test go on.
    let mut flow = crate::support::numbers(futures::stream::iter(0..)).lanes(1).filter(|_| false);
    assert!(futures::StreamExt::next(&mut flow).now_or_never().is_none());
    crate::support::settle().await;
}
