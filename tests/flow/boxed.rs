//! `boxed` and `boxed_in_order`: flows whose operators are not in their types.

use crate::support::{Numbers, counting, operator_suite, seven, sorted};
use futures::{Stream, StreamExt, stream};
use gen_stage::Flow;
use gen_stage::flow::{Boxed, BoxedInOrder, Flowing, InOrder, Readable};
use gen_stage::window::Window;
use std::time::Duration;

operator_suite!(
    |flow: Numbers| flow.map(|n| n * 2).boxed().filter(|n| n % 3 != 0),
    |items| items.into_iter().map(|n| n * 2).filter(|n| n % 3 != 0).collect(),
    |flow: Numbers| flow
        .map(|n| {
            seven(n);
            n
        })
        .boxed(),
);

mod in_order {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.filter(|n| n % 3 != 0).boxed_in_order().flat_map(|n| [n, n]).ordered(),
        |items| items.into_iter().filter(|n| n % 3 != 0).flat_map(|n| [n, n]).collect(),
        |flow: Numbers| flow
            .boxed_in_order()
            .map(|n| {
                seven(n);
                n
            })
            .ordered(),
    );
}

mod in_order_and_read_as_it_comes {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.map(|n| n + 1).boxed_in_order(),
        |items| items.into_iter().map(|n| n + 1).collect(),
        |flow: Numbers| flow
            .map(|n| {
                seven(n);
                n
            })
            .boxed_in_order(),
    );
}

/// Every kind of operator, of which a function knows no more than that the flow takes them.
fn every_kind(flow: Flow<impl Flowing<Item = u64>>) -> Flow<impl Readable<Item = u64>> {
    flow.map(|n| n + 1)
        .filter(|n| n % 2 == 0)
        .flat_map(|n| [n, n + 1])
        .uniq()
        .map_async(3, async |n: u64| n)
        .inspect(|_| ())
        .skip(0)
        .skip_while(|_| false)
        .enumerate()
        .map(|(_, n)| n)
        .scan(|| (), |(), n| Some(n))
        .then(async |n: u64| n)
        .take_while(|_| true)
        .take(100_000)
        .batch(10)
        .map(|batch| batch.len() as u64)
        .per_lane(|lane| lane)
        .merge(Flow::from_iter([1]))
        .partition()
        .window(Window::count(3))
        .map(|n| n)
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state()
}

#[tokio::test]
async fn every_kind_of_operator_works_behind_one_bound_and_behind_a_box() {
    let plain: u64 = every_kind(counting(1000)).collect::<Vec<_>>().await.iter().sum();
    assert_eq!(plain, 1001);
    let mut flow = counting(1000).boxed();
    for _ in 0..3 {
        flow = every_kind(flow).boxed();
    }
    assert!(flow.sum::<u64>().await > 0);
}

fn doubled(flow: Flow<impl InOrder<Item = u64>>) -> Flow<impl InOrder<Item = u64>> {
    flow.map(|n| n * 2)
        .map_async(4, async |n: u64| n)
        .batch(3)
        .flat_map(|batch| batch)
        .take(100_000)
        .zip(Flow::from_iter(0..))
        .lanes(1)
        .take_while(|(n, _)| n % 2 == 0)
        .map(|(n, _)| n)
}

#[tokio::test]
async fn order_can_be_restored_behind_functions_and_boxes() {
    let flow: Flow<BoxedInOrder<u64>> =
        doubled(doubled(counting(1000).lanes(1)).boxed_in_order()).boxed_in_order();
    assert!(flow.ordered().collect::<Vec<_>>().await.into_iter().eq((0..1000).map(|n| n * 4)));
}

#[tokio::test]
async fn a_box_passes_batches_on_as_they_crossed() {
    let sizes = Flow::from_iter(0..2000_u64).lanes(1).demand(100, 0).boxed().map_batch(|batch| [batch.len()]);
    assert_eq!(sizes.collect::<Vec<_>>().await, [100; 20]);
    let sizes = counting(500).lanes(1).demand(100, 0).boxed_in_order().map_batch(|batch| [batch.len()]);
    assert!(sizes.collect::<Vec<_>>().await.into_iter().all(|size| size > 1), "they are not taken apart");
}

#[tokio::test]
async fn a_window_behind_a_box_knows_from_which_upstream_an_item_came() {
    // The second source is far behind the first: nothing of it is late if each counts for itself.
    let sources = || [0_i64, 500_000].map(|start| stream::iter((0..100).map(move |n| start + n * 100)));
    let second = Window::fixed(Duration::from_secs(1), |at: &i64| *at);
    let mut counts = Flow::from_streams(sources())
        .lanes(1)
        .map(|at| at)
        .boxed()
        .window(second)
        .reduce(|| 0_u64, |n, _| *n += 1)
        .emit_state();
    let windows: Vec<u64> = counts.by_ref().collect().await;
    assert_eq!((windows, counts.late()), (vec![10; 20], 0));
}

#[tokio::test]
async fn the_layer_in_front_of_a_box_can_be_set_behind_it() {
    let flow = counting(100).on_init(|_, _| ()).boxed().lanes(3).demand(10, 5);
    let lanes = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = lanes.clone();
    let flow = flow.on_init(move |_, of| seen.store(of, std::sync::atomic::Ordering::SeqCst));
    assert_eq!(sorted(flow.collect::<Vec<_>>().await), (0..100).collect::<Vec<_>>());
    assert_eq!(lanes.load(std::sync::atomic::Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_box_knows_how_many_items_will_come() {
    let flow: Flow<Boxed<u64>> = Flow::from_iter(0..10_u64).map(|n| n).boxed();
    assert_eq!(flow.size_hint(), (10, Some(10)));
    let flow = flow.filter(|n| *n > 3).boxed();
    assert_eq!(flow.size_hint(), (0, Some(10)));
    assert_eq!(flow.count().await, 6);
    assert_eq!(Flow::from_iter(0..10_u64).boxed_in_order().size_hint(), (10, Some(10)));
}

#[tokio::test]
async fn flows_in_boxes_can_be_kept_together() {
    let flows: Vec<Flow<Boxed<u64>>> = vec![
        Flow::from_iter(0..3).boxed(),
        counting(10).partition().reduce(|| 0, |sum, n| *sum += n).emit_state().boxed(),
        counting(3).map_async(2, async |n: u64| n + 100).boxed(),
    ];
    let all = flows.into_iter().reduce(|all, flow| all.merge(flow).boxed()).unwrap();
    assert_eq!(all.sum::<u64>().await, 3 + 45 + 303);
}
