use crate::support::shapes::shape;
use crate::support::{Numbers, counting, operator_suite, seven};
use proptest::prelude::*;

operator_suite!(
    |flow: Numbers| flow.map(odd_is_an_error).map_ok(|n| n * 10).map(merged),
    |items| items.into_iter().map(|n| if n % 2 == 0 { n * 10 } else { n }).collect(),
    |flow: Numbers| flow
        .map(Ok::<_, u64>)
        .map_ok(|n| {
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
async fn errors_pass_untouched_and_in_place() {
    let got: Vec<_> = counting(6).lanes(1).map(odd_is_an_error).map_ok(|n| n.to_string()).collect().await;
    let ok = |n: &str| Ok(n.to_string());
    assert_eq!(got, [ok("0"), Err(1), ok("2"), Err(3), ok("4"), Err(5)]);
}

#[tokio::test]
async fn as_many_come_out_as_go_in() {
    let flow = gen_stage::Flow::from_iter(0..1200_u64).map(odd_is_an_error).map_ok(|n| n);
    assert_eq!(futures::Stream::size_hint(&flow), (1200, Some(1200)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_operators_on_results_do_what_those_of_result_do(shape in shape()) {
        fn steps(n: u16) -> Option<Result<u32, String>> {
            let first = if n % 3 == 0 { Err(n) } else { Ok(u32::from(n)) };
            let second = first.map(|n| n + 1).and_then(|n| if n % 5 == 0 { Err(5) } else { Ok(n * 2) });
            let third = match second {
                Ok(n) if n % 7 == 0 => return None,
                Ok(n) if n % 11 == 0 => Err(11),
                other => other,
            };
            Some(third.map_err(|n| n.to_string()))
        }
        let build = |flow: gen_stage::Flow<_>| {
            flow.map(|n: u16| if n % 3 == 0 { Err(n) } else { Ok(u32::from(n)) })
                .map_ok(|n| n + 1)
                .try_map(|n| if n % 5 == 0 { Err(5) } else { Ok(n * 2) })
                .try_filter_map(|n| match n {
                    n if n % 7 == 0 => Ok(None),
                    n if n % 11 == 0 => Err(11),
                    n => Ok(Some(n)),
                })
                .map_err(|n| n.to_string())
        };
        let expected: Vec<_> = shape.items.iter().filter_map(|n| steps(*n)).collect();
        prop_assert_eq!(&shape.run(build(shape.one_lane()).collect::<Vec<_>>()), &expected);
        let got = shape.run(build(shape.flow()).collect::<Vec<_>>());
        prop_assert_eq!(crate::support::sorted(got), crate::support::sorted(expected));
    }
}
