use crate::support::{counting, finisher_suite, numbers, settle, sorted};
use futures::StreamExt;
use gen_stage::testing::test_source;
use std::collections::{BTreeSet, HashMap};

finisher_suite!(
    u64,
    |flow, _| async { sorted(flow.collect::<Vec<_>>().await) },
    |items| items,
    of_a_flow_that_was_begun_it_takes_the_rest,
);

#[tokio::test]
async fn a_flow_can_be_gathered_into_any_collection() {
    assert_eq!(counting(5).collect::<BTreeSet<_>>().await, BTreeSet::from([0, 1, 2, 3, 4]));
    let squares: HashMap<_, _> = counting(5).map(|n| (n, n * n)).collect().await;
    assert_eq!(squares[&3], 9);
    assert!(counting(0).collect::<Vec<_>>().await.is_empty());
}

#[tokio::test]
async fn the_rest_of_a_flow_that_was_read_item_by_item_is_gathered_in_order() {
    let mut flow = counting(1700).lanes(1);
    for n in 0..123 {
        assert_eq!(flow.next().await, Some(n));
    }
    let rest: Vec<_> = flow.collect().await;
    assert!(rest.into_iter().eq(123..1700));
}

#[tokio::test]
async fn any_stream_ext_reads_a_flow() {
    use futures::TryStreamExt;
    let evens: Vec<_> =
        StreamExt::collect(tokio_stream::StreamExt::filter(counting(10), |n| n % 2 == 0)).await;
    assert_eq!(sorted(evens), [0, 2, 4, 6, 8]);
    let sum = StreamExt::fold(counting(5), 0, |sum, n| async move { sum + n }).await;
    assert_eq!(sum, 10);
    let results = counting(5).lanes(1).map(|n| if n < 3 { Ok(n) } else { Err(n) });
    let failed: Result<Vec<u64>, u64> = TryStreamExt::try_collect(results).await;
    assert_eq!(failed, Err(3));
    let chunks: Vec<_> = StreamExt::collect(counting(5).lanes(1).chunks(2)).await;
    assert_eq!(chunks, [vec![0, 1], vec![2, 3], vec![4]]);
}

#[tokio::test]
async fn dropping_a_read_half_way_loses_nothing_of_a_flow_that_is_kept() {
    let (source, input) = test_source();
    let mut flow = numbers(source).lanes(1);
    for n in 0..100 {
        let waiting = tokio_test::task::spawn(flow.next()).poll();
        assert!(waiting.is_pending(), "dropped while waiting");
        input.send(n);
        settle().await;
        assert_eq!(flow.next().await, Some(n));
    }
}
