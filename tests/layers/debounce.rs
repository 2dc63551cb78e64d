use crate::support::shapes::paused;
use crate::support::{Numbers, counting, numbers, operator_suite, seven};
use futures::channel::mpsc;
use futures::{FutureExt, StreamExt, stream};
use proptest::prelude::*;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

operator_suite!(
    |flow: Numbers| flow.lanes(1).debounce(HOUR),
    |items| items.into_iter().last().into_iter().collect(),
    |flow: Numbers| flow
        .map(|n| {
            seven(n);
            n
        })
        .debounce(HOUR),
);

#[tokio::test(start_paused = true)]
async fn an_item_comes_out_after_silence_and_the_last_at_the_end() {
    let (sender, receiver) = mpsc::unbounded();
    let mut flow = numbers(receiver).debounce(MS * 100);
    let start = Instant::now();
    sender.unbounded_send(0).unwrap();
    assert!(flow.next().now_or_never().is_none());
    sleep(MS * 60).await;
    sender.unbounded_send(1).unwrap();
    assert_eq!(flow.next().await, Some(1));
    assert_eq!(start.elapsed().as_millis() / 10, 16);
    sender.unbounded_send(2).unwrap();
    drop(sender);
    assert_eq!((flow.next().await, flow.next().await), (Some(2), None));
    assert_eq!(start.elapsed().as_millis() / 10, 16);
    assert_eq!(flow.replaced(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_none_has_asked_for_gives_way_to_the_next() {
    let (sender, receiver) = mpsc::unbounded();
    let mut flow = numbers(receiver).debounce(MS * 10);
    assert!(flow.next().now_or_never().is_none());
    for n in 0..6 {
        sender.unbounded_send(n).unwrap();
        sleep(MS * 100).await;
    }
    // One to the reader, one to the lane, and one that is held.
    assert_eq!([flow.next().await, flow.next().await, flow.next().await], [0, 1, 5].map(Some));
    assert_eq!(flow.replaced(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_longest_silence_is_no_end_of_the_clock() {
    let flow = counting(9).lanes(1).debounce(Duration::MAX);
    assert_eq!(flow.collect::<Vec<_>>().await, [8]);
}

#[test]
#[should_panic(expected = "the silence of a debounce must be above 0, given 0")]
fn a_silence_of_0_is_refused() {
    let _ = counting(1).debounce(Duration::ZERO);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_others_follow_too_soon_is_dropped(pauses in prop::collection::vec(0_u64..8, 0..60), silence in 0_u64..8) {
        let follows_soon = |at: usize| pauses.get(at + 1).is_some_and(|pause| pause * 10 <= silence * 10 + 5);
        let expected: Vec<u64> = (0..pauses.len()).filter(|at| !follows_soon(*at)).map(|at| at as u64).collect();
        let items = pauses.len();
        let (came, replaced) = paused(async move {
            let source = stream::iter(pauses.into_iter().zip(0..)).then(async |(pause, n)| {
                sleep(MS * (pause * 10) as u32).await;
                n
            });
            let mut flow = numbers(source).debounce(MS * (silence * 10 + 5) as u32);
            let monitor = flow.monitor();
            (flow.collect::<Vec<_>>().await, monitor.replaced())
        });
        prop_assert_eq!(came.len() + replaced as usize, items);
        prop_assert_eq!(came, expected);
    }
}
