use crate::support::{Numbers, counting, operator_suite, seven};
use futures::Stream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

operator_suite!(|flow: Numbers| flow.inspect(|_| ()), |items| items, |flow: Numbers| flow
    .inspect(|n| seven(*n)),);

#[tokio::test]
async fn it_sees_every_item_once() {
    let sum = Arc::new(AtomicU64::new(0));
    let adds = sum.clone();
    let seen: Vec<_> =
        counting(100).inspect(move |n| _ = adds.fetch_add(*n, Ordering::Relaxed)).collect().await;
    assert_eq!((seen.len(), sum.load(Ordering::Relaxed)), (100, 4950));
}

#[test]
fn its_size_hint_is_exact() {
    assert_eq!(counting(9).inspect(|_| ()).size_hint(), (9, Some(9)));
}
