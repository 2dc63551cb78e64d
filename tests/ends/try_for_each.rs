use crate::support::shapes::shape;
use crate::support::{Watched, counting, finisher_suite, numbers, settle, seven, sorted};
use gen_stage::testing::test_source;
use proptest::prelude::*;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

finisher_suite!(
    Result<u64, u64>,
    |flow, _| async {
        let (sender, seen) = mpsc::channel();
        let done = flow.try_for_each(move |n| {
            sender.send(n).unwrap();
            Ok(())
        });
        done.await.map(|()| sorted(seen.try_iter()))
    },
    Ok,
    a_flow_that_was_begun_is_refused("be run"),
    a_panic_in_its_closure_reaches_whoever_awaits(|flow| flow.try_for_each(|n| {
        seven(n);
        Ok(())
    })),
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_error_stops_all_and_the_source_is_gone_when_it_returns() {
    for lanes in [1, 2, 3, 8] {
        for of_the_flow in [true, false] {
            let watched = Watched::new();
            let failing = move |n, fails: bool| if n == 3456 && fails { Err(n) } else { Ok(n) };
            let flow = numbers(watched.endless()).lanes(lanes).map(move |n| failing(n, of_the_flow));
            let failed = flow.try_for_each(move |n| failing(n, !of_the_flow).map(|_| ())).await;
            assert_eq!(failed, Err(3456), "{lanes} lanes");
            assert!(!watched.is_alive(), "{lanes} lanes");
        }
    }
}

#[tokio::test]
async fn an_error_is_returned_though_another_lane_never_ends() {
    use futures::StreamExt;
    let silent = futures::stream::pending().boxed();
    let streams = [silent, futures::stream::iter([1]).boxed()];
    let flow = gen_stage::Flow::from_streams(streams).lanes(2).map(Ok);
    assert_eq!(flow.try_for_each(|n: u64| Err(n)).await, Err(1));
}

#[tokio::test]
async fn behind_an_error_a_lane_is_not_called_again() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counts = calls.clone();
    let failed = counting(1000).lanes(1).map(Ok).try_for_each(move |n| {
        counts.fetch_add(1, Ordering::Relaxed);
        if n == 9 { Err(n) } else { Ok(()) }
    });
    assert_eq!(failed.await, Err(9));
    settle().await;
    assert_eq!(calls.load(Ordering::Relaxed), 10);
}

#[tokio::test]
async fn an_error_in_the_very_last_poll_of_all_lanes_is_not_lost() {
    for lanes in [1, 2, 8] {
        let flow = counting(lanes).lanes(lanes as usize).demand(1, 0).map(Ok);
        assert!(flow.try_for_each(|n: u64| Err(n)).await.is_err(), "{lanes} lanes");
    }
}

#[tokio::test]
async fn items_of_the_last_layer_need_not_be_sent() {
    let flow = counting(3).lanes(1).map(|n| Ok::<_, ()>(Rc::new(n)));
    assert_eq!(flow.try_for_each(|n| if *n < 3 { Ok(()) } else { Err(()) }).await, Ok(()));
}

#[tokio::test]
async fn it_waits_for_a_pending_source_and_is_woken_by_it() {
    let (source, input) = test_source();
    let flow = numbers(source).map(|n| if n == 2 { Err(n) } else { Ok(n) });
    let mut running = tokio_test::task::spawn(flow.try_for_each(|_| Ok(())));
    assert!(running.poll().is_pending());
    for n in 0..3 {
        assert!(running.poll().is_pending());
        input.send(n);
        settle().await;
    }
    assert!(running.is_woken());
    while running.poll().is_pending() {
        settle().await;
        assert!(running.is_woken(), "it waits for tasks that are being stopped");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_fails_exactly_if_there_is_an_error_and_is_called_with_no_more_than_the_values(
        shape in shape(),
        rate in 1_u16..500,
    ) {
        let called: Arc<Mutex<Vec<u16>>> = Arc::default();
        let calls = called.clone();
        let flow = shape.flow().map(move |n| if n % rate == 0 { Err(n) } else { Ok(n) });
        let ended = shape.run(flow.try_for_each(move |n| {
            calls.lock().unwrap().push(n);
            Ok(())
        }));
        let mut values: Vec<u16> = shape.items.iter().copied().filter(|n| n % rate != 0).collect();
        match ended {
            Ok(()) => {
                prop_assert_eq!(values.len(), shape.items.len());
                values.sort_unstable();
                prop_assert_eq!(sorted(called.lock().unwrap().clone()), values);
            }
            Err(error) => {
                prop_assert!(error % rate == 0 && shape.items.contains(&error));
                for n in called.lock().unwrap().iter() {
                    let at = values.iter().position(|value| value == n);
                    prop_assert!(at.is_some(), "{} was never a value, or not as often", n);
                    values.swap_remove(at.unwrap());
                }
            }
        }
    }
}
