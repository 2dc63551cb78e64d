use crate::support::{Numbers, counting, operator_suite, seven};
use futures::Stream;
use gen_stage::Flow;

operator_suite!(
    |flow: Numbers| flow.map(|n| n * 2),
    |items| items.into_iter().map(|n| n * 2).collect(),
    |flow: Numbers| flow.map(|n| {
        seven(n);
        n
    }),
);

#[tokio::test]
async fn one_lane_keeps_the_order() {
    let doubled: Vec<_> = counting(2000).lanes(1).map(|n| n * 2).collect().await;
    assert!(doubled.into_iter().eq((0..2000).map(|n| n * 2)));
}

#[tokio::test]
async fn the_closure_is_cloned_for_each_lane_and_keeps_its_own_state() {
    let mut seen = 0;
    let places = Flow::from_iters([vec!['a', 'b'], vec!['x']]).lanes(2).map(move |c| {
        seen += 1;
        (c, seen)
    });
    let mut places: Vec<_> = places.collect().await;
    places.sort_unstable();
    assert_eq!(places, [('a', 1), ('b', 2), ('x', 1)]);
}

#[tokio::test]
async fn the_size_hint_is_exact_and_counts_down() {
    let mut flow = Flow::from_iter(0..1200u64).lanes(1).map(|n| n + 1);
    assert_eq!(flow.size_hint(), (1200, Some(1200)));
    for left in (0..1200).rev() {
        assert!(futures::StreamExt::next(&mut flow).await.is_some());
        assert_eq!(flow.size_hint(), (left, Some(left)));
    }
}
