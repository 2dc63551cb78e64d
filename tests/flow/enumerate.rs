use crate::support::shapes::shape;
use crate::support::{Numbers, operator_suite, seven, sorted};
use futures::Stream;
use gen_stage::Flow;
use proptest::prelude::*;

mod at_a_source {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.enumerate().map(|(at, n)| at as u64 * n),
        |items| items.into_iter().map(|n| n * n).collect(),
        |flow: Numbers| flow.enumerate().map(|(_, n)| {
            seven(n);
            n
        }),
    );
}

mod after_an_operator {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.map(|n| n).enumerate().map(|(at, _)| at as u64),
        |items| items.into_iter().collect(),
        |flow: Numbers| flow.inspect(|n| seven(*n)).enumerate().map(|(_, n)| n),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn right_after_a_source_numbers_are_places_in_it(shape in shape(), skipped in 0_usize..30, n in 0_usize..300) {
        let model = || shape.items.iter().copied().skip(skipped).enumerate().take(n).collect::<Vec<_>>();
        let flow = || shape.flow().skip(skipped).enumerate().take(n);
        prop_assert_eq!(flow().size_hint(), (model().len(), Some(model().len())));
        prop_assert_eq!(sorted(shape.run(flow().map(|pair| pair).collect::<Vec<_>>())), model());
        prop_assert_eq!(shape.run(flow().map(|pair| pair).ordered().collect::<Vec<_>>()), model());
        let one_lane = shape.one_lane().filter(|n| n % 2 == 0).enumerate();
        let model: Vec<_> = shape.items.iter().copied().filter(|n| n % 2 == 0).enumerate().collect();
        prop_assert_eq!(shape.run(one_lane.collect::<Vec<_>>()), model);
    }

    #[test]
    fn elsewhere_every_number_is_there_once_and_grows_in_each_lane(shape in shape()) {
        let mut last = None;
        let flow = shape.flow().filter(|n| n % 3 != 0).enumerate().map(move |(at, n)| {
            assert!(last.replace(at) < Some(at), "a lane got {at} late");
            (at, n)
        });
        let pairs = sorted(shape.run(flow.collect::<Vec<_>>()));
        prop_assert!(pairs.iter().map(|(at, _)| *at).eq(0..pairs.len()));
        let items = sorted(pairs.into_iter().map(|(_, n)| n));
        prop_assert_eq!(items, sorted(shape.items.iter().copied().filter(|n| n % 3 != 0)));
    }
}

#[tokio::test]
async fn many_sources_are_numbered_together() {
    let pairs: Vec<(usize, u64)> =
        Flow::from_iters([0..100_u64, 100..200]).lanes(2).enumerate().collect().await;
    assert!(sorted(pairs).into_iter().map(|(at, _)| at).eq(0..200));
}
