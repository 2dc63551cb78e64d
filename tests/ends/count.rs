use crate::support::shapes::shape;
use crate::support::{counting, finisher_suite};
use futures::StreamExt;
use proptest::prelude::*;

finisher_suite!(
    u64,
    |flow, _| flow.count(),
    |items| items.len() as u64,
    of_a_flow_that_was_begun_it_takes_the_rest,
);

#[tokio::test]
async fn what_a_closed_layer_emits_is_counted() {
    let states = counting(10).lanes(3).reduce(|| 0, |sum, n| *sum += n).emit_state();
    assert_eq!(states.count().await, 3);
}

#[tokio::test]
async fn a_flow_that_is_lent_out_is_counted_and_has_ended_then() {
    let mut flow = counting(10).lanes(1);
    assert_eq!(flow.next().await, Some(0));
    assert_eq!(flow.by_ref().count().await, 9);
    assert_eq!(flow.count().await, 0, "it has ended");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn it_is_the_number_of_items(shape in shape()) {
        let expected = shape.items.iter().filter(|n| **n % 3 == 0).count() as u64;
        prop_assert_eq!(shape.run(shape.flow().filter(|n| n % 3 == 0).count()), expected);
    }
}
