//! The pipeline of [`linear`](super::linear) with one item in flight per crossing: what a hand-over costs.

use super::{Peer, Workload, sum_of_work, work};
use futures::FutureExt;
use futures::future::BoxFuture;
use gen_stage::Flow;
use tokio::sync::mpsc;

pub(crate) fn workload() -> Workload {
    Workload {
        name: "max_demand 1",
        expected: sum_of_work,
        peers: vec![
            Peer::task("gen_stage", 300_000, ours),
            Peer::task("tokio mpsc(1)", 300_000, |items| tokio_pipeline(items, 1)),
        ],
    }
}

fn ours(items: u64) -> BoxFuture<'static, u64> {
    let sum = Flow::from_iter(0..items)
        .lanes(1)
        .demand(1, 0)
        .shuffle()
        .lanes(1)
        .demand(1, 0)
        .map(work)
        .shuffle()
        .lanes(1)
        .demand(1, 0)
        .reduce(|| 0, |sum: &mut u64, n| *sum = sum.wrapping_add(n))
        .emit_state();
    async { sum.collect::<Vec<_>>().await[0] }.boxed()
}

/// Three tasks, with channels that hold `capacity` items.
pub(crate) fn tokio_pipeline(items: u64, capacity: usize) -> BoxFuture<'static, u64> {
    async move {
        let (made, mut to_work) = mpsc::channel(capacity);
        let (worked, mut to_sum) = mpsc::channel(capacity);
        tokio::spawn(async move {
            for n in 0..items {
                made.send(n).await.unwrap();
            }
        });
        tokio::spawn(async move {
            while let Some(n) = to_work.recv().await {
                worked.send(work(n)).await.unwrap();
            }
        });
        let mut sum = 0u64;
        while let Some(n) = to_sum.recv().await {
            sum = sum.wrapping_add(n);
        }
        sum
    }
    .boxed()
}
