use crate::support::shapes::shape;
use crate::support::{Watched, counting, finisher_suite, numbers, sorted};
use futures::{FutureExt, StreamExt};
use gen_stage::Flow;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;

finisher_suite!(
    Result<u64, u64>,
    |flow, _| async { flow.try_collect::<Vec<_>>().await.map(sorted) },
    Ok,
    of_a_flow_that_was_begun_it_takes_the_rest,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_error_stops_an_endless_flow_and_the_source_is_gone_when_it_returns() {
    for lanes in [1, 2, 3, 8] {
        let watched = Watched::new();
        let failing = |n| if n == 3456 { Err(n) } else { Ok(n) };
        let flow = numbers(watched.endless()).lanes(lanes).map(failing).shuffle().lanes(lanes);
        assert_eq!(flow.try_collect::<Vec<_>>().await, Err(3456), "{lanes} lanes");
        assert!(!watched.is_alive(), "{lanes} lanes");
    }
}

#[tokio::test]
async fn with_one_lane_it_is_the_first_of_all_errors() {
    let flow = counting(100).lanes(1).demand(3, 0).map(|n| if n % 10 == 9 { Err(n) } else { Ok(n) });
    assert_eq!(flow.try_collect::<Vec<_>>().await, Err(9));
}

#[tokio::test]
async fn a_flow_that_is_closed_by_a_reduce_can_be_gathered_too() {
    let flow = counting(4).lanes(1).reduce(Vec::new, |all, n| all.push(if n == 2 { Err(n) } else { Ok(n) }));
    assert_eq!(flow.try_collect::<Vec<_>>().await, Err(2));
}

#[tokio::test]
async fn a_panic_of_what_is_dropped_at_an_error_reaches_the_reader() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::panic_any("dropped");
        }
    }
    let bomb = Bomb;
    let source = futures::stream::iter(0..).inspect(move |_: &u64| {
        let _ = &bomb;
    });
    let flow = numbers(source).lanes(1).map(|n| if n == 7 { Err(n) } else { Ok(n) });
    let caught = AssertUnwindSafe(flow.try_collect::<Vec<_>>()).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"dropped"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_fails_exactly_if_there_is_an_error_and_with_one_of_them(shape in shape(), rate in 1_u16..500) {
        let errors: BTreeSet<u16> = shape.items.iter().copied().filter(|n| n % rate == 0).collect();
        let failing = move |n: u16| if n % rate == 0 { Err(n) } else { Ok(n) };
        let one = shape.run(shape.one_lane().map(failing).try_collect::<Vec<_>>());
        let expected: Result<Vec<u16>, u16> = shape.items.iter().map(|n| failing(*n)).collect();
        prop_assert_eq!(one, expected.clone());
        match shape.run(Flow::try_collect::<Vec<_>>(shape.flow().map(failing))) {
            Ok(all) => prop_assert_eq!(Ok(sorted(all)), expected.map(sorted)),
            Err(error) => prop_assert!(errors.contains(&error)),
        }
    }
}
