//! Measures this crate beside others that do the same job, in turn in one run, each in a process of its own. All of a
//! workload are there at once, each with its own input.
//!
//! ```console
//! $ cargo bench -p benches --bench compare                   # every workload
//! $ cargo bench -p benches --bench compare -- partition      # those whose names contain a word
//! $ cargo bench -p benches --bench compare -- --rounds 9     # the medians of so many runs each, 5 unless said
//! $ cargo bench -p benches --bench compare -- --memory       # the memory that each peer takes, instead of its time
//! $ cargo bench -p benches --bench compare -- --check        # only that every peer does the job, on less
//! ```
//!
//! Prints `workload<TAB>peer<TAB>ns_per_item<TAB>ratio_to_ours`: the median over the rounds, and the median of the
//! ratios to this crate's run in the same round. A ratio above 1 is slower than this crate. With `--memory` it prints
//! `workload<TAB>peer<TAB>megabytes`: the most memory that the process had for one run.

mod alone;
mod workloads;

use alone::Alone;
use workloads::Workload;

fn main() {
    let mut rounds = 5;
    let (mut check, mut memory) = (false, false);
    let mut words = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            // Passed by cargo.
            "--bench" => {}
            "--check" => check = true,
            "--memory" => memory = true,
            alone::ARGUMENT => {
                return alone::serve(&args.next().expect("a workload"), &args.next().expect("a peer"));
            }
            "--rounds" => rounds = args.next().and_then(|n| n.parse().ok()).expect("--rounds takes a number"),
            _ => words.push(arg),
        }
    }
    let runtime = workloads::runtime();
    for workload in workloads::all() {
        if !words.is_empty() && !words.iter().any(|word| workload.name.contains(word.as_str())) {
            continue;
        }
        if check {
            for peer in &workload.peers {
                alone::check(&workload, peer, peer.items / 10, &runtime);
            }
            println!("{}\tall {} peers agree", workload.name, workload.peers.len());
            continue;
        }
        if memory {
            for peer in &workload.peers {
                println!(
                    "{}\t{}\t{:.1}",
                    workload.name,
                    peer.name,
                    Alone::start(&workload, peer).megabytes()
                );
            }
            continue;
        }
        let measured = measure(&workload, rounds);
        for (peer, runs) in workload.peers.iter().zip(&measured) {
            let ratios = runs.iter().zip(&measured[0]).map(|(theirs, ours)| theirs / ours).collect();
            let ns = median(runs.clone());
            println!("{}\t{}\t{ns:.2}\t{:.2}", workload.name, peer.name, median(ratios));
        }
    }
}

/// Nanoseconds per item of each peer in each round.
fn measure(workload: &Workload, rounds: usize) -> Vec<Vec<f64>> {
    let mut peers: Vec<_> = workload.peers.iter().map(|peer| Alone::start(workload, peer)).collect();
    // The first answer of a process comes after what it does at its start: no other is to be timed meanwhile.
    peers.iter_mut().for_each(|peer| _ = peer.run());
    let mut runs = vec![Vec::new(); peers.len()];
    for _ in 0..rounds {
        for (peer, runs) in peers.iter_mut().zip(&mut runs) {
            runs.push(peer.run());
        }
    }
    runs
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
