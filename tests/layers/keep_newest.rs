use crate::support::shapes::{paused, shape};
use crate::support::{Live, Lives, Numbers, counting, numbers, operator_suite, seven, sorted};
use futures::{StreamExt, stream};
use gen_stage::Flow;
use proptest::prelude::*;
use std::time::Duration;
use tokio::time::sleep;

const MS: Duration = Duration::from_millis(1);

operator_suite!(|flow: Numbers| flow.keep_newest(1_000_000), |items| items, |flow: Numbers| flow
    .map(|n| {
        seven(n);
        n
    })
    .keep_newest(5),);

#[tokio::test]
async fn a_reader_that_has_not_read_yet_gets_what_it_asked_for_and_then_the_newest() {
    let mut flow = counting(100).lanes(1).keep_newest(3);
    let monitor = flow.monitor();
    let items: Vec<u64> = flow.collect().await;
    assert_eq!(items, [0, 97, 98, 99], "the first was asked for");
    assert_eq!(monitor.replaced(), 96);
    assert_eq!(monitor.discarded(), 0);
}

#[tokio::test]
async fn what_was_dropped_is_in_the_report_in_the_numbers_and_in_their_text() {
    let flow = counting(1000).keep_newest(2).start();
    let report = flow.wait().await.unwrap();
    assert_eq!((report.taken, report.discarded), (1000, 0));
    assert!(report.replaced > 0);
    let stats = flow.stats();
    assert_eq!(stats.replaced, report.replaced);
    assert!(stats.to_string().ends_with(&format!("replaced {}", report.replaced)), "{stats}");
}

#[tokio::test(start_paused = true)]
async fn no_more_is_held_than_the_newest_and_what_was_asked_for() {
    let lives = Lives::new();
    let source = {
        let lives = lives.clone();
        stream::iter(0..500).then(move |n| {
            let lives = lives.clone();
            async move {
                sleep(MS).await;
                Live::new(n, &lives)
            }
        })
    };
    let mut newest = gen_stage::StreamFlow::flow(source.boxed()).keep_newest(4);
    let mut last = None;
    while let Some(item) = newest.next().await {
        last = Some(item.n);
        drop(item);
        sleep(MS * 20).await;
    }
    assert_eq!((last, lives.now()), (Some(499), 0));
    // Four, one that comes, and one on its way to the lane and to the reader each.
    assert!(lives.peak() <= 4 + 1 + 2, "{}", lives.peak());
}

#[tokio::test(start_paused = true)]
async fn a_quick_reader_gets_all() {
    let source = stream::iter(0..50).then(async |n| {
        sleep(MS * 5).await;
        n
    });
    let mut flow = numbers(source).keep_newest(1);
    let monitor = flow.monitor();
    assert!(flow.collect::<Vec<_>>().await.into_iter().eq(0..50));
    assert_eq!(monitor.replaced(), 0);
}

#[test]
#[should_panic(expected = "keep_newest needs room for at least 1 item, given 0")]
fn room_for_nothing_is_refused() {
    let _ = counting(1).keep_newest(0);
}

#[test]
fn at_least_the_last_item_comes_out() {
    assert_eq!(futures::Stream::size_hint(&Flow::from_iter(0..9).keep_newest(3)), (1, Some(9)));
    assert_eq!(futures::Stream::size_hint(&Flow::from_iter(0..0).keep_newest(3)), (0, Some(0)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn all_come_out_or_are_counted_and_the_last_come_out(shape in shape(), n in 1_usize..20, reads in 0_u32..5) {
        let all: Vec<(usize, u16)> = shape.items.iter().copied().enumerate().collect();
        let (lanes, demand) = (shape.lanes, shape.demand);
        for lanes in [1, lanes] {
            let mut newest = flow_of(&all, lanes, demand).keep_newest(n);
            let monitor = newest.monitor();
            let came: Vec<(usize, u16)> = paused(newest.into_stream().then(move |item| async move {
                sleep(MS * reads).await;
                item
            }).collect());
            prop_assert_eq!(came.len() as u64 + monitor.replaced(), all.len() as u64);
            let last = &all[all.len().saturating_sub(n)..];
            if lanes == 1 {
                prop_assert!(came.is_sorted() && came.ends_with(last), "{:?}", came);
            }
            let came = sorted(came);
            prop_assert!(came.windows(2).all(|pair| pair[0] != pair[1]) && came.iter().all(|item| all.contains(item)));
            prop_assert!(came.len() >= last.len());
        }
    }
}

fn flow_of(all: &[(usize, u16)], lanes: usize, demand: usize) -> Flow<gen_stage::flow::Boxed<(usize, u16)>> {
    Flow::from_iter(all.to_vec()).lanes(lanes).demand(demand, demand / 2).boxed()
}
