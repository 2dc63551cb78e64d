//! The workloads of `compare` under criterion, at a size for watching them from change to change.
//!
//! ```console
//! $ cargo bench -p benches --bench flow                  # everything
//! $ cargo bench -p benches --bench flow -- partition     # what has this word in its name
//! ```

mod workloads;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn flow(criterion: &mut Criterion) {
    let runtime = workloads::runtime();
    for workload in workloads::all() {
        let mut group = criterion.benchmark_group(workload.name);
        group.sample_size(10);
        for peer in &workload.peers {
            let items = peer.items / 20;
            assert_eq!(peer.run(&runtime, items), (workload.expected)(items), "{}", peer.name);
            group.throughput(Throughput::Elements(items));
            group.bench_function(BenchmarkId::from_parameter(peer.name), |bencher| {
                bencher.iter(|| peer.run(&runtime, items));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, flow);
criterion_main!(benches);
