use crate::support::shapes::shape;
use crate::support::{Numbers, Watched, counting, numbers, operator_suite, seven, sorted};
use gen_stage::flow::Retry;
use proptest::prelude::*;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

operator_suite!(
    |flow: Numbers| flow
        .map(|n| if n % 3 == 0 { Err(n) } else { Ok(n) })
        .try_map_async(3, |n| async move {
            tokio::task::yield_now().await;
            if n % 3 == 1 { Ok(n * 10) } else { Err(n) }
        })
        .map(merged),
    |items| items.into_iter().map(|n| if n % 3 == 1 { n * 10 } else { n }).collect(),
    |flow: Numbers| flow
        .map(Ok::<_, u64>)
        .try_map_async(3, |n| async move {
            tokio::task::yield_now().await;
            seven(n);
            Ok(n)
        })
        .map(merged),
);

fn merged(result: Result<u64, u64>) -> u64 {
    result.unwrap_or_else(|error| error)
}

#[tokio::test(start_paused = true)]
async fn an_error_that_comes_in_waits_for_nothing_and_makes_no_future() {
    let slow = |n: u64| {
        assert!(n > 0, "an error has no value");
        async move {
            sleep(Duration::from_secs(1)).await;
            Ok(n)
        }
    };
    let start = Instant::now();
    let flow = counting(3).lanes(1).map(|n| if n == 0 { Err("zero") } else { Ok(n) });
    let got: Vec<_> = flow.try_map_async(2, slow).collect().await;
    assert_eq!(got[0], Err("zero"));
    assert_eq!(sorted(got), [Ok(1), Ok(2), Err("zero")]);
    assert!(start.elapsed() < Duration::from_secs(2), "both at the same time");
}

#[tokio::test(start_paused = true)]
async fn no_more_than_n_futures_are_in_flight_over_all_lanes() {
    for (lanes, n) in [(1, 1), (2, 1), (3, 2), (8, 7), (8, 1000)] {
        let running = Arc::new(AtomicUsize::new(0));
        let peak = Arc::new(AtomicUsize::new(0));
        let (counts, peaks) = (running.clone(), peak.clone());
        let slow = move |item: u64| {
            let (counts, peaks) = (counts.clone(), peaks.clone());
            async move {
                peaks.fetch_max(counts.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(Duration::from_millis(item % 7 + 1)).await;
                counts.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, u64>(item)
            }
        };
        let flow = counting(300).lanes(lanes).map(|n| if n % 2 == 0 { Err(n) } else { Ok(n) });
        assert_eq!(flow.try_map_async(n, slow).count().await, 300);
        assert_eq!(peak.load(Ordering::SeqCst), n.min(150), "{lanes} lanes");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_error_of_a_future_stops_the_flow_and_all_that_is_in_flight() {
    let watched = Watched::new();
    let flow = numbers(watched.endless()).lanes(3).map(Ok).try_map_async(50, |n| async move {
        sleep(Duration::from_millis(n)).await;
        if n == 30 { Err(n) } else { Ok(n) }
    });
    assert_eq!(flow.try_collect::<Vec<_>>().await, Err(30));
    assert!(!watched.is_alive());
}

#[tokio::test(start_paused = true)]
async fn with_a_retry_what_fails_twice_comes_out_all_the_same() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let counts = attempts.clone();
    let flaky = move |n: u64| {
        // Of three attempts in a row, the third succeeds.
        let attempt = counts.fetch_add(1, Ordering::SeqCst);
        async move { if attempt % 3 == 2 { Ok(n) } else { Err("busy") } }
    };
    let flow = counting(20).lanes(1).map(Ok).try_map_async(1, Retry::times(2).jitter(1.0).wrap(flaky));
    assert_eq!(flow.try_collect::<Vec<_>>().await, Ok((0..20).collect()));
    assert_eq!(attempts.load(Ordering::SeqCst), 60);
}

#[tokio::test]
#[should_panic(expected = "try_map_async needs room for at least 1 future in flight, given 0")]
async fn try_map_async_without_room_is_refused() {
    drop(counting(1).map(Ok::<_, ()>).try_map_async(0, |n| ready(Ok(n))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_is_try_map_and_ordered_brings_errors_back_to_their_places(shape in shape(), n in 1_usize..10) {
        let build = |flow: gen_stage::Flow<_>| {
            flow.map(|n: u16| if n % 3 == 0 { Err(n) } else { Ok(u32::from(n)) }).try_map_async(n, |n| async move {
                for _ in 0..n % 4 {
                    tokio::task::yield_now().await;
                }
                if n % 5 == 0 { Err(5) } else { Ok(n * 2) }
            })
        };
        let each = |n: &u16| match n {
            n if n % 3 == 0 => Err(*n),
            n if n % 5 == 0 => Err(5),
            n => Ok(u32::from(*n) * 2),
        };
        let expected: Vec<_> = shape.items.iter().map(each).collect();
        prop_assert_eq!(&shape.run(build(shape.flow()).ordered().collect::<Vec<_>>()), &expected);
        let got = shape.run(build(shape.flow()).collect::<Vec<_>>());
        prop_assert_eq!(sorted(got), sorted(expected));
    }
}
