use crate::support::shapes::shape;
use crate::support::{finisher_suite, seven};
use proptest::prelude::*;

/// Panics at 7.
fn key(n: u64) -> u64 {
    seven(n);
    n
}

finisher_suite!(
    u64,
    |flow, _| flow.min_by_key(|n| *n),
    |items| items.into_iter().min(),
    a_flow_that_was_begun_is_refused("be run"),
    a_panic_in_its_closure_reaches_whoever_awaits(|flow| flow.min_by_key(|n| key(*n))),
);

mod max_by_key {
    use super::*;
    finisher_suite!(
        u64,
        |flow, _| flow.max_by_key(|n| *n),
        |items| items.into_iter().max(),
        a_flow_that_was_begun_is_refused("be run"),
        a_panic_in_its_closure_reaches_whoever_awaits(|flow| flow.max_by_key(|n| key(*n))),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn with_one_lane_it_is_what_an_iterator_finds_and_else_one_with_that_key(shape in shape()) {
        let key = |n: &u16| n / 1000;
        let items = || shape.items.iter().copied();
        let (least, most) = (items().min_by_key(key), items().max_by_key(key));
        prop_assert_eq!(shape.run(shape.one_lane().min_by_key(key)), least);
        prop_assert_eq!(shape.run(shape.one_lane().max_by_key(key)), most);
        let found = shape.run(shape.flow().min_by_key(key));
        prop_assert_eq!(found.as_ref().map(key), least.as_ref().map(key));
        prop_assert!(found.is_none_or(|n| shape.items.contains(&n)));
        let found = shape.run(shape.flow().max_by_key(key));
        prop_assert_eq!(found.as_ref().map(key), most.as_ref().map(key));
        prop_assert!(found.is_none_or(|n| shape.items.contains(&n)));
    }
}
