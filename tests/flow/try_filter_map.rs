use crate::support::{Numbers, counting, operator_suite, seven};

operator_suite!(
    |flow: Numbers| flow.map(Ok).try_filter_map(sorted_out).map(merged),
    |items| {
        let kept = items.into_iter().filter(|n| n % 3 != 0);
        kept.map(|n| if n % 3 == 1 { n * 10 } else { n }).collect()
    },
    |flow: Numbers| flow
        .map(Ok::<_, u64>)
        .try_filter_map(|n| {
            seven(n);
            Ok(Some(n))
        })
        .map(merged),
);

fn sorted_out(n: u64) -> Result<Option<u64>, u64> {
    match n % 3 {
        0 => Ok(None),
        1 => Ok(Some(n * 10)),
        _ => Err(n),
    }
}

fn merged(result: Result<u64, u64>) -> u64 {
    result.unwrap_or_else(|error| error)
}

#[tokio::test]
async fn only_what_it_says_is_dropped_and_never_an_error() {
    let first = |n| if n == 3 { Err(100) } else { Ok(n) };
    let got: Vec<_> = counting(6).lanes(1).map(first).try_filter_map(sorted_out).collect().await;
    assert_eq!(got, [Ok(10), Err(2), Err(100), Ok(40), Err(5)]);
}
