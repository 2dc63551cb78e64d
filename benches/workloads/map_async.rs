//! A future for every item: ready at once, which shows what the way there costs; and 1 ms long, many in flight.

use super::{Peer, Workload, sum_of_work, work};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use gen_stage::Flow;
use par_stream::{ParParamsConfig, ParStreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Futures in flight.
const READY: usize = 64;
const SLEEPING: usize = 1000;

pub(crate) fn ready() -> Workload {
    Workload {
        name: "map_async, ready",
        expected: sum_of_work,
        peers: vec![
            Peer::task("gen_stage", 5_000_000, |items| ours(items, READY, worked)),
            Peer::task("futures buffer_unordered", 1_000_000, |items| buffer_unordered(items, READY, worked)),
            Peer::task("tokio JoinSet and Semaphore", 200_000, |items| join_set(items, READY, worked)),
            Peer::task("par-stream", 50_000, par_stream),
        ],
    }
}

pub(crate) fn sleeping() -> Workload {
    Workload {
        name: "map_async, 1 ms",
        expected: sum_of_work,
        peers: vec![
            Peer::task("gen_stage", 20_000, |items| ours(items, SLEEPING, slept)),
            Peer::task("futures buffer_unordered", 20_000, |items| buffer_unordered(items, SLEEPING, slept)),
            Peer::task("tokio JoinSet and Semaphore", 20_000, |items| join_set(items, SLEEPING, slept)),
        ],
    }
}

pub(crate) async fn worked(n: u64) -> u64 {
    work(n)
}

pub(crate) async fn slept(n: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    work(n)
}

pub(crate) fn ours<Fut>(items: u64, n: usize, f: fn(u64) -> Fut) -> BoxFuture<'static, u64>
where
    Fut: Future<Output = u64> + Send + 'static,
{
    let sum = Flow::from_iter(0..items)
        .lanes(super::LANES)
        .map_async(n, f)
        .reduce(|| 0, |sum: &mut u64, n| *sum = sum.wrapping_add(n))
        .emit_state();
    async { sum.collect::<Vec<_>>().await.into_iter().fold(0, u64::wrapping_add) }.boxed()
}

pub(crate) fn buffer_unordered<Fut>(items: u64, n: usize, f: fn(u64) -> Fut) -> BoxFuture<'static, u64>
where
    Fut: Future<Output = u64> + Send + 'static,
{
    let results = stream::iter(0..items).map(f).buffer_unordered(n);
    results.fold(0u64, |sum, n| async move { sum.wrapping_add(n) }).boxed()
}

fn join_set<Fut>(items: u64, n: usize, f: fn(u64) -> Fut) -> BoxFuture<'static, u64>
where
    Fut: Future<Output = u64> + Send + 'static,
{
    async move {
        let permits = Arc::new(Semaphore::new(n));
        let mut tasks = JoinSet::new();
        let mut sum = 0u64;
        for item in 0..items {
            let permit = permits.clone().acquire_owned().await.unwrap();
            let future = f(item);
            tasks.spawn(async move {
                let result = future.await;
                drop(permit);
                result
            });
            while let Some(result) = tasks.try_join_next() {
                sum = sum.wrapping_add(result.unwrap());
            }
        }
        while let Some(result) = tasks.join_next().await {
            sum = sum.wrapping_add(result.unwrap());
        }
        sum
    }
    .boxed()
}

fn par_stream(items: u64) -> BoxFuture<'static, u64> {
    let workers = ParParamsConfig::FixedWorkers { num_workers: super::LANES };
    // It spawns when it is built.
    async move {
        stream::iter(0..items)
            .par_then_unordered(workers, worked)
            .fold(0u64, |sum, n| async move { sum.wrapping_add(n) })
            .await
    }
    .boxed()
}
