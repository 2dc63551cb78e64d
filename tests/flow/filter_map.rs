use crate::support::{Numbers, counting, operator_suite, seven};
use futures::Stream;

operator_suite!(
    |flow: Numbers| flow.filter_map(|n| (n % 2 == 0).then_some(n + 1)),
    |items| items.into_iter().filter_map(|n| (n % 2 == 0).then_some(n + 1)).collect(),
    |flow: Numbers| flow.filter_map(|n| {
        seven(n);
        Some(n)
    }),
);

#[test]
fn its_size_hint_has_no_lower_bound() {
    assert_eq!(counting(9).filter_map(Some).size_hint(), (0, Some(9)));
}
