use crate::support::{Numbers, counting, operator_suite, seven};
use futures::FutureExt;
use gen_stage::Flow;
use std::panic::AssertUnwindSafe;

operator_suite!(
    |flow: Numbers| flow
        .map(odd_is_an_error)
        .flat_map_ok(|n| vec![n; (n % 5) as usize])
        .map(|result| result.unwrap_or_else(|error| error)),
    |items| items.into_iter().flat_map(|n| vec![n; if n % 2 == 0 { n % 5 } else { 1 } as usize]).collect(),
    |flow: Numbers| flow
        .map(Ok::<_, u64>)
        .flat_map_ok(|n| {
            seven(n);
            [n]
        })
        .map(|result| result.unwrap_or_else(|error| error)),
);

fn odd_is_an_error(n: u64) -> Result<u64, u64> {
    if n % 2 == 0 { Ok(n) } else { Err(n) }
}

#[tokio::test]
async fn errors_pass_untouched_and_in_place() {
    let flow = counting(5).lanes(1).demand(3, 1).map(odd_is_an_error).flat_map_ok(|n| 0..n);
    let got: Vec<Result<u64, u64>> = flow.collect().await;
    assert_eq!(got, [Err(1), Ok(0), Ok(1), Err(3), Ok(0), Ok(1), Ok(2), Ok(3)]);
}

#[tokio::test]
async fn what_became_of_the_items_of_many_lanes_comes_in_their_order() {
    let flow = counting(500).lanes(3).demand(7, 3).map(odd_is_an_error).flat_map_ok(|n| n * 10..n * 10 + 3);
    let got: Vec<Result<u64, u64>> = flow.ordered().collect().await;
    let made = |n| match odd_is_an_error(n) {
        Ok(n) => (n * 10..n * 10 + 3).map(Ok).collect(),
        Err(n) => vec![Err(n)],
    };
    assert_eq!(got, (0..500).flat_map(made).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_panic_in_the_expansion_reaches_the_reader() {
    let flow = Flow::from_iter(0..10u64).map(Ok::<_, ()>).flat_map_ok(|n| (n..n + 2).inspect(|n| seven(*n)));
    let caught = AssertUnwindSafe(flow.collect::<Vec<_>>()).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
}
