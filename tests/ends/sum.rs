use crate::support::shapes::shape;
use crate::support::{counting, finisher_suite};
use futures::FutureExt;
use gen_stage::Flow;
use proptest::prelude::*;
use std::panic::AssertUnwindSafe;

finisher_suite!(
    u64,
    |flow, _| flow.sum::<u64>(),
    |items| items.iter().sum(),
    a_flow_that_was_begun_is_refused("be run"),
);

#[tokio::test]
async fn what_is_added_need_not_be_what_comes_out() {
    assert_eq!(Flow::from_iter([0.5, 0.25]).sum::<f64>().await, 0.75);
    let optional = |n: u64| if n < 7 { Some(n) } else { None };
    assert_eq!(counting(4).map(optional).sum::<Option<u64>>().await, Some(6));
    assert_eq!(counting(9).map(optional).sum::<Option<u64>>().await, None);
}

#[tokio::test]
async fn an_overflow_is_a_panic_as_in_one_loop() {
    let adding = Flow::from_iter([u8::MAX, 1]).lanes(1).sum::<u8>();
    let caught = AssertUnwindSafe(adding).catch_unwind().await;
    assert_eq!(caught.is_err(), cfg!(debug_assertions));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn it_is_the_sum_of_one_loop(shape in shape()) {
        let expected: u64 = shape.items.iter().copied().map(u64::from).sum();
        prop_assert_eq!(shape.run(shape.flow().map(u64::from).sum::<u64>()), expected);
    }
}
