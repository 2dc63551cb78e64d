//! Measures what more lanes and more cores are worth, where the work on an item is worth a lane.
//!
//! ```console
//! $ cargo bench -p benches --bench scaling
//! $ cargo bench -p benches --bench scaling -- --rounds 9
//! ```
//!
//! Prints `cores<TAB>lanes<TAB>ns_per_item<TAB>times_as_fast`: the median over the rounds, and the median of how many
//! times as fast it is as one loop without lanes in the same round. The work is some hundreds of nanoseconds for each
//! number; what comes out is summed up in the lanes.

use futures::executor::block_on;
use gen_stage::Flow;
use std::num::Wrapping;
use std::time::Instant;

const ITEMS: u64 = 1_000_000;
/// Steps of the work on one number.
const STEPS: u64 = 200;
const CORES: [usize; 2] = [1, 2];
const LANES: [usize; 3] = [1, 2, 4];

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let rounds = match args.next().as_deref() {
        Some("--rounds") => args.next().and_then(|n| n.parse().ok()).expect("--rounds takes a number"),
        None => 5,
        Some(other) => panic!("{other} is not known: --rounds N is"),
    };
    let shapes: Vec<_> = CORES.iter().flat_map(|cores| LANES.map(|lanes| (*cores, lanes))).collect();
    let expected = one_loop();
    let mut runs = vec![Vec::new(); shapes.len()];
    for _ in 0..rounds {
        let alone = nanoseconds(|| assert_eq!(one_loop(), expected));
        for ((cores, lanes), runs) in shapes.iter().zip(&mut runs) {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(*cores).build();
            let runtime = runtime.expect("a runtime can be built");
            let flow = Flow::from_iter(0..ITEMS).lanes(*lanes).map(heavy).on(runtime.handle().clone());
            let took = nanoseconds(|| assert_eq!(block_on(flow.sum::<Wrapping<u64>>()), expected));
            runs.push((took, alone / took));
        }
    }
    for ((cores, lanes), runs) in shapes.iter().zip(runs) {
        let (took, times): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
        println!("{cores}\t{lanes}\t{:.0}\t{:.2}", median(took), median(times));
    }
}

/// Some hundreds of nanoseconds of work on one number.
fn heavy(n: u64) -> Wrapping<u64> {
    Wrapping((0..STEPS).fold(n, |n, step| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31) ^ step))
}

fn one_loop() -> Wrapping<u64> {
    (0..ITEMS).map(heavy).sum()
}

/// How long a run takes, in nanoseconds per item.
fn nanoseconds(run: impl FnOnce()) -> f64 {
    let started = Instant::now();
    run();
    started.elapsed().as_nanos() as f64 / ITEMS as f64
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
