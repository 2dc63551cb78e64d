//! Source order restored over all lanes, beside the same without.

use super::map_async::{buffer_unordered, ours as map_async, slept, worked};
use super::{LANES, Peer, Workload, sum_of_work, work};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use gen_stage::Flow;

/// Futures in flight.
const READY: usize = 64;
const SLEEPING: usize = 1000;

pub(crate) fn map() -> Workload {
    Workload {
        name: "ordered, map",
        expected: sum_of_work,
        peers: vec![
            Peer::task("gen_stage", 5_000_000, ours_map),
            Peer::task("gen_stage, not ordered", 5_000_000, ours_map_unordered),
            Peer::task("futures buffered(64) of ready futures", 1_000_000, |items| {
                buffered(items, READY, worked)
            }),
        ],
    }
}

pub(crate) fn sleeping() -> Workload {
    Workload {
        name: "ordered, 1 ms",
        expected: sum_of_work,
        peers: vec![
            Peer::task("gen_stage", 20_000, |items| ours_async(items, SLEEPING)),
            Peer::task("gen_stage, not ordered", 20_000, |items| map_async(items, SLEEPING, slept)),
            Peer::task("futures buffered", 20_000, |items| buffered(items, SLEEPING, slept)),
            Peer::task("futures buffer_unordered", 20_000, |items| buffer_unordered(items, SLEEPING, slept)),
        ],
    }
}

fn ours_map(items: u64) -> BoxFuture<'static, u64> {
    let sum = Flow::from_iter(0..items)
        .lanes(LANES)
        .map(work)
        .ordered()
        .reduce(|| 0, |sum: &mut u64, n| *sum = sum.wrapping_add(n))
        .emit_state();
    async { sum.collect::<Vec<_>>().await[0] }.boxed()
}

/// The same crossing into one lane.
fn ours_map_unordered(items: u64) -> BoxFuture<'static, u64> {
    let sum = Flow::from_iter(0..items)
        .lanes(LANES)
        .map(work)
        .shuffle()
        .lanes(1)
        .reduce(|| 0, |sum: &mut u64, n| *sum = sum.wrapping_add(n))
        .emit_state();
    async { sum.collect::<Vec<_>>().await[0] }.boxed()
}

fn ours_async(items: u64, n: usize) -> BoxFuture<'static, u64> {
    let sum = Flow::from_iter(0..items)
        .lanes(LANES)
        .map_async(n, slept)
        .ordered()
        .reduce(|| 0, |sum: &mut u64, n| *sum = sum.wrapping_add(n))
        .emit_state();
    async { sum.collect::<Vec<_>>().await[0] }.boxed()
}

fn buffered<Fut>(items: u64, n: usize, f: fn(u64) -> Fut) -> BoxFuture<'static, u64>
where
    Fut: Future<Output = u64> + Send + 'static,
{
    let results = stream::iter(0..items).map(f).buffered(n);
    results.fold(0u64, |sum, n| async move { sum.wrapping_add(n) }).boxed()
}
