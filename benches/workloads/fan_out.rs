//! One makes numbers and four sum them up: each number goes to one of them, to all of them, or to the one that its
//! hash says.

use super::{BATCH, Peer, Workload, sum_of_work, work};
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use gen_stage::Demand;
use gen_stage::dispatch::{Broadcast, ByDemand, Dispatcher, Partition, hash_lane};
use gen_stage::prelude::*;
use gen_stage::stage::{Control, Reason, StageError, Subscribe, Upstream, from_iter};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{broadcast, mpsc};

const CONSUMERS: usize = 4;

pub(crate) fn by_demand() -> Workload {
    Workload {
        name: "to one of four",
        expected: sum_of_work,
        peers: vec![
            Peer::task("gen_stage", 10_000_000, |items| ours(ByDemand::new(), items, |to, _| to)),
            Peer::task("gen_stage, fair", 10_000_000, |items| {
                ours(ByDemand::new().fair(), items, |to, _| to)
            }),
            Peer::task("gen_stage, 3 batches each as by hand", 10_000_000, |items| {
                ours(ByDemand::new(), items, |to, _| to.demand(3 * BATCH as usize, 2 * BATCH as usize))
            }),
            Peer::task("gen_stage, a flow", 10_000_000, |items| flow(items, Demand::default())),
            Peer::task("gen_stage, a flow, 3 batches each as by hand", 10_000_000, |items| {
                flow(items, Demand::new(3 * BATCH as usize, 2 * BATCH as usize).expect("2 are fewer than 3"))
            }),
            Peer::task("tokio mpsc of batches, in turn", 10_000_000, in_turn_by_batch),
            Peer::task("async-channel of batches", 10_000_000, channel_of_batches),
            Peer::task("tokio mpsc, one by one, in turn", 1_000_000, in_turn),
            Peer::task("async-channel, one by one", 1_000_000, channel),
        ],
    }
}

/// Items are deliveries: a quarter as many are made.
pub(crate) fn broadcast() -> Workload {
    Workload {
        name: "to all of four",
        expected: |items| sum_of_work(items / 4).wrapping_mul(4),
        peers: vec![
            Peer::task("gen_stage", 10_000_000, |items| ours(Broadcast::new(), items / 4, |to, _| to)),
            Peer::task("gen_stage, read by reference", 10_000_000, by_reference),
            Peer::task("tokio mpsc of shared batches", 10_000_000, shared_batches),
            Peer::task("async-broadcast, one by one", 1_000_000, async_broadcast),
            Peer::task("tokio broadcast, one by one, may lose", 1_000_000, tokio_broadcast),
            Peer::task("tokio mpsc, one by one, to each", 1_000_000, to_each),
        ],
    }
}

pub(crate) fn partition() -> Workload {
    Workload {
        name: "to the one of four it hashes to",
        expected: sum_of_work,
        peers: vec![
            Peer::task("gen_stage", 10_000_000, |items| {
                ours(Partition::hash(CONSUMERS), items, Subscribe::in_partition)
            }),
            // Two in the channel, one that is filled, and one that is read.
            Peer::task("gen_stage, 4 batches each as by hand", 10_000_000, |items| {
                ours(Partition::hash(CONSUMERS), items, |to, n| {
                    to.in_partition(n).demand(4 * BATCH as usize, 3 * BATCH as usize)
                })
            }),
            Peer::task("tokio mpsc of batches", 10_000_000, hashed_batches),
            Peer::task("tokio mpsc, one by one", 1_000_000, hashed),
        ],
    }
}

struct Sum {
    sum: u64,
    total: Arc<AtomicU64>,
}

impl Consumer for Sum {
    type Input = u64;

    async fn handle_items(
        &mut self,
        items: Vec<u64>,
        _: &Upstream,
        _: &mut Control,
    ) -> Result<(), StageError> {
        self.sum = items.into_iter().fold(self.sum, u64::wrapping_add);
        Ok(())
    }

    async fn terminate(&mut self, reason: &Reason) {
        assert!(reason.is_clean(), "{reason}");
        self.total.fetch_add(self.sum, Ordering::Relaxed);
    }
}

/// Says which consumer a subscription is for.
type Options<O> = fn(Subscribe<u64, O>, usize) -> Subscribe<u64, O>;

fn ours<D: Dispatcher<u64>>(
    dispatcher: D,
    items: u64,
    options: Options<D::Options>,
) -> BoxFuture<'static, u64> {
    async move {
        let numbers = from_iter((0..items).map(work)).stage().dispatcher(dispatcher).accumulate().spawn();
        let total = Arc::new(AtomicU64::new(0));
        let consumers = (0..CONSUMERS).map(|n| {
            let sum = Sum { sum: 0, total: Arc::clone(&total) };
            sum.stage().subscribe_to(options(numbers.subscribe(), n)).spawn()
        });
        let consumers: Vec<_> = consumers.collect();
        while numbers.status().await.expect("it waits for all").consumers.len() < CONSUMERS {
            tokio::task::yield_now().await;
        }
        numbers.forward();
        for consumer in consumers {
            consumer.wait().await;
        }
        total.load(Ordering::Relaxed)
    }
    .boxed()
}

/// A lane that makes numbers, and four that sum them up.
fn flow(items: u64, demand: Demand) -> BoxFuture<'static, u64> {
    let sums = Flow::from_iter((0..items).map(work))
        .lanes(1)
        .shuffle()
        .lanes(CONSUMERS)
        .demand(demand.max(), demand.min())
        .reduce(|| 0, |sum: &mut u64, n| *sum = sum.wrapping_add(n))
        .emit_state();
    async { sums.collect::<Vec<_>>().await.into_iter().fold(0, u64::wrapping_add) }.boxed()
}

/// Four tasks, each with a subscription of its own, read batches that they share.
fn by_reference(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let numbers =
            from_iter((0..items / 4).map(work)).stage().dispatcher(Broadcast::new()).accumulate().spawn();
        let mut subscriptions = Vec::new();
        for _ in 0..CONSUMERS {
            subscriptions.push(numbers.subscribe().await.expect("it waits for all"));
        }
        numbers.forward();
        total(subscriptions.into_iter().map(|mut subscription| async move {
            let mut sum = 0;
            while let Some(batch) = subscription.next_shared().await {
                sum = batch.iter().copied().fold(sum, u64::wrapping_add);
            }
            sum
        }))
        .await
    }
    .boxed()
}

/// Sums up what four tasks do.
async fn total<F: Future<Output = u64> + Send + 'static>(consumers: impl IntoIterator<Item = F>) -> u64 {
    let consumers: Vec<_> = consumers.into_iter().map(tokio::spawn).collect();
    join_all(consumers).await.into_iter().map(Result::unwrap).fold(0, u64::wrapping_add)
}

async fn sum_of_batches(mut receiver: mpsc::Receiver<Vec<u64>>) -> u64 {
    let mut sum = 0;
    while let Some(batch) = receiver.recv().await {
        sum = batch.into_iter().fold(sum, u64::wrapping_add);
    }
    sum
}

async fn sum_of_items(mut receiver: mpsc::Receiver<u64>) -> u64 {
    let mut sum = 0u64;
    while let Some(n) = receiver.recv().await {
        sum = sum.wrapping_add(n);
    }
    sum
}

/// The numbers in batches.
fn batches(items: u64) -> impl Iterator<Item = Vec<u64>> {
    (0..items).step_by(BATCH as usize).map(move |from| (from..items.min(from + BATCH)).map(work).collect())
}

fn in_turn_by_batch(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..CONSUMERS).map(|_| mpsc::channel(2)).unzip();
        tokio::spawn(async move {
            for (batch, sender) in batches(items).zip(senders.iter().cycle()) {
                sender.send(batch).await.unwrap();
            }
        });
        total(receivers.into_iter().map(sum_of_batches)).await
    }
    .boxed()
}

fn channel_of_batches(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let (sender, receiver) = async_channel::bounded::<Vec<u64>>(2 * CONSUMERS);
        tokio::spawn(async move {
            for batch in batches(items) {
                sender.send(batch).await.unwrap();
            }
        });
        total((0..CONSUMERS).map(|_| {
            let receiver = receiver.clone();
            async move {
                let mut sum = 0;
                while let Ok(batch) = receiver.recv().await {
                    sum = batch.into_iter().fold(sum, u64::wrapping_add);
                }
                sum
            }
        }))
        .await
    }
    .boxed()
}

fn in_turn(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..CONSUMERS).map(|_| mpsc::channel(1000)).unzip();
        tokio::spawn(async move {
            for (n, sender) in (0..items).map(work).zip(senders.iter().cycle()) {
                sender.send(n).await.unwrap();
            }
        });
        total(receivers.into_iter().map(sum_of_items)).await
    }
    .boxed()
}

fn channel(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let (sender, receiver) = async_channel::bounded(1000 * CONSUMERS);
        tokio::spawn(async move {
            for n in (0..items).map(work) {
                sender.send(n).await.unwrap();
            }
        });
        total((0..CONSUMERS).map(|_| {
            let receiver = receiver.clone();
            async move {
                let mut sum = 0u64;
                while let Ok(n) = receiver.recv().await {
                    sum = sum.wrapping_add(n);
                }
                sum
            }
        }))
        .await
    }
    .boxed()
}

fn shared_batches(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..CONSUMERS).map(|_| mpsc::channel::<Arc<Vec<u64>>>(2)).unzip();
        tokio::spawn(async move {
            for batch in batches(items / 4).map(Arc::new) {
                for sender in &senders {
                    sender.send(Arc::clone(&batch)).await.unwrap();
                }
            }
        });
        total(receivers.into_iter().map(|mut receiver| async move {
            let mut sum = 0;
            while let Some(batch) = receiver.recv().await {
                sum = batch.iter().copied().fold(sum, u64::wrapping_add);
            }
            sum
        }))
        .await
    }
    .boxed()
}

fn async_broadcast(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let (sender, receiver) = async_broadcast::broadcast(1000);
        let receivers: Vec<_> = (0..CONSUMERS).map(|_| receiver.new_receiver()).collect();
        drop(receiver);
        tokio::spawn(async move {
            for n in (0..items / 4).map(work) {
                sender.broadcast_direct(n).await.unwrap();
            }
        });
        total(receivers.into_iter().map(|mut receiver| async move {
            let mut sum = 0u64;
            while let Ok(n) = receiver.recv_direct().await {
                sum = sum.wrapping_add(n);
            }
            sum
        }))
        .await
    }
    .boxed()
}

/// With room for all there is, as it loses what a receiver is late for.
fn tokio_broadcast(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let room = usize::try_from(items / 4).unwrap().max(1);
        let (sender, _) = broadcast::channel(room);
        let receivers: Vec<_> = (0..CONSUMERS).map(|_| sender.subscribe()).collect();
        tokio::spawn(async move {
            for n in (0..items / 4).map(work) {
                sender.send(n).unwrap();
            }
        });
        total(receivers.into_iter().map(|mut receiver| async move {
            let mut sum = 0u64;
            while let Ok(n) = receiver.recv().await {
                sum = sum.wrapping_add(n);
            }
            sum
        }))
        .await
    }
    .boxed()
}

fn to_each(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..CONSUMERS).map(|_| mpsc::channel(1000)).unzip();
        tokio::spawn(async move {
            for n in (0..items / 4).map(work) {
                for sender in &senders {
                    sender.send(n).await.unwrap();
                }
            }
        });
        total(receivers.into_iter().map(sum_of_items)).await
    }
    .boxed()
}

fn hashed_batches(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..CONSUMERS).map(|_| mpsc::channel(2)).unzip();
        tokio::spawn(async move {
            let empty = || Vec::with_capacity(BATCH as usize);
            let mut batches: [Vec<u64>; CONSUMERS] = std::array::from_fn(|_| empty());
            for n in (0..items).map(work) {
                let to = hash_lane(&n, CONSUMERS);
                batches[to].push(n);
                if batches[to].len() == BATCH as usize {
                    senders[to].send(std::mem::replace(&mut batches[to], empty())).await.unwrap();
                }
            }
            for (sender, batch) in senders.iter().zip(batches) {
                sender.send(batch).await.unwrap();
            }
        });
        total(receivers.into_iter().map(sum_of_batches)).await
    }
    .boxed()
}

fn hashed(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..CONSUMERS).map(|_| mpsc::channel(1000)).unzip();
        tokio::spawn(async move {
            for n in (0..items).map(work) {
                senders[hash_lane(&n, CONSUMERS)].send(n).await.unwrap();
            }
        });
        total(receivers.into_iter().map(sum_of_items)).await
    }
    .boxed()
}
