//! `ordered` after each operator that keeps the order of a lane.

use crate::support::shapes::{Shape, paused, shape};
use crate::support::{counting, numbers, settle};
use futures::{FutureExt, StreamExt, channel::mpsc};
use gen_stage::Flow;
use gen_stage::flow::{InOrder, Throttle};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The items with their places in the source, some of them dropped and some of them doubled on the way.
fn placed(shape: &Shape) -> Flow<impl InOrder<Item = (usize, u16)>> {
    Flow::from_iter(shape.items.clone().into_iter().enumerate())
        .lanes(shape.lanes)
        .demand(shape.demand, shape.demand / 2)
        .flat_map(|(at, n)| vec![(at, n); usize::from(n % 4)])
}

/// What one lane would make of that.
fn model(shape: &Shape) -> Vec<(usize, u16)> {
    let items = shape.items.iter().copied().enumerate();
    items.flat_map(|(at, n)| vec![(at, n); usize::from(n % 4)]).collect()
}

/// Takes some polls for some items.
async fn pend(n: u16) {
    for _ in 0..n % 3 {
        yield_now().await;
    }
}

fn odd((at, n): (usize, u16)) -> Result<(usize, u16), usize> {
    if n % 2 == 1 { Ok((at, n)) } else { Err(at) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_throttle_keeps_the_order(shape in shape(), per_second in 1_000_u64..1_000_000) {
        let slow = Throttle::per_second(per_second);
        let flow = placed(&shape).throttle(slow.clone()).filter(|(_, n)| n % 3 != 0).throttle(slow).cost(|(_, n)| u64::from(n % 5));
        let expected: Vec<_> = model(&shape).into_iter().filter(|(_, n)| n % 3 != 0).collect();
        prop_assert_eq!(paused(flow.ordered().collect::<Vec<_>>()), expected);
    }

    #[test]
    fn futures_behind_a_throttle_keep_the_order(shape in shape(), n in 1_usize..20) {
        let flow = placed(&shape).throttle(Throttle::per_second(100_000)).map_async(n, |item| async move {
            pend(item.1).await;
            item
        });
        prop_assert_eq!(paused(flow.ordered().collect::<Vec<_>>()), model(&shape));
    }

    #[test]
    fn dead_letters_leave_the_rest_in_order(shape in shape(), room in 1_usize..5) {
        let (sink, dead) = mpsc::channel(room);
        let flow = placed(&shape).map(odd).dead_letters(sink).map_async(3, |item| async move {
            pend(item.1).await;
            item
        });
        let (kept, mut dead) = shape.run(async { futures::join!(flow.ordered().collect::<Vec<_>>(), dead.collect::<Vec<_>>()) });
        let (expected, failed): (Vec<_>, Vec<_>) = model(&shape).into_iter().map(odd).partition(Result::is_ok);
        prop_assert_eq!(kept, expected.into_iter().filter_map(Result::ok).collect::<Vec<_>>());
        dead.sort_unstable();
        prop_assert_eq!(dead, failed.into_iter().filter_map(Result::err).collect::<Vec<_>>());
    }

    #[test]
    fn operators_on_results_keep_the_order(shape in shape()) {
        let skipped = Arc::new(AtomicU64::new(0));
        let flow = placed(&shape)
            .map(odd)
            .try_map(|(at, n)| if n % 7 == 0 { Err(at) } else { Ok((at, n)) })
            .try_filter_map(|(at, n)| Ok((n % 9 != 0).then_some((at, n))))
            .try_map_async(3, |(at, n)| async move {
                pend(n).await;
                if n % 11 == 0 { Err(at) } else { Ok((at, n)) }
            })
            .flat_map_ok(|(at, n)| vec![(at, n / 2); usize::from(n % 4)])
            .map_ok(|(at, n)| (at, n / 2))
            .map_err(|at| at + 1)
            .skip_errors(&skipped);
        let kept = |(_, n): &(usize, u16)| n % 2 == 1 && n % 7 != 0 && n % 9 != 0 && n % 11 != 0;
        let expected: Vec<_> = model(&shape)
            .into_iter()
            .filter(kept)
            .flat_map(|(at, n)| vec![(at, n / 4); usize::from(n % 4)])
            .collect();
        prop_assert_eq!(shape.run(flow.ordered().collect::<Vec<_>>()), expected);
        let failed = |(_, n): &&(usize, u16)| n % 2 == 0 || n % 7 == 0 || (n % 11 == 0 && n % 9 != 0);
        prop_assert_eq!(skipped.load(Ordering::Relaxed), model(&shape).iter().filter(failed).count() as u64);
    }

    #[test]
    fn the_first_of_each_lane_come_in_order(shape in shape()) {
        let firsts = placed(&shape).uniq_by(|(_, n)| n % 50).ordered();
        let firsts: Vec<(usize, u16)> = shape.run(firsts.collect::<Vec<_>>());
        prop_assert!(firsts.windows(2).all(|pair| pair[0].0 < pair[1].0), "{:?}", firsts);
        let keys = |items: &[(usize, u16)]| items.iter().map(|(_, n)| n % 50).collect::<std::collections::BTreeSet<_>>();
        prop_assert_eq!(keys(&firsts), keys(&model(&shape)));

        let different: Vec<usize> = shape.run(placed(&shape).map(|(at, _)| at).uniq().ordered().collect::<Vec<_>>());
        let mut expected: Vec<usize> = model(&shape).into_iter().map(|(at, _)| at).collect();
        expected.dedup();
        prop_assert_eq!(different, expected, "what one item became is in one lane");
    }

    #[test]
    fn what_differs_from_the_one_before_comes_in_order(shape in shape()) {
        let changes: Vec<_> = shape.run(placed(&shape).dedup_by(|(_, n)| n % 3).ordered().collect::<Vec<_>>());
        let mut expected = model(&shape);
        if shape.lanes == 1 {
            expected.dedup_by_key(|(_, n)| *n % 3);
            prop_assert_eq!(changes, expected);
        } else {
            prop_assert!(changes.is_sorted_by_key(|(at, _)| *at) && changes.len() <= expected.len());
        }

        // What one item became is in one lane, one after the other.
        let changes: Vec<_> = shape.run(placed(&shape).dedup().ordered().collect::<Vec<_>>());
        let mut expected = model(&shape);
        expected.dedup();
        prop_assert_eq!(changes, expected);
    }

    #[test]
    fn what_was_held_comes_in_the_order_in_which_it_went_out(shape in shape(), lanes in 1_usize..4) {
        let pieces = placed(&shape)
            .lanes(1)
            .map(|item| vec![item])
            .conflate(Extend::extend)
            .lanes(lanes)
            .map_async(3, |piece| async move {
                pend(piece[0].1).await;
                piece
            });
        prop_assert_eq!(shape.run(pieces.ordered().collect::<Vec<_>>()).concat(), model(&shape));
    }

    #[test]
    fn batches_come_in_the_order_of_their_last_items(shape in shape(), size in 1_usize..9, weight in 1_u64..200) {
        // Nothing is dropped, for a batch that waits for more stands where its lane has got to.
        let flow = || Flow::from_iter(shape.items.clone().into_iter().enumerate())
            .lanes(shape.lanes)
            .demand(shape.demand, shape.demand / 2)
            .flat_map(|(at, n)| vec![(at, n); usize::from(1 + n % 3)]);
        let all: Vec<_> = shape.items.iter().copied().enumerate().flat_map(|(at, n)| vec![(at, n); usize::from(1 + n % 3)]).collect();
        let by_size = shape.run(flow().batch(size).ordered().collect::<Vec<_>>());
        let weighs = |batch: &[(usize, u16)]| batch.iter().map(|(_, n)| u64::from(n % 50).max(1)).sum::<u64>();
        let by_weight = flow().batch_by_weight(weight, |(_, n)| u64::from(n % 50)).ordered();
        let by_weight = shape.run(by_weight.collect::<Vec<_>>());
        // What is done with them keeps that order, and so does a time that is over.
        let within = flow()
            .throttle(Throttle::per_second(2_000))
            .batch(size)
            .within(Duration::from_millis(3))
            .map_async(3, |batch| async move {
                pend(batch[0].1).await;
                batch
            });
        let within = paused(within.ordered().collect::<Vec<_>>());
        for batches in [&by_size, &by_weight, &within] {
            let lasts: Vec<usize> = batches.iter().map(|batch| batch[batch.len() - 1].0).collect();
            prop_assert!(lasts.is_sorted(), "{:?}", lasts);
            in_batches(batches, &all)?;
        }
        prop_assert!(by_size.iter().chain(&within).all(|batch| batch.len() <= size));
        prop_assert!(by_weight.iter().all(|batch| batch.len() == 1 || weighs(batch) <= weight));
    }

    #[test]
    fn items_that_are_dropped_hold_up_no_batch(shape in shape(), size in 1_usize..9) {
        let batches = shape.run(placed(&shape).batch(size).ordered().collect::<Vec<_>>());
        in_batches(&batches, &model(&shape))?;
    }

    #[test]
    fn one_lane_makes_the_batches_of_one_loop(shape in shape(), size in 1_usize..9) {
        let batches = placed(&shape).lanes(1).batch(size).ordered();
        let expected: Vec<Vec<_>> = model(&shape).chunks(size).map(<[_]>::to_vec).collect();
        prop_assert_eq!(shape.run(batches.collect::<Vec<_>>()), expected);
    }

    #[test]
    fn what_was_taken_before_a_stop_is_complete_and_in_order(shape in shape(), after in 0_usize..300) {
        let token = CancellationToken::new();
        let stop = token.clone();
        let flow = placed(&shape)
            .inspect(move |(at, _)| if *at >= after { stop.cancel() })
            .on_init(|_, _| ())
            .stop_when(token)
            .map_async(3, |item| async move {
                pend(item.1).await;
                item
            });
        let taken: Vec<_> = shape.run(flow.ordered().collect::<Vec<_>>());
        let all = model(&shape);
        prop_assert_eq!(&taken[..], &all[..taken.len()]);
        let before = all.iter().filter(|(at, _)| *at < after).count();
        prop_assert!(taken.len() >= before, "{} of {}", taken.len(), before);
    }

    #[test]
    fn what_is_taken_by_number_is_in_order(shape in shape(), n in 0_usize..200, at_once in 1_usize..20) {
        let later = |item: (usize, u16)| async move {
            pend(item.1).await;
            item
        };
        let all = model(&shape);
        let taken = shape.run(placed(&shape).map_async(at_once, later).take(n).ordered().collect::<Vec<_>>());
        prop_assert_eq!(taken.len(), n.min(all.len()));
        let left = shape.run(placed(&shape).map_async(at_once, later).skip(n).ordered().collect::<Vec<_>>());
        prop_assert_eq!(left.len(), all.len().saturating_sub(n));
        for some in [taken, left] {
            prop_assert!(some.is_sorted_by_key(|(at, _)| *at), "{:?}", some);
            let mut all = all.iter();
            prop_assert!(some.iter().all(|item| all.any(|one| one == item)), "{:?}", some);
        }
        // The operators before it are in one lane then.
        let first = placed(&shape).map_async(at_once, later).ordered().take(n).shuffle().map(|item| item).ordered();
        prop_assert_eq!(shape.run(first.collect::<Vec<_>>()), &all[..n.min(all.len())]);
    }

    #[test]
    fn nothing_comes_out_after_the_first_that_ends_it(shape in shape(), at_once in 1_usize..20, rare in 8_u16..300) {
        let holds = move |(_, n): &(usize, u16)| n % rare != 0;
        let later = |item: (usize, u16)| async move {
            pend(item.1).await;
            item
        };
        let flow = || placed(&shape).map_async(at_once, later).take_while(holds);
        let expected: Vec<_> = model(&shape).into_iter().take_while(holds).collect();
        prop_assert_eq!(shape.run(flow().ordered().collect::<Vec<_>>()), expected.clone());
        let further = flow().map_async(at_once, later).filter(|(_, n)| n % 2 == 1).shuffle().lanes(3).take_while(|_| true);
        let odd: Vec<_> = expected.iter().copied().filter(|(_, n)| n % 2 == 1).collect();
        prop_assert_eq!(shape.run(further.map(|item| item).ordered().collect::<Vec<_>>()), odd);
        // Each is the last place for what is before it only.
        let twice = flow().ordered().shuffle().map(|item| item).take_while(|(at, _)| *at < 30).ordered();
        let low: Vec<_> = expected.iter().copied().take_while(|(at, _)| *at < 30).collect();
        prop_assert_eq!(shape.run(twice.collect::<Vec<_>>()), low);
    }

    #[test]
    fn numbers_and_futures_one_by_one_keep_the_order(shape in shape()) {
        let flow = placed(&shape).enumerate().then(|(number, item)| async move {
            pend(item.1).await;
            (number, item)
        });
        let numbered = shape.run(flow.ordered().collect::<Vec<_>>());
        prop_assert_eq!(numbered.iter().map(|(_, item)| *item).collect::<Vec<_>>(), model(&shape));
        let mut numbers: Vec<_> = numbered.into_iter().map(|(number, _)| number).collect();
        numbers.sort_unstable();
        prop_assert!(numbers.into_iter().eq(0..model(&shape).len()));
    }

    #[test]
    fn lanes_that_end_early_hold_up_no_other(shape in shape(), rare in 8_u16..300) {
        let flow = placed(&shape).scan(|| 0, move |count, item| {
            *count += 1;
            (item.1 % rare != 0).then_some(item)
        });
        let some = shape.run(flow.ordered().collect::<Vec<_>>());
        prop_assert!(some.is_sorted_by_key(|(at, _)| *at), "{:?}", some);
        if model(&shape).iter().all(|(_, n)| n % rare != 0) {
            prop_assert_eq!(some, model(&shape));
        }
    }

    #[test]
    fn pairs_are_a_source_in_order(shape in shape(), lanes in 1_usize..5) {
        let pairs = placed(&shape).zip(placed(&shape).map(|(at, _)| at)).lanes(lanes).map(|((at, n), other)| (at, n, other));
        let expected: Vec<_> = model(&shape).into_iter().map(|(at, n)| (at, n, at)).collect();
        prop_assert_eq!(shape.run(pairs.ordered().collect::<Vec<_>>()), expected);
    }

    #[test]
    fn a_box_keeps_the_order(shape in shape()) {
        let flow = placed(&shape).boxed_in_order().filter(|(_, n)| n % 3 != 0).boxed_in_order().shuffle().lanes(3).map(|item| item);
        let expected: Vec<_> = model(&shape).into_iter().filter(|(_, n)| n % 3 != 0).collect();
        prop_assert_eq!(shape.run(flow.ordered().boxed_in_order().ordered().collect::<Vec<_>>()), expected);
    }
}

/// Every item is in one batch, and there in its order.
fn in_batches(batches: &[Vec<(usize, u16)>], all: &[(usize, u16)]) -> Result<(), TestCaseError> {
    for batch in batches {
        prop_assert!(!batch.is_empty() && batch.is_sorted_by_key(|(at, _)| *at), "{:?}", batch);
    }
    let mut items = batches.concat();
    items.sort_by_key(|(at, _)| *at);
    prop_assert_eq!(items, all);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_throttle_in_front_of_futures_holds_its_rate() {
    let start = Instant::now();
    let pages = counting(31)
        .lanes(4)
        .throttle(Throttle::per_second(10).burst(1))
        .map_async(8, |n| async move {
            tokio::time::sleep(Duration::from_millis(500 - n * 10)).await;
            n
        })
        .ordered();
    assert!(pages.collect::<Vec<u64>>().await.into_iter().eq(0..31));
    // The last is begun after 3 s and takes 0.2 s.
    let took = start.elapsed();
    assert!((Duration::from_millis(3200)..Duration::from_millis(3300)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_waits_for_more_holds_up_those_behind_it_until_its_time_is_over() {
    let (sender, receiver) = mpsc::unbounded();
    let mut batches =
        numbers(receiver).lanes(2).demand(1, 0).batch(2).within(Duration::from_secs(1)).ordered();
    assert!(batches.next().now_or_never().is_none());
    settle().await;
    let start = Instant::now();
    // One lane gets 0, and the other 1 and, as it is the only one with room, 2.
    sender.unbounded_send(0).unwrap();
    settle().await;
    sender.unbounded_send(1).unwrap();
    settle().await;
    sender.unbounded_send(2).unwrap();
    sender.unbounded_send(3).unwrap();
    drop(sender);
    let mut all = batches.collect::<Vec<_>>().await;
    assert!(start.elapsed() <= Duration::from_secs(1) + Duration::from_millis(1));
    assert!(all.is_sorted_by_key(|batch| batch[batch.len() - 1]), "{all:?}");
    all.sort_unstable();
    assert_eq!(
        {
            let mut items = all.concat();
            items.sort_unstable();
            items
        },
        [0, 1, 2, 3]
    );
}

#[tokio::test]
async fn an_item_that_is_in_a_batch_holds_up_no_other_lane() {
    // Each lane gathers all that it gets: were the numbers in a batch not ended at once, the lanes would wait for each other.
    for demand in [1, 2, 10] {
        let batches = counting(10_000).lanes(4).demand(demand, demand / 2).batch(5_000).ordered();
        let all: Vec<Vec<u64>> = batches.collect().await;
        assert_eq!(all.iter().map(Vec::len).sum::<usize>(), 10_000, "demand {demand}");
    }
}
