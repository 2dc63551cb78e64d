use crate::support::{Numbers, counting, operator_suite, seven};

operator_suite!(
    |flow: Numbers| flow.map(odd_is_an_error).map_err(|n| n * 10).map(merged),
    |items| items.into_iter().map(|n| if n % 2 == 1 { n * 10 } else { n }).collect(),
    |flow: Numbers| flow
        .map(Err::<u64, _>)
        .map_err(|n| {
            seven(n);
            n
        })
        .map(merged),
);

fn odd_is_an_error(n: u64) -> Result<u64, u64> {
    if n % 2 == 0 { Ok(n) } else { Err(n) }
}

fn merged(result: Result<u64, u64>) -> u64 {
    result.unwrap_or_else(|error| error)
}

#[tokio::test]
async fn values_pass_untouched_and_in_place() {
    let got: Vec<_> = counting(4).lanes(1).map(odd_is_an_error).map_err(|n| n.to_string()).collect().await;
    assert_eq!(got, [Ok(0), Err("1".to_string()), Ok(2), Err("3".to_string())]);
}
