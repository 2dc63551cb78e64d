use crate::support::shapes::paused;
use crate::support::{Numbers, counting, numbers, operator_suite, seven};
use futures::channel::mpsc;
use futures::{Stream, StreamExt, stream};
use proptest::prelude::*;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

operator_suite!(
    |flow: Numbers| flow.lanes(1).sample(HOUR),
    |items| items.into_iter().last().into_iter().collect(),
    |flow: Numbers| flow
        .map(|n| {
            seven(n);
            n
        })
        .sample(HOUR),
);

/// The pauses before the items, in milliseconds.
fn after(pauses: Vec<u64>) -> impl Stream<Item = u64> + Send + 'static {
    stream::iter(pauses.into_iter().zip(0..)).then(async |(pause, n)| {
        sleep(MS * pause as u32).await;
        n
    })
}

#[tokio::test(start_paused = true)]
async fn nothing_comes_of_a_period_without_items_and_periods_go_by_the_start() {
    let start = Instant::now();
    let flow = numbers(after(vec![10, 320, 20, 100])).sample(MS * 100);
    let came: Vec<(u64, u128)> = flow.map(move |n| (n, start.elapsed().as_millis() / 10)).collect().await;
    // At 10, 330, 350 and 450 ms; the last comes out with the end.
    assert_eq!(came, [(0, 10), (2, 40), (3, 45)]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_comes_late_gets_the_newest_at_once() {
    let (sender, receiver) = mpsc::unbounded();
    let mut flow = numbers(receiver).sample(MS * 100);
    for n in 0..3 {
        sender.unbounded_send(n).unwrap();
    }
    assert_eq!(flow.next().await, Some(2));
    // The lane of the layer has asked for one more, and the reader for none yet.
    for n in 3..9 {
        sender.unbounded_send(n).unwrap();
        sleep(MS * 200).await;
    }
    let start = Instant::now();
    assert_eq!([flow.next().await, flow.next().await], [3, 8].map(Some));
    assert!(start.elapsed() <= MS);
    assert_eq!(flow.replaced(), 2 + 4);
}

#[tokio::test(start_paused = true)]
async fn the_longest_period_is_no_end_of_the_clock() {
    let flow = numbers(after(vec![1, 1, 1])).sample(Duration::MAX);
    assert_eq!(flow.collect::<Vec<_>>().await, [2]);
}

#[test]
#[should_panic(expected = "the period of a sample must be above 0, given 0")]
fn a_period_of_0_is_refused() {
    let _ = counting(1).sample(Duration::ZERO);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_last_item_of_each_period_comes_out(pauses in prop::collection::vec(0_u64..8, 0..60), period in 1_u64..8) {
        // Items come between the ends of periods.
        let pauses: Vec<u64> = pauses.iter().zip(0..).map(|(n, at)| n * 10 + 5 * u64::from(at == 0)).collect();
        let mut time = 0;
        let times: Vec<u64> = pauses.iter().map(|pause| { time += pause; time }).collect();
        let of = |at: usize| times[at] / (period * 10);
        let last = |at: &usize| at + 1 == times.len() || of(*at) != of(at + 1);
        let expected: Vec<u64> = (0..times.len()).filter(last).map(|at| at as u64).collect();
        let (came, replaced) = paused(async {
            let mut flow = numbers(after(pauses)).sample(MS * (period * 10) as u32);
            let monitor = flow.monitor();
            (flow.collect::<Vec<_>>().await, monitor.replaced())
        });
        prop_assert_eq!(replaced as usize, times.len() - expected.len());
        prop_assert_eq!(came, expected);
    }
}
