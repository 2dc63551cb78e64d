use crate::support::shapes::{paused, shape};
use crate::support::{Numbers, Watched, counting, numbers, operator_suite, settle, seven, sorted};
use futures::{FutureExt, StreamExt, stream};
use gen_stage::prelude::*;
use gen_stage::testing::test_source;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

operator_suite!(|flow: Numbers| flow.batch(3).flat_map(|batch| batch), |items| items, |flow: Numbers| flow
    .map(|n| {
        seven(n);
        n
    })
    .batch(3)
    .flat_map(|batch| batch),);

mod by_weight {
    use super::*;

    operator_suite!(
        |flow: Numbers| flow.batch_by_weight(10, |n| n % 7).flat_map(|batch| batch),
        |items| items,
        |flow: Numbers| flow
            .batch_by_weight(10, |n| {
                seven(*n);
                1
            })
            .flat_map(|batch| batch),
    );
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn the_rest_comes_out_at_the_end_and_never_as_an_empty_batch() {
    for (items, lengths) in [(0, vec![]), (1, vec![1]), (3, vec![3]), (4, vec![3, 1]), (6, vec![3, 3])] {
        let batches: Vec<_> = counting(items).lanes(1).batch(3).collect().await;
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), lengths, "{items} items");
        assert!(batches.concat().into_iter().eq(0..items));
    }
}

#[tokio::test]
async fn a_size_of_1_makes_a_batch_of_each_item() {
    assert_eq!(counting(3).lanes(1).batch(1).collect::<Vec<_>>().await, [[0], [1], [2]]);
}

#[tokio::test]
async fn batches_can_be_batched_again() {
    let batches: Vec<_> = counting(5).lanes(1).batch(2).batch(2).collect().await;
    assert_eq!(batches, [vec![vec![0, 1], vec![2, 3]], vec![vec![4]]]);
}

#[tokio::test(start_paused = true)]
async fn the_time_starts_at_the_first_item_of_a_batch() {
    let (source, input) = test_source();
    let start = Instant::now();
    let feeding = async move {
        // Long after the start: an idle time does not cut the next batch short.
        for at in [10_500, 11_000, 11_400, 11_700, 20_000] {
            tokio::time::sleep_until(start + Duration::from_millis(at)).await;
            input.send(at);
        }
        input.end();
    };
    let batches = async {
        let mut batches = numbers(source).lanes(1).batch(10).within(SECOND);
        let mut came = Vec::new();
        while let Some(batch) = batches.next().await {
            came.push((start.elapsed().as_millis() / 10, batch));
        }
        came
    };
    let (came, ()) = futures::join!(batches, feeding);
    let expected = [
        (1150, vec![10_500, 11_000, 11_400]),
        (1270, vec![11_700]),
        // The rest, when the input ends.
        (2000, vec![20_000]),
    ];
    assert_eq!(came, expected);
}

#[tokio::test(start_paused = true)]
async fn nothing_comes_out_while_nothing_comes_in() {
    let mut batches = numbers(stream::pending()).lanes(1).batch(10).within(SECOND);
    let first = tokio::time::timeout(SECOND * 1000, batches.next());
    assert!(first.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_leave_its_time_to_the_next() {
    let (source, input) = test_source();
    let start = Instant::now();
    let mut batches = numbers(source).lanes(1).batch(2).within(SECOND);
    input.send(1);
    assert!(batches.next().now_or_never().is_none());
    sleep(SECOND / 2).await;
    input.send(2);
    input.send(3);
    assert_eq!(batches.next().await, Some(vec![1, 2]));
    assert_eq!(batches.next().await, Some(vec![3]));
    assert!(start.elapsed() >= SECOND * 3 / 2, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn without_a_time_a_batch_waits_until_it_is_full() {
    let (source, input) = test_source();
    let mut batches = numbers(source).lanes(1).batch(2);
    input.send(1);
    assert!(tokio::time::timeout(SECOND * 1000, batches.next()).await.is_err());
    input.send(2);
    assert_eq!(batches.next().await, Some(vec![1, 2]));
}

#[tokio::test(start_paused = true)]
async fn a_time_of_0_gathers_what_is_ready_together_and_one_too_long_to_tell_never_comes() {
    let (source, input) = test_source();
    let start = Instant::now();
    let mut batches = numbers(source).lanes(1).batch(10).within(Duration::ZERO);
    for n in 0..3 {
        input.send(n);
    }
    assert_eq!(batches.next().await, Some(vec![0, 1, 2]));
    assert_eq!(start.elapsed(), Duration::ZERO);
    let batches = counting(3).lanes(1).batch(10).within(Duration::MAX);
    assert_eq!(batches.collect::<Vec<_>>().await, [[0, 1, 2]]);
}

#[tokio::test(start_paused = true)]
async fn a_time_goes_with_batches_by_weight_too() {
    let (source, input) = test_source();
    let mut batches = numbers(source).lanes(1).batch_by_weight(10, |n| *n).within(SECOND);
    for n in [4, 4, 4, 20, 3] {
        input.send(n);
    }
    for expected in [vec![4, 4], vec![4], vec![20], vec![3]] {
        assert_eq!(batches.next().await, Some(expected));
    }
}

#[tokio::test]
async fn an_item_heavier_than_the_most_is_a_batch_of_its_own() {
    let batches =
        |items: Vec<u64>| Flow::from_iter(items).lanes(1).batch_by_weight(5, |n| *n).collect::<Vec<_>>();
    assert_eq!(batches(vec![9]).await, [[9]]);
    assert_eq!(batches(vec![2, 9, 2]).await, [vec![2], vec![9], vec![2]]);
    assert_eq!(batches(vec![9, 9]).await, [[9], [9]]);
    assert_eq!(batches(vec![u64::MAX, 1, u64::MAX]).await, [[u64::MAX], [1], [u64::MAX]]);
}

#[tokio::test]
async fn a_heavy_item_is_not_lost_when_the_reader_takes_one_batch_at_a_time() {
    // With room for one batch, the reader breaks off between the two that the heavy item closes.
    let flow = Flow::from_iter([2_u64, 9, 2, 9]).lanes(1).demand(1, 0).batch_by_weight(5, |n| *n);
    assert_eq!(flow.collect::<Vec<_>>().await, [[2], [9], [2], [9]]);
    let stepwise =
        Flow::from_iter([2_u64, 9, 2]).lanes(1).batch_by_weight(5, |n| *n).per_lane(|lane| lane.take(2));
    assert_eq!(stepwise.collect::<Vec<_>>().await, [[2], [9]]);
}

#[tokio::test]
async fn items_that_weigh_nothing_fill_a_batch_as_well() {
    let lengths = counting(10).lanes(1).batch_by_weight(4, |_| 0).map(|batch| batch.len());
    assert_eq!(lengths.collect::<Vec<_>>().await, [4, 4, 2]);
}

#[tokio::test]
async fn a_lane_never_holds_more_than_the_size() {
    let held = Arc::new(AtomicUsize::new(0));
    let peak = Arc::new(AtomicUsize::new(0));
    let (counts, peaks, out) = (held.clone(), peak.clone(), held.clone());
    counting(5000)
        .lanes(1)
        .inspect(move |_| {
            let now = counts.fetch_add(1, Ordering::SeqCst) + 1;
            peaks.fetch_max(now, Ordering::SeqCst);
        })
        .batch(64)
        .for_each(move |batch| {
            assert!(batch.capacity() <= 2 * 64, "no more memory than the size takes");
            out.fetch_sub(batch.len(), Ordering::SeqCst);
        })
        .await;
    assert_eq!((peak.load(Ordering::SeqCst), held.load(Ordering::SeqCst)), (64, 0));
}

#[tokio::test]
async fn a_reader_that_stops_bounds_the_batches_that_wait() {
    let watched = Watched::new();
    let mut flow = numbers(watched.endless()).lanes(1).demand(4, 2).batch(10);
    assert!(flow.next().now_or_never().is_none());
    settle().await;
    assert_eq!(watched.taken(), 4 * 10, "as many batches as were asked for");
}

#[test]
#[should_panic(expected = "batch needs a size of at least 1 item, given 0")]
fn a_size_of_0_is_refused() {
    drop(counting(1).batch(0));
}

#[test]
#[should_panic(expected = "batch_by_weight needs a weight of at least 1, given 0")]
fn a_weight_of_0_is_refused() {
    drop(counting(1).batch_by_weight(0, |_| 1));
}

/// What batches by weight are, said in another way.
fn model(items: &[u16], max: u64, weigh: impl Fn(u16) -> u64) -> Vec<Vec<u16>> {
    let mut batches: Vec<Vec<u16>> = Vec::new();
    for &item in items {
        let last: u64 = batches.last().map_or(max, |batch| batch.iter().map(|n| weigh(*n).max(1)).sum());
        if last >= max || last + weigh(item).max(1) > max {
            batches.push(Vec::new());
        }
        batches.last_mut().unwrap().push(item);
    }
    batches
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_lane_makes_the_batches_of_the_model(shape in shape(), max in 1_u64..40) {
        let weigh = |n: u16| u64::from(n % 13);
        let by_weight = shape.one_lane().batch_by_weight(max, move |n| weigh(*n));
        prop_assert_eq!(shape.run(by_weight.collect::<Vec<_>>()), model(&shape.items, max, weigh));
        let by_size = shape.one_lane().batch(max as usize);
        let expected: Vec<_> = shape.items.chunks(max as usize).map(<[u16]>::to_vec).collect();
        prop_assert_eq!(shape.run(by_size.collect::<Vec<_>>()), expected);
    }

    #[test]
    fn any_number_of_lanes_loses_nothing_and_only_the_last_of_a_lane_is_short(shape in shape(), size in 1_usize..20) {
        let batches = shape.run(shape.flow().batch(size).collect::<Vec<_>>());
        prop_assert!(batches.iter().all(|batch| (1..=size).contains(&batch.len())));
        prop_assert!(batches.iter().filter(|batch| batch.len() < size).count() <= shape.lanes);
        prop_assert_eq!(sorted(batches.concat()), sorted(shape.items.clone()));
    }

    #[test]
    fn with_a_time_no_item_waits_longer(shape in shape(), gaps in prop::collection::vec(0_u64..300, 1..60), size in 1_usize..10) {
        let came = paused(async move {
            let items = stream::iter(gaps).then(|gap| async move {
                sleep(Duration::from_millis(gap)).await;
                (gap, Instant::now())
            });
            let flow = items.boxed().flow().lanes(shape.lanes).batch(size).within(Duration::from_millis(200));
            let mut flow = flow.map(move |batch: Vec<(u64, Instant)>| {
                (batch.len(), batch.first().map(|first| first.1.elapsed()), batch.len() == size)
            });
            let mut came = Vec::new();
            while let Some(batch) = flow.next().await {
                came.push(batch);
            }
            came
        });
        for (length, waited, full) in came {
            prop_assert!(length > 0 && length <= size);
            let waited = waited.unwrap();
            prop_assert!(waited <= Duration::from_millis(202), "{:?}, full: {}", waited, full);
        }
    }
}
