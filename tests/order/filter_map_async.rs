use crate::map_async::doubled;
use crate::support::{Numbers, counting, operator_suite, seven};
use std::future::ready;
use tokio::task::yield_now;

operator_suite!(
    |flow: Numbers| flow.filter_map_async(5, |n| async move { (doubled(n).await % 3 == 0).then_some(n + 1) }),
    |items| items.into_iter().filter(|n| n % 3 == 0).map(|n| n + 1).collect(),
    |flow: Numbers| flow.filter_map_async(5, |n| async move {
        yield_now().await;
        seven(n);
        Some(n)
    }),
);

#[test]
#[should_panic(expected = "filter_map_async needs room for at least 1 future in flight, given 0")]
fn filter_map_async_without_room_is_refused() {
    let _ = counting(1).filter_map_async(0, |n| ready(Some(n)));
}
