use crate::support::{Numbers, counting, operator_suite, seven};

operator_suite!(
    |flow: Numbers| flow.map(Ok).try_map(odd_is_an_error).map(merged),
    |items| items.into_iter().map(|n| if n % 2 == 0 { n * 10 } else { n }).collect(),
    |flow: Numbers| flow
        .map(Ok::<_, u64>)
        .try_map(|n| {
            seven(n);
            Ok(n)
        })
        .map(merged),
);

fn odd_is_an_error(n: u64) -> Result<u64, u64> {
    if n % 2 == 0 { Ok(n * 10) } else { Err(n) }
}

fn merged(result: Result<u64, u64>) -> u64 {
    result.unwrap_or_else(|error| error)
}

#[tokio::test]
async fn it_is_not_called_with_errors_which_keep_their_places() {
    let first = |n| if n < 2 { Err("first") } else { Ok(n) };
    let second = |n| {
        assert!(n >= 2, "an error has no value");
        if n < 4 { Err("second") } else { Ok(n) }
    };
    let got: Vec<_> = counting(5).lanes(1).map(first).try_map(second).collect().await;
    assert_eq!(got, [Err("first"), Err("first"), Err("second"), Err("second"), Ok(4)]);
}
