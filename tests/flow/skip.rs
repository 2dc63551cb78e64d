//! `skip` and `skip_while`.

use crate::support::shapes::shape;
use crate::support::{Numbers, operator_suite, seven, sorted};
use futures::Stream;
use proptest::prelude::*;

mod at_a_source {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.skip(3),
        |items| items.into_iter().skip(3).collect(),
        |flow: Numbers| flow.skip(3).inspect(|n| seven(*n)),
    );
}

mod after_an_operator {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.map(|_| 5).skip(3),
        |items| items.into_iter().map(|_| 5).skip(3).collect(),
        |flow: Numbers| flow.inspect(|n| seven(*n)).skip(3),
    );
}

mod while_some_hold {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.skip_while(|n| *n < 3),
        |items| items.into_iter().skip_while(|n| *n < 3).collect(),
        |flow: Numbers| flow.skip_while(|n| {
            seven(*n);
            true
        }),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_first_of_a_source_are_dropped(shape in shape(), n in 0_usize..500) {
        let expected: Vec<_> = shape.items.iter().copied().skip(n).collect();
        prop_assert_eq!(shape.flow().skip(n).size_hint(), (expected.len(), Some(expected.len())));
        prop_assert_eq!(shape.run(shape.flow().skip(n).ordered().collect::<Vec<_>>()), expected.clone());
        prop_assert_eq!(sorted(shape.run(shape.flow().skip(n).map(|n| n).collect::<Vec<_>>())), sorted(expected));
        let expected: Vec<_> = shape.items.iter().copied().skip_while(|n| n % 8 != 0).collect();
        prop_assert_eq!(shape.run(shape.flow().skip_while(|n| n % 8 != 0).ordered().collect::<Vec<_>>()), expected);
    }

    #[test]
    fn the_first_of_one_lane_are_dropped(shape in shape(), n in 0_usize..300) {
        let odd = || shape.items.iter().copied().filter(|n| n % 2 == 1);
        let one_lane = || shape.one_lane().filter(|n| n % 2 == 1);
        prop_assert_eq!(shape.run(one_lane().skip(n).collect::<Vec<_>>()), odd().skip(n).collect::<Vec<_>>());
        let until = |n: &u16| n % 8 != 7;
        prop_assert_eq!(shape.run(one_lane().skip_while(until).collect::<Vec<_>>()), odd().skip_while(until).collect::<Vec<_>>());
    }

    #[test]
    fn lanes_drop_so_many_together(shape in shape(), n in 0_usize..300) {
        let left = shape.run(shape.flow().filter(|n| n % 3 != 0).skip(n).collect::<Vec<_>>());
        let mut all = sorted(shape.items.iter().copied().filter(|n| n % 3 != 0));
        prop_assert_eq!(left.len(), all.len().saturating_sub(n));
        prop_assert!(left.iter().all(|n| all.iter().position(|one| one == n).map(|at| all.remove(at)).is_some()));
    }

    #[test]
    fn lanes_drop_only_items_that_hold(shape in shape()) {
        let left = sorted(shape.run(shape.flow().map(|n| n).skip_while(|n| n % 3 != 0).collect::<Vec<_>>()));
        let kept = |items: &[u16]| items.iter().filter(|n| *n % 3 == 0).count();
        prop_assert_eq!(kept(&left), kept(&shape.items), "an item that ends it, or comes after one in its lane, is passed on");
    }
}
