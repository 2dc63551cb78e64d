use crate::support::{Numbers, counting, numbers, operator_suite, seven};
use futures::StreamExt;
use gen_stage::Flow;
use gen_stage::testing::test_source;

operator_suite!(
    |flow: Numbers| flow.map_batch(|batch| batch.into_iter().map(|n| n + 1).collect::<Vec<_>>()),
    |items| items.into_iter().map(|n| n + 1).collect(),
    |flow: Numbers| flow.map_batch(|batch| {
        batch.iter().for_each(|n| seven(*n));
        batch
    }),
);

#[tokio::test]
async fn batches_are_as_long_as_the_demand_of_the_layer_allows() {
    for (max, min, lengths) in [(10, 5, vec![5, 5, 2]), (4, 0, vec![4, 4, 4]), (1, 0, vec![1; 12])] {
        let got: Vec<_> =
            counting(12).lanes(1).demand(max, min).map_batch(|batch| [batch.len()]).collect().await;
        assert_eq!(got, lengths, "{max}/{min}");
    }
}

#[tokio::test]
async fn what_a_batch_became_is_the_batch_of_the_next() {
    let got: Vec<Vec<u64>> = counting(5)
        .lanes(1)
        .demand(4, 2)
        .map_batch(|batch| batch.into_iter().filter(|n| *n != 3).collect::<Vec<_>>())
        .map_batch(|batch| [batch])
        .collect()
        .await;
    assert_eq!(got, [vec![0, 1], vec![2], vec![4]]);
}

#[tokio::test]
async fn a_source_that_pends_ends_a_batch() {
    let (source, input) = test_source();
    let mut flow = numbers(source).lanes(1).map_batch(|batch| [batch.len()]);
    for length in [1, 3, 2] {
        for n in 0..length {
            input.send(n);
        }
        assert_eq!(flow.next().await, Some(length as usize));
    }
}

#[tokio::test]
async fn a_batch_is_never_empty() {
    let got: Vec<usize> = Flow::from_iter(Vec::<u64>::new()).map_batch(|batch| [batch.len()]).collect().await;
    assert!(got.is_empty());
}
