//! Two work on numbers, and send each to the one of two others that its hash says, which sum up.

use super::{BATCH, LANES, Peer, Workload, on_timely, sum_of_work, work};
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use gen_stage::Flow;
use gen_stage::dispatch::hash_lane;
use rayon::prelude::*;
use std::ops::Range;
use std::thread;
use timely::dataflow::InputHandle;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Input, Operator};
use tokio::sync::mpsc;

pub(crate) fn workload() -> Workload {
    Workload {
        name: "partition",
        expected: sum_of_work,
        peers: vec![
            Peer::task("gen_stage", 10_000_000, ours),
            Peer::blocking("one loop, hashing", 10_000_000, one_loop),
            Peer::task("tokio mpsc of batches", 10_000_000, tokio_batches),
            Peer::blocking("threads, std mpsc of batches", 10_000_000, thread_batches),
            Peer::blocking("rayon, no partition", 10_000_000, rayon_fold),
            Peer::blocking("timely, two workers", 10_000_000, timely_exchange),
            Peer::task("tokio mpsc, one by one", 1_000_000, tokio_items),
        ],
    }
}

/// What each of the lanes above makes.
fn shares(items: u64) -> Vec<Range<u64>> {
    let lanes = LANES as u64;
    (0..lanes).map(|lane| items * lane / lanes..items * (lane + 1) / lanes).collect()
}

fn ours(items: u64) -> BoxFuture<'static, u64> {
    let sums = Flow::from_iters(shares(items))
        .lanes(LANES)
        .map(work)
        .partition()
        .lanes(LANES)
        .reduce(|| 0, |sum: &mut u64, n| *sum = sum.wrapping_add(n))
        .emit_state();
    async { sums.collect::<Vec<_>>().await.into_iter().fold(0, u64::wrapping_add) }.boxed()
}

fn one_loop(items: u64) -> u64 {
    let mut sums = [0u64; LANES];
    for n in (0..items).map(work) {
        let sum = &mut sums[hash_lane(&n, LANES)];
        *sum = sum.wrapping_add(n);
    }
    sums.into_iter().fold(0, u64::wrapping_add)
}

fn timely_exchange(items: u64) -> u64 {
    on_timely(move |worker, sum| {
        let mut input = InputHandle::<u64, _>::new();
        worker.dataflow(|scope| {
            let by_hash = Exchange::new(|n: &u64| hash_lane(n, LANES) as u64);
            scope.input_from(&mut input).sink(by_hash, "sum", move |(input, _)| {
                input.for_each(|_, batch| sum.set(batch.drain(..).fold(sum.get(), u64::wrapping_add)));
            });
        });
        for n in shares(items)[worker.index()].clone() {
            input.send(work(n));
            if n % BATCH == 0 {
                worker.step();
            }
        }
    })
}

/// Fills a batch per lane, and hands full ones, and at the end all, to `send`.
struct Batches([Vec<u64>; LANES]);

impl Batches {
    fn new() -> Self {
        Self(std::array::from_fn(|_| Vec::with_capacity(BATCH as usize)))
    }

    fn push(&mut self, n: u64) -> Option<(usize, Vec<u64>)> {
        let lane = hash_lane(&n, LANES);
        let batch = &mut self.0[lane];
        batch.push(n);
        (batch.len() == BATCH as usize)
            .then(|| (lane, std::mem::replace(batch, Vec::with_capacity(BATCH as usize))))
    }
}

fn tokio_batches(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..LANES).map(|_| mpsc::channel::<Vec<u64>>(2 * LANES)).unzip();
        for share in shares(items) {
            let senders = senders.clone();
            tokio::spawn(async move {
                let mut batches = Batches::new();
                for n in share.map(work) {
                    if let Some((lane, batch)) = batches.push(n) {
                        senders[lane].send(batch).await.unwrap();
                    }
                }
                for (sender, batch) in senders.iter().zip(batches.0) {
                    sender.send(batch).await.unwrap();
                }
            });
        }
        drop(senders);
        let sums = receivers.into_iter().map(|mut receiver| {
            tokio::spawn(async move {
                let mut sum = 0;
                while let Some(batch) = receiver.recv().await {
                    sum = batch.into_iter().fold(sum, u64::wrapping_add);
                }
                sum
            })
        });
        join_all(sums).await.into_iter().map(Result::unwrap).fold(0, u64::wrapping_add)
    }
    .boxed()
}

fn thread_batches(items: u64) -> u64 {
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..LANES).map(|_| std::sync::mpsc::sync_channel::<Vec<u64>>(2 * LANES)).unzip();
    thread::scope(|scope| {
        for share in shares(items) {
            let senders = senders.clone();
            scope.spawn(move || {
                let mut batches = Batches::new();
                for n in share.map(work) {
                    if let Some((lane, batch)) = batches.push(n) {
                        senders[lane].send(batch).unwrap();
                    }
                }
                for (sender, batch) in senders.iter().zip(batches.0) {
                    sender.send(batch).unwrap();
                }
            });
        }
        drop(senders);
        let sums: Vec<_> = receivers
            .into_iter()
            .map(|receiver| scope.spawn(|| receiver.into_iter().flatten().fold(0, u64::wrapping_add)))
            .collect();
        sums.into_iter().map(|sum| sum.join().unwrap()).fold(0, u64::wrapping_add)
    })
}

fn rayon_fold(items: u64) -> u64 {
    (0..items).into_par_iter().map(work).reduce(|| 0, u64::wrapping_add)
}

fn tokio_items(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..LANES).map(|_| mpsc::channel(1000)).unzip();
        for share in shares(items) {
            let senders = senders.clone();
            tokio::spawn(async move {
                for n in share.map(work) {
                    senders[hash_lane(&n, LANES)].send(n).await.unwrap();
                }
            });
        }
        drop(senders);
        let sums = receivers.into_iter().map(|mut receiver| {
            tokio::spawn(async move {
                let mut sum = 0u64;
                while let Some(n) = receiver.recv().await {
                    sum = sum.wrapping_add(n);
                }
                sum
            })
        });
        join_all(sums).await.into_iter().map(Result::unwrap).fold(0, u64::wrapping_add)
    }
    .boxed()
}
