use crate::support::shapes::shape;
use crate::support::{Numbers, counting, operator_suite, seven};
use proptest::prelude::*;

operator_suite!(
    |flow: Numbers| flow.map(|n| (n, n)).map_values(|n| n * 2).map(|(key, value)| key * 1000 + value),
    |items| items.into_iter().map(|n| n * 1000 + n * 2).collect(),
    |flow: Numbers| flow
        .map(|n| (n, n))
        .map_values(|n| {
            seven(n);
            n
        })
        .map(|(_, value)| value),
);

#[tokio::test]
async fn the_keys_are_moved_and_need_not_be_cloned() {
    struct Key(u64);
    let got: Vec<_> = counting(3)
        .lanes(1)
        .map(|n| (Key(n), n))
        .map_values(|n| n.to_string())
        .map(|(key, value)| (key.0, value))
        .collect()
        .await;
    assert_eq!(got, [(0, "0".to_string()), (1, "1".to_string()), (2, "2".to_string())]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn it_is_a_map_of_the_second_of_each_pair(shape in shape()) {
        let flow = shape.one_lane().map(|n| (n, n)).map_values(|n| u32::from(n) + 1);
        let expected: Vec<_> = shape.items.iter().map(|n| (*n, u32::from(*n) + 1)).collect();
        prop_assert_eq!(&shape.run(flow.collect::<Vec<_>>()), &expected);
        let flow = shape.flow().map(|n| (n, n)).map_values(|n| u32::from(n) + 1);
        let got = shape.run(flow.collect::<Vec<_>>());
        prop_assert_eq!(crate::support::sorted(got), crate::support::sorted(expected));
    }
}
