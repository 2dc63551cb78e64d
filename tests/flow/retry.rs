use futures::FutureExt;
use gen_stage::flow::Retry;
use std::cell::{Cell, RefCell};
use std::future::ready;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// The pauses, in milliseconds, before the repetitions of something that always fails.
async fn pauses(retry: Retry) -> Vec<u128> {
    let times = RefCell::new(Vec::new());
    let failing = retry.wrap(|()| {
        times.borrow_mut().push(Instant::now());
        ready(Err::<(), _>(()))
    });
    assert_eq!(failing(()).await, Err(()));
    drop(failing);
    let times = times.into_inner();
    times.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect()
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn pauses_grow_by_the_factor_and_no_more_than_to_their_maximum() {
    let seconds = |pauses: Vec<u128>| pauses.into_iter().map(|ms| ms / 1000).collect::<Vec<_>>();
    assert_eq!(seconds(pauses(Retry::times(4).backoff(SECOND, 2.0)).await), [1, 2, 4, 8]);
    assert_eq!(seconds(pauses(Retry::times(3).backoff(SECOND, 1.0)).await), [1, 1, 1]);
    let bounded = Retry::times(4).backoff(SECOND, 3.0).max_delay(SECOND * 5);
    assert_eq!(seconds(pauses(bounded).await), [1, 3, 5, 5]);
}

#[tokio::test(start_paused = true)]
async fn the_defaults_are_those_of_the_docs() {
    let pauses = pauses(Retry::times(10)).await;
    let expected = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000];
    // Timers go by the millisecond.
    assert!(pauses.iter().zip(expected).all(|(got, due)| got.abs_diff(due) <= 1), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_backoff_that_outgrows_all_numbers_is_bounded_as_well() {
    let pauses = pauses(Retry::times(3).backoff(SECOND, 1e300).max_delay(SECOND * 7)).await;
    assert_eq!(pauses.iter().map(|ms| ms / 1000).collect::<Vec<_>>(), [1, 7, 7]);
}

#[tokio::test(start_paused = true)]
async fn a_seed_repeats_the_jitter_which_only_shortens() {
    let jittered = |seed| pauses(Retry::times(20).backoff(SECOND, 1.0).jitter(0.5).seed(seed));
    let first = jittered(1).await;
    assert_eq!(first, jittered(1).await);
    assert_ne!(first, jittered(2).await);
    assert!(first.iter().all(|ms| (500..=1001).contains(ms)), "{first:?}");
    assert!(first.iter().max().unwrap() - first.iter().min().unwrap() > 200, "they are spread: {first:?}");
    assert_ne!(jittered(3).await, pauses(Retry::times(20).backoff(SECOND, 1.0).jitter(0.5)).await);
}

#[tokio::test(start_paused = true)]
async fn the_error_of_the_last_attempt_is_returned_after_so_many_repetitions() {
    for times in [0, 1, 2, 7] {
        let calls = Cell::new(0);
        let failing = Retry::times(times).wrap(|item: &str| {
            calls.set(calls.get() + 1);
            ready(Err::<(), _>((item.len(), calls.get())))
        });
        assert_eq!(failing("item").await, Err((4, times + 1)));
        assert_eq!(calls.get(), times + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_it_without_a_pause() {
    let start = Instant::now();
    let calls = Cell::new(0);
    let fetch = Retry::times(5).wrap(|n: u32| {
        calls.set(calls.get() + 1);
        ready(Ok::<_, ()>(n + 1))
    });
    assert_eq!(fetch(1).await, Ok(2));
    assert_eq!((calls.get(), start.elapsed()), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn only_errors_that_are_let_are_tried_again() {
    let calls = Cell::new(0);
    let retry = Retry::times(5).when(|error: &u32| *error < 3);
    let fetch = retry.wrap(|()| {
        calls.set(calls.get() + 1);
        ready(Err::<(), u32>(calls.get()))
    });
    assert_eq!(fetch(()).await, Err(3));
    assert_eq!(calls.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_item_is_cloned_only_for_an_attempt_that_may_come() {
    struct Counted(Rc<Cell<u32>>);
    impl Clone for Counted {
        fn clone(&self) -> Self {
            self.0.set(self.0.get() + 1);
            Self(self.0.clone())
        }
    }
    for (times, expected) in [(0, 0), (1, 1), (3, 3)] {
        let clones = Rc::new(Cell::new(0));
        let failing = Retry::times(times).wrap(|_: Counted| ready(Err::<(), _>(())));
        assert_eq!(failing(Counted(clones.clone())).await, Err(()));
        assert_eq!(clones.get(), expected, "{times} repetitions");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_not_tried_again() {
    let calls = Cell::new(0);
    let fetch = Retry::times(5).wrap(|()| {
        calls.set(calls.get() + 1);
        async { if true { std::panic::panic_any("seven") } else { Ok::<(), ()>(()) } }
    });
    let caught = AssertUnwindSafe(fetch(())).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
    assert_eq!(calls.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_it_in_a_pause_is_the_end() {
    let calls = Cell::new(0);
    let fetch = Retry::times(5).backoff(SECOND, 1.0).wrap(|()| {
        calls.set(calls.get() + 1);
        ready(Err::<(), ()>(()))
    });
    let mut fetching = tokio_test::task::spawn(fetch(()));
    assert!(fetching.poll().is_pending());
    drop(fetching);
    tokio::time::sleep(SECOND * 10).await;
    assert_eq!(calls.get(), 1);
}

#[tokio::test]
async fn what_it_makes_can_be_sent_and_shared_by_lanes() {
    fn shared<T: Send + Sync + Clone + 'static>(value: T) -> T {
        value
    }
    fn sent<T: Send + 'static>(value: T) -> T {
        value
    }
    let fetch = shared(Retry::times(1).wrap(|n: u64| async move { Ok::<_, String>(n) }));
    assert_eq!(sent(fetch(3)).await, Ok(3));
}

#[test]
#[should_panic(expected = "the factor of a backoff must be finite and at least 1, given 0.5")]
fn a_backoff_that_shrinks_is_refused() {
    let _ = Retry::times(1).backoff(SECOND, 0.5);
}

#[test]
#[should_panic(expected = "the jitter must be from 0 to 1, given NaN")]
fn a_jitter_that_is_no_share_is_refused() {
    let _ = Retry::times(1).jitter(f64::NAN);
}

#[tokio::test(start_paused = true)]
async fn pauses_of_zero_stay_zero_however_often_it_is_tried() {
    let start = tokio::time::Instant::now();
    let retry = Retry::times(1100).backoff(Duration::ZERO, 2.0);
    let failing = retry.wrap(|(): ()| async { Err::<(), ()>(()) });
    assert_eq!(failing(()).await, Err(()));
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}
