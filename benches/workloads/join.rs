//! Two flows of keys, each key once on each side and in another order, joined. An item is a key on both sides.

use super::{LANES, Peer, Workload, sum_of_work, work};
use foldhash::fast::RandomState;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use gen_stage::Flow;
use gen_stage::dispatch::hash_lane;
use gen_stage::flow::Inner;
use std::collections::HashMap;
use std::ops::Range;
use std::thread;
use tokio::sync::mpsc;

const ROWS: u64 = 1_000_000;

/// Primes: a multiple of one by each number below `items` is, modulo `items`, every number once.
const LEFT: u64 = 998_244_353;
const RIGHT: u64 = 754_974_721;

pub(crate) fn workload() -> Workload {
    Workload {
        name: "join",
        expected: sum_of_work,
        peers: vec![
            Peer::task("gen_stage, bounded_join", ROWS, ours),
            Peer::blocking("one loop, one table", ROWS, one_loop),
            Peer::blocking("two threads, partitioned first, one table each", ROWS, two_threads),
            Peer::task("tokio mpsc of batches, rows at once", ROWS, tokio_batches),
        ],
    }
}

/// The keys of a side, or a part of it.
fn keys(of: Range<u64>, items: u64, prime: u64) -> impl Iterator<Item = u64> + Send + Clone + 'static {
    of.map(move |n| n * prime % items)
}

/// The part of a side that each of the lanes makes.
fn parts(items: u64, prime: u64) -> Vec<impl Iterator<Item = u64> + Send + Clone + 'static> {
    let lanes = LANES as u64;
    (0..lanes).map(|lane| keys(items * lane / lanes..items * (lane + 1) / lanes, items, prime)).collect()
}

/// What a row adds to the sum.
#[inline]
fn mark(left: u64, right: u64) -> u64 {
    // The same number, if the join is right.
    work((left + right) / 2)
}

fn ours(items: u64) -> BoxFuture<'static, u64> {
    let right = Flow::from_iters(parts(items, RIGHT)).lanes(LANES);
    let sums = Flow::from_iters(parts(items, LEFT))
        .lanes(LANES)
        .bounded_join(Inner, right, |left| *left, |right| *right)
        .lanes(LANES)
        .reduce(|| 0, |sum: &mut u64, (left, right)| *sum = sum.wrapping_add(mark(left, right)))
        .emit_state();
    async { sums.collect::<Vec<_>>().await.into_iter().fold(0, u64::wrapping_add) }.boxed()
}

type Table = HashMap<u64, u64, RandomState>;

/// The left side whole, and then the right one against it: no row comes out before the left side has ended.
fn probe(left: impl Iterator<Item = u64>, right: impl Iterator<Item = u64>) -> u64 {
    let table: Table = left.map(|left| (left, left)).collect();
    right.filter_map(|right| Some(mark(*table.get(&right)?, right))).fold(0, u64::wrapping_add)
}

fn one_loop(items: u64) -> u64 {
    probe(keys(0..items, items, LEFT), keys(0..items, items, RIGHT))
}

fn two_threads(items: u64) -> u64 {
    let partitioned = |prime: u64| -> Vec<[Vec<u64>; LANES]> {
        thread::scope(|scope| {
            let partition = |part| {
                let mut lanes: [Vec<u64>; LANES] = Default::default();
                for key in part {
                    lanes[hash_lane(&key, LANES)].push(key);
                }
                lanes
            };
            let parts: Vec<_> =
                parts(items, prime).into_iter().map(|part| scope.spawn(move || partition(part))).collect();
            parts.into_iter().map(|part| part.join().unwrap()).collect()
        })
    };
    let (mut left, mut right) = (partitioned(LEFT), partitioned(RIGHT));
    let of_lane = |side: &mut [[Vec<u64>; LANES]], lane: usize| -> Vec<Vec<u64>> {
        side.iter_mut().map(|part| std::mem::take(&mut part[lane])).collect()
    };
    let lanes: Vec<_> =
        (0..LANES).map(|lane| (of_lane(&mut left, lane), of_lane(&mut right, lane))).collect();
    thread::scope(|scope| {
        let sums: Vec<_> = lanes
            .into_iter()
            .map(|(left, right)| {
                scope.spawn(|| probe(left.into_iter().flatten(), right.into_iter().flatten()))
            })
            .collect();
        sums.into_iter().map(|sum| sum.join().unwrap()).fold(0, u64::wrapping_add)
    })
}

/// What a join that emits rows at once keeps: the items of both sides.
type Both = HashMap<u64, (Vec<u64>, Vec<u64>), RandomState>;

/// A batch of a side; `true` is the left one.
type Batch = (bool, Vec<u64>);

fn tokio_batches(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..LANES).map(|_| mpsc::channel::<Batch>(2 * LANES)).unzip();
        for (is_left, prime) in [(true, LEFT), (false, RIGHT)] {
            for part in parts(items, prime) {
                let senders = senders.clone();
                tokio::spawn(async move {
                    let mut batches: [Vec<u64>; LANES] = Default::default();
                    for key in part {
                        let lane = hash_lane(&key, LANES);
                        batches[lane].push(key);
                        if batches[lane].len() == super::BATCH as usize {
                            let full = Vec::with_capacity(super::BATCH as usize);
                            let batch = std::mem::replace(&mut batches[lane], full);
                            senders[lane].send((is_left, batch)).await.unwrap();
                        }
                    }
                    for (sender, batch) in senders.iter().zip(batches) {
                        sender.send((is_left, batch)).await.unwrap();
                    }
                });
            }
        }
        drop(senders);
        let sums = receivers.into_iter().map(|receiver| tokio::spawn(meet(receiver)));
        join_all(sums).await.into_iter().map(Result::unwrap).fold(0, u64::wrapping_add)
    }
    .boxed()
}

async fn meet(mut receiver: mpsc::Receiver<Batch>) -> u64 {
    let (mut both, mut sum) = (Both::default(), 0u64);
    while let Some((is_left, batch)) = receiver.recv().await {
        for key in batch {
            let (lefts, rights) = both.entry(key).or_default();
            let (own, other) = if is_left { (lefts, rights) } else { (rights, lefts) };
            sum = other.iter().fold(sum, |sum, met| sum.wrapping_add(mark(key, *met)));
            own.push(key);
        }
    }
    sum
}
