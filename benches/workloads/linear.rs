//! Three in a row: one makes numbers, one works on each, one sums them up.

use super::{BATCH, Peer, Workload, sum_of_work, work};
use datum::prelude::*;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use gen_stage::Flow;
use par_stream::{ParParamsConfig, ParStreamExt};
use std::thread;
use tokio::sync::mpsc;

pub(crate) fn workload() -> Workload {
    Workload {
        name: "linear",
        expected: sum_of_work,
        peers: vec![
            Peer::task("gen_stage", 10_000_000, ours),
            Peer::task("gen_stage, read by next()", 10_000_000, ours_by_next),
            Peer::task("gen_stage, read by next() of into_stream()", 10_000_000, ours_by_next_of_stream),
            Peer::blocking("one loop", 10_000_000, sum_of_work),
            Peer::task("tokio mpsc of batches", 10_000_000, tokio_batches),
            Peer::blocking("threads, std mpsc of batches", 10_000_000, thread_batches),
            Peer::blocking("datum-core, fused", 2_000_000, datum_fused),
            Peer::task("tokio mpsc, one by one", 1_000_000, tokio_items),
            Peer::task("futures buffer_unordered(64)", 1_000_000, buffer_unordered),
            Peer::task("par-stream", 50_000, par_stream),
        ],
    }
}

fn ours(items: u64) -> BoxFuture<'static, u64> {
    let sum = Flow::from_iter(0..items)
        .lanes(1)
        .shuffle()
        .lanes(1)
        .map(work)
        .shuffle()
        .lanes(1)
        .reduce(|| 0, |sum: &mut u64, n| *sum = sum.wrapping_add(n))
        .emit_state();
    async { sum.collect::<Vec<_>>().await[0] }.boxed()
}

fn ours_by_next(items: u64) -> BoxFuture<'static, u64> {
    let mut flow = Flow::from_iter(0..items).lanes(1).shuffle().lanes(1).map(work);
    async move {
        let mut sum = 0u64;
        while let Some(n) = flow.next().await {
            sum = sum.wrapping_add(n);
        }
        sum
    }
    .boxed()
}

fn ours_by_next_of_stream(items: u64) -> BoxFuture<'static, u64> {
    let mut stream = Flow::from_iter(0..items).lanes(1).shuffle().lanes(1).map(work).into_stream();
    async move {
        let mut sum = 0u64;
        while let Some(n) = stream.next().await {
            sum = sum.wrapping_add(n);
        }
        sum
    }
    .boxed()
}

fn batches(items: u64) -> impl Iterator<Item = Vec<u64>> + Send {
    (0..items).step_by(BATCH as usize).map(move |from| (from..items.min(from + BATCH)).collect())
}

fn tokio_batches(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let (made, mut to_work) = mpsc::channel(2);
        let (worked, mut to_sum) = mpsc::channel::<Vec<u64>>(2);
        tokio::spawn(async move {
            for batch in batches(items) {
                made.send(batch).await.unwrap();
            }
        });
        tokio::spawn(async move {
            while let Some(batch) = to_work.recv().await {
                worked.send(batch.into_iter().map(work).collect()).await.unwrap();
            }
        });
        let mut sum = 0;
        while let Some(batch) = to_sum.recv().await {
            sum = batch.into_iter().fold(sum, u64::wrapping_add);
        }
        sum
    }
    .boxed()
}

fn thread_batches(items: u64) -> u64 {
    let (made, to_work) = std::sync::mpsc::sync_channel(2);
    let (worked, to_sum) = std::sync::mpsc::sync_channel::<Vec<u64>>(2);
    thread::scope(|scope| {
        scope.spawn(move || batches(items).for_each(|batch| made.send(batch).unwrap()));
        scope.spawn(move || {
            to_work.into_iter().for_each(|batch| worked.send(batch.into_iter().map(work).collect()).unwrap());
        });
        to_sum.into_iter().flatten().fold(0, u64::wrapping_add)
    })
}

fn tokio_items(items: u64) -> BoxFuture<'static, u64> {
    super::one_by_one::tokio_pipeline(items, 1000)
}

fn buffer_unordered(items: u64) -> BoxFuture<'static, u64> {
    stream::iter(0..items)
        .map(|n| async move { work(n) })
        .buffer_unordered(64)
        .fold(0u64, |sum, n| async move { sum.wrapping_add(n) })
        .boxed()
}

fn par_stream(items: u64) -> BoxFuture<'static, u64> {
    let workers = ParParamsConfig::FixedWorkers { num_workers: super::LANES };
    // It spawns when it is built.
    async move {
        stream::iter(0..items)
            .par_map_unordered(workers, |n| move || work(n))
            .fold(0u64, |sum, n| async move { sum.wrapping_add(n) })
            .await
    }
    .boxed()
}

fn datum_fused(items: u64) -> u64 {
    let summed = (0..items).into_source().map(work).run_fold(0u64, u64::wrapping_add);
    summed.unwrap().wait().unwrap()
}
