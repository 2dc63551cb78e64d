//! One crossing between two tasks: an edge, beside channels of tokio's that carry batches or items.
//!
//! ```console
//! $ cargo bench -p benches --bench edge
//! ```

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gen_stage::Demand;
use gen_stage::edge::edge;
use gen_stage::lane::{Each, Lane};
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Poll, ready};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

const ITEMS: u64 = 200_000;

/// Sends the numbers below [`ITEMS`] over an edge and sums them up.
async fn over_an_edge(demand: Demand) -> u64 {
    let (mut sender, mut receiver) = edge(demand);
    let sending = tokio::spawn(async move {
        let (mut next, mut batch) = (0, Vec::new());
        while next < ITEMS {
            let Ok(open) = sender.ready().await else { return };
            let end = ITEMS.min(next + open.min(demand.batch()) as u64);
            batch.extend(next..end);
            next = end;
            if sender.send(&mut batch).is_err() {
                return;
            }
        }
        sender.finish();
    });
    let mut sum = 0;
    poll_fn(|cx| {
        loop {
            let each = &mut |n| {
                sum += n;
                ControlFlow::Continue(())
            };
            if ready!(Pin::new(&mut receiver).poll_each(cx, each)) == Each::Ended {
                return Poll::Ready(());
            }
        }
    })
    .await;
    sending.await.expect("the sender does not panic");
    sum
}

async fn over_mpsc_of_batches(length: u64) -> u64 {
    let (sender, mut receiver) = mpsc::channel::<Vec<u64>>(2);
    tokio::spawn(async move {
        for from in (0..ITEMS).step_by(length as usize) {
            let batch = (from..ITEMS.min(from + length)).collect();
            if sender.send(batch).await.is_err() {
                return;
            }
        }
    });
    let mut sum = 0;
    while let Some(batch) = receiver.recv().await {
        sum += batch.into_iter().sum::<u64>();
    }
    sum
}

async fn over_mpsc_of_items(capacity: usize) -> u64 {
    let (sender, mut receiver) = mpsc::channel(capacity);
    tokio::spawn(async move {
        for n in 0..ITEMS {
            if sender.send(n).await.is_err() {
                return;
            }
        }
    });
    let mut sum = 0;
    while let Some(n) = receiver.recv().await {
        sum += n;
    }
    sum
}

fn run(runtime: &Runtime, crossing: impl Future<Output = u64> + Send + 'static) {
    let sum = runtime.block_on(runtime.spawn(crossing)).expect("no peer panics");
    assert_eq!(sum, (0..ITEMS).sum::<u64>());
}

fn crossings(criterion: &mut Criterion) {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().expect("a runtime can be built");
    let mut group = criterion.benchmark_group("edge");
    group.throughput(Throughput::Elements(ITEMS)).sample_size(10);
    for max in [1, 10, 100, 1000] {
        let demand = Demand::up_to(max).expect("at least 1");
        let length = demand.batch() as u64;
        group.bench_function(BenchmarkId::new("edge", max), |b| {
            b.iter(|| run(&runtime, over_an_edge(demand)));
        });
        group.bench_function(BenchmarkId::new("mpsc of batches", max), |b| {
            b.iter(|| run(&runtime, over_mpsc_of_batches(length)));
        });
        group.bench_function(BenchmarkId::new("mpsc of items", max), |b| {
            b.iter(|| run(&runtime, over_mpsc_of_items(max)));
        });
    }
    group.finish();
}

criterion_group!(benches, crossings);
criterion_main!(benches);
