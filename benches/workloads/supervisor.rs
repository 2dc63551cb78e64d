//! A task for each item, which has next to nothing to do: what it costs to start, watch and reap one.

use super::{Peer, Workload, sum_of_work, work};
use futures::future::BoxFuture;
use futures::{FutureExt, SinkExt, StreamExt, stream};
use gen_stage::supervisor::{ChildSpec, DynamicSupervisor, StreamSupervised};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

const ITEMS: u64 = 1_000_000;
/// How many tasks there may be at a time.
const TASKS: usize = 1000;
/// How many have ended when ours starts more: fewer than a worker's queue holds.
const AT_ONCE: usize = 100;

pub(crate) fn workload() -> Workload {
    Workload {
        name: "a task for each item",
        expected: sum_of_work,
        peers: vec![
            Peer::task("gen_stage, DynamicSupervisor", ITEMS, ours),
            Peer::task("gen_stage, DynamicSupervisor by forward", ITEMS, forwarded),
            Peer::task("gen_stage, supervised (results come out)", ITEMS, supervised),
            Peer::task("tokio spawn and Semaphore", ITEMS, spawned),
            Peer::task("tokio JoinSet and Semaphore", ITEMS, join_set),
            Peer::task("tokio-util TaskTracker and Semaphore", ITEMS, task_tracker),
            Peer::task("futures for_each_concurrent", ITEMS, for_each_concurrent),
        ],
    }
}

async fn add(n: u64, sum: &AtomicU64) {
    sum.fetch_add(work(n), Ordering::Relaxed);
}

fn total(sum: &AtomicU64) -> u64 {
    sum.load(Ordering::Relaxed)
}

fn ours(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let sum = Arc::new(AtomicU64::new(0));
        let mut supervisor = supervisor(&sum);
        supervisor.start_all(stream::iter(0..items)).await.unwrap();
        supervisor.close().await.unwrap();
        total(&sum)
    }
    .boxed()
}

fn forwarded(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let sum = Arc::new(AtomicU64::new(0));
        stream::iter(0..items).map(Ok).forward(supervisor(&sum)).await.unwrap();
        total(&sum)
    }
    .boxed()
}

fn supervisor(sum: &Arc<AtomicU64>) -> DynamicSupervisor<u64, impl ChildSpec<u64> + use<>> {
    let sum = Arc::clone(sum);
    DynamicSupervisor::new(move |n| {
        let sum = Arc::clone(&sum);
        async move { add(n, &sum).await }
    })
    .max_demand(TASKS, TASKS - AT_ONCE)
}

fn supervised(items: u64) -> BoxFuture<'static, u64> {
    stream::iter(0..items)
        .supervised(TASKS, |n| async move { work(n) })
        .key(|_| ())
        .fold(0, |sum: u64, (_, worked)| async move { sum.wrapping_add(worked.unwrap()) })
        .boxed()
}

fn spawned(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let sum = Arc::new(AtomicU64::new(0));
        let places = Arc::new(Semaphore::new(TASKS));
        for n in 0..items {
            let place = Arc::clone(&places).acquire_owned().await.unwrap();
            let sum = Arc::clone(&sum);
            tokio::spawn(async move {
                add(n, &sum).await;
                drop(place);
            });
        }
        let _all = places.acquire_many(TASKS as u32).await.unwrap();
        total(&sum)
    }
    .boxed()
}

fn join_set(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let sum = Arc::new(AtomicU64::new(0));
        let places = Arc::new(Semaphore::new(TASKS));
        let mut tasks = JoinSet::new();
        for n in 0..items {
            let place = Arc::clone(&places).acquire_owned().await.unwrap();
            while let Some(ended) = tasks.try_join_next() {
                ended.unwrap();
            }
            let sum = Arc::clone(&sum);
            tasks.spawn(async move {
                add(n, &sum).await;
                drop(place);
            });
        }
        tasks.join_all().await;
        total(&sum)
    }
    .boxed()
}

fn task_tracker(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let sum = Arc::new(AtomicU64::new(0));
        let places = Arc::new(Semaphore::new(TASKS));
        let tasks = TaskTracker::new();
        for n in 0..items {
            let place = Arc::clone(&places).acquire_owned().await.unwrap();
            let sum = Arc::clone(&sum);
            tasks.spawn(async move {
                add(n, &sum).await;
                drop(place);
            });
        }
        tasks.close();
        tasks.wait().await;
        total(&sum)
    }
    .boxed()
}

fn for_each_concurrent(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let sum = AtomicU64::new(0);
        stream::iter(0..items).for_each_concurrent(TASKS, |n| add(n, &sum)).await;
        sum.into_inner()
    }
    .boxed()
}
