use crate::support::shapes::shape;
use crate::support::{counting, seven};
use futures::FutureExt;
use proptest::prelude::*;
use std::panic::AssertUnwindSafe;

#[tokio::test]
async fn nothing_has_neither() {
    assert_eq!(counting(0).lanes(3).min_by_key(|n| *n).await, None);
    assert_eq!(counting(0).lanes(3).max_by_key(|n| *n).await, None);
}

#[tokio::test]
async fn one_item_is_both() {
    assert_eq!(counting(1).lanes(3).min_by_key(|n| *n).await, Some(0));
    assert_eq!(counting(1).lanes(3).max_by_key(|n| *n).await, Some(0));
}

#[tokio::test]
async fn a_panic_reaches_whoever_awaits() {
    let finding = counting(100).min_by_key(|n| {
        seven(*n);
        *n
    });
    let caught = AssertUnwindSafe(finding).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
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
