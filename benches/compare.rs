//! Measures this crate beside others that do the same job, in turn in one run.
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
//! `workload<TAB>peer<TAB>megabytes`: the most memory that a process had which did nothing but this run.

mod workloads;

use std::process::Command;
use std::time::Instant;
use workloads::{Peer, Workload};

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
            // One run, in a process that was started by `--memory`.
            ONE_RUN => return one_run(&args.next().expect("a workload"), &args.next().expect("a peer")),
            "--rounds" => rounds = args.next().and_then(|n| n.parse().ok()).expect("--rounds takes a number"),
            _ => words.push(arg),
        }
    }
    let runtime = workloads::runtime();
    for workload in workloads::all() {
        if !words.is_empty() && !words.iter().any(|word| workload.name.contains(word.as_str())) {
            continue;
        }
        if memory {
            for peer in &workload.peers {
                println!("{}\t{}\t{:.1}", workload.name, peer.name, megabytes(&workload, peer));
            }
            continue;
        }
        for peer in &workload.peers {
            check_result(&workload, peer, peer.items / 10, &runtime);
        }
        if check {
            println!("{}\tall {} peers agree", workload.name, workload.peers.len());
            continue;
        }
        let measured = measure(&workload, rounds, &runtime);
        for (peer, runs) in workload.peers.iter().zip(&measured) {
            let ratios = runs.iter().zip(&measured[0]).map(|(theirs, ours)| theirs / ours).collect();
            let ns = median(runs.clone());
            println!("{}\t{}\t{ns:.2}\t{:.2}", workload.name, peer.name, median(ratios));
        }
    }
}

/// Nanoseconds per item of each peer in each round.
fn measure(workload: &Workload, rounds: usize, runtime: &tokio::runtime::Runtime) -> Vec<Vec<f64>> {
    // Once to warm up; what a run reads is made by this too, before it is timed.
    for peer in &workload.peers {
        check_result(workload, peer, peer.items, runtime);
    }
    let mut runs = vec![Vec::new(); workload.peers.len()];
    for _ in 0..rounds {
        for (peer, runs) in workload.peers.iter().zip(&mut runs) {
            runs.push(time(peer, runtime));
        }
    }
    runs
}

/// Runs a peer and sees that it does the job.
fn check_result(workload: &Workload, peer: &Peer, items: u64, runtime: &tokio::runtime::Runtime) {
    let expected = (workload.expected)(items);
    assert_eq!(peer.run(runtime, items), expected, "{}: {}", workload.name, peer.name);
}

fn time(peer: &Peer, runtime: &tokio::runtime::Runtime) -> f64 {
    let started = Instant::now();
    std::hint::black_box(peer.run(runtime, std::hint::black_box(peer.items)));
    started.elapsed().as_nanos() as f64 / peer.items as f64
}

const ONE_RUN: &str = "--one-run";

/// The most memory that a process of its own had for one run of a peer.
fn megabytes(workload: &Workload, peer: &Peer) -> f64 {
    let compare = std::env::current_exe().expect("this program has a path");
    let run =
        Command::new(compare).args([ONE_RUN, workload.name, peer.name]).output().expect("it starts again");
    let kilobytes = String::from_utf8_lossy(&run.stdout).trim().parse::<f64>();
    kilobytes.unwrap_or_else(|_| panic!("{}: {}: {run:?}", workload.name, peer.name)) / 1024.0
}

/// Runs one peer once, and prints how many kilobytes this process had at most: on Linux, which says so.
fn one_run(workload: &str, peer: &str) {
    let workload =
        workloads::all().into_iter().find(|each| each.name == workload).expect("there is this workload");
    let peer = workload.peers.iter().find(|each| each.name == peer).expect("there is this peer");
    check_result(&workload, peer, peer.items, &workloads::runtime());
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux says how much memory it had");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line with the most");
    println!("{}", most.trim().trim_end_matches(" kB"));
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
