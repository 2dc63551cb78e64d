use crate::support::stages::Log;
use crate::support::{Numbers, counting, operator_suite, seven};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;

operator_suite!(|flow: Numbers| flow.on_init(|_, _| ()).map(|n| n), |items| items, |flow: Numbers| flow
    .on_init(|_, _| ())
    .map(|n| {
        seven(n);
        n
    }),);

#[tokio::test]
async fn every_layer_may_have_one_and_it_is_called_when_the_flow_starts() {
    let calls: Log<(char, usize, usize)> = Log::default();
    let call = |layer| {
        let calls = calls.clone();
        move |lane, lanes| calls.push((layer, lane, lanes))
    };
    let flow = counting(10).lanes(2).on_init(call('a')).partition().lanes(3).map(|n| n).on_init(call('b'));
    let flow = flow.reduce(Vec::new, Vec::push);
    assert!(calls.is_empty(), "a flow that is not read does nothing");
    assert_eq!(flow.collect::<Vec<_>>().await.len(), 10);
    let expected = [('a', 0, 2), ('a', 1, 2), ('b', 0, 3), ('b', 1, 3), ('b', 2, 3)];
    assert_eq!(calls.all(), expected);
}

#[tokio::test]
async fn its_panic_reaches_who_starts_the_flow() {
    let flow = counting(10).on_init(|_, _| std::panic::panic_any("seven"));
    let caught = AssertUnwindSafe(flow.collect::<Vec<_>>()).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
}
