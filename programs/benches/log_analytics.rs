//! `log_analytics` beside the same by rayon and by threads, in turn in one run:
//! `cargo bench -p gen_stage_programs --bench log_analytics -- --megabytes 300 --rounds 5`.
//!
//! All read one file that a seed makes, parse its lines by the same function into the same tables, and make the same
//! rows of these; the rows are compared. Each run has a process of its own, as a program has: in one process it would
//! pay for the memory that the runs before it gave back in pieces. It prints the median of milliseconds, and the median
//! of the ratios to the best of those without this crate, in the same round. The best is the one with the lowest median.

#[path = "../tests/programs/logs.rs"]
mod logs;
#[path = "../src/bin/log_analytics.rs"]
#[allow(dead_code, reason = "its command line is not used here")]
mod program;

use bstr::ByteSlice;
use clap::Parser;
use futures::stream;
use gen_stage::blocks::Block;
use gen_stage::files::{UnreadBlock, unread_blocks_of};
use gen_stage::prelude::*;
use indicatif::ProgressBar;
use program::Requests;
use rayon::prelude::*;
use std::fs::{self, File};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::iter;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Instant;

/// Measures `log_analytics` beside others.
#[derive(Parser)]
struct Args {
    /// The size of the log.
    #[arg(long, default_value_t = 300)]
    megabytes: usize,
    /// How often each is measured: 1 or more.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Makes this the process of one run, of the peer with this name.
    #[arg(long, hide = true, requires = "log")]
    peer: Option<String>,
    /// The log that this one reads.
    #[arg(long, hide = true)]
    log: Option<PathBuf>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

const BLOCK: usize = 256 * 1024;

fn cores() -> usize {
    thread::available_parallelism().map_or(1, Into::into)
}

fn add_all(table: &mut Requests, text: &[u8]) {
    ByteSlice::lines(text).for_each(|line| table.add(line));
}

/// The program itself.
fn by_blocks(path: &Path) -> Requests {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(program::count(&[path.to_owned()], &ProgressBar::hidden())).expect("it is read")
}

fn one_table(tables: Vec<Requests>) -> Requests {
    tables.into_iter().reduce(Requests::merge).expect("there is a table")
}

/// The same by a flow of lines, which lanes cut out of blocks: as the docs say.
fn by_lines_of_blocks(path: &Path) -> Requests {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(async {
        let lines = unread_blocks_of(stream::iter([Ok(path.to_owned())]))
            .flow()
            .demand(4, 3)
            .try_map(UnreadBlock::read)
            .flat_map_ok(Block::into_lines)
            .reduce(Requests::default, |table, line| table.add(&line.expect("it is read")));
        one_table(lines.emit_state().collect().await)
    })
}

/// The same by a flow of lines that an iterator makes in the task of the source, each a string.
fn by_lines_of_an_iterator(path: &Path) -> Requests {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(async {
        let file = BufReader::with_capacity(BLOCK, File::open(path).expect("it is there"));
        let lines = Flow::from_iter(file.lines())
            .reduce(Requests::default, |table, line| table.add(line.expect("it is read").as_bytes()));
        one_table(lines.emit_state().collect().await)
    })
}

/// The same by a loop in one thread.
fn by_a_loop(path: &Path) -> Requests {
    let mut table = Requests::default();
    let file = BufReader::with_capacity(BLOCK, File::open(path).expect("it is there"));
    file.lines().for_each(|line| table.add(line.expect("it is read").as_bytes()));
    table
}

/// Blocks of whole lines.
fn text_blocks(path: &Path) -> impl Iterator<Item = Vec<u8>> + Send + use<> {
    let mut file = BufReader::new(File::open(path).expect("it is there"));
    iter::from_fn(move || {
        let mut block = Vec::with_capacity(BLOCK + 4096);
        (&mut file).take(BLOCK as u64).read_to_end(&mut block).expect("it is read");
        file.read_until(b'\n', &mut block).expect("it is read");
        (!block.is_empty()).then_some(block)
    })
}

fn by_rayon_of_blocks(path: &Path) -> Requests {
    let add = |mut table, block: Vec<u8>| {
        add_all(&mut table, &block);
        table
    };
    text_blocks(path).par_bridge().fold(Requests::default, add).reduce(Requests::default, Requests::merge)
}

/// As most programs with rayon do it: all in memory, and then its lines.
fn by_rayon_in_memory(path: &Path) -> Requests {
    let text = fs::read(path).expect("it is read");
    let add = |mut table: Requests, line: &[u8]| {
        table.add(line);
        table
    };
    let lines = text.strip_suffix(b"\n").unwrap_or(&text).par_split(|byte| *byte == b'\n');
    lines.fold(Requests::default, add).reduce(Requests::default, Requests::merge)
}

/// This thread reads, others have tables.
fn by_threads_and_a_channel(path: &Path) -> Requests {
    let (sender, receiver) = mpsc::sync_channel::<Vec<u8>>(4 * cores());
    let receiver = Mutex::new(receiver);
    thread::scope(|scope| {
        let work = || {
            let mut table = Requests::default();
            loop {
                let received = receiver.lock().expect("none panics").recv();
                let Ok(block) = received else { return table };
                add_all(&mut table, &block);
            }
        };
        let workers: Vec<_> = (0..cores()).map(|_| scope.spawn(work)).collect();
        text_blocks(path).for_each(|block| sender.send(block).expect("they read to the end"));
        drop(sender);
        one_table(workers.into_iter().map(|worker| worker.join().expect("it does not panic")).collect())
    })
}

/// Each thread reads a part of the file: for one plain file only.
fn by_threads_with_a_part_each(path: &Path) -> Requests {
    let size = fs::metadata(path).expect("it is there").len();
    let part = size.div_ceil(cores() as u64);
    thread::scope(|scope| {
        let work = |start: u64| {
            let mut file = BufReader::with_capacity(BLOCK, File::open(path).expect("it is there"));
            let mut at = start.saturating_sub(1);
            file.seek(SeekFrom::Start(at)).expect("it can be sought");
            // The line that began before belongs to the part before.
            if start > 0 {
                at += file.skip_until(b'\n').expect("it is read") as u64;
            }
            let (mut table, mut line) = (Requests::default(), Vec::new());
            while at < start + part {
                line.clear();
                match file.read_until(b'\n', &mut line).expect("it is read") {
                    0 => break,
                    read => at += read as u64,
                }
                table.add(line.trim_ascii_end());
            }
            table
        };
        let workers = (0..size).step_by(part as usize).map(|start| scope.spawn(move || work(start)));
        let workers: Vec<_> = workers.collect();
        one_table(workers.into_iter().map(|worker| worker.join().expect("it does not panic")).collect())
    })
}

type Peer = (&'static str, bool, fn(&Path) -> Requests);

const PEERS: [Peer; 8] = [
    ("a flow of blocks: the program", true, by_blocks),
    ("a flow of lines, cut out of blocks in the lanes", true, by_lines_of_blocks),
    ("a flow of lines, made by an iterator in the source", true, by_lines_of_an_iterator),
    ("a loop over lines, in one thread", false, by_a_loop),
    ("rayon over blocks", false, by_rayon_of_blocks),
    ("rayon over lines, all in memory", false, by_rayon_in_memory),
    ("threads and a channel of blocks", false, by_threads_and_a_channel),
    ("threads, a part of the file each", false, by_threads_with_a_part_each),
];

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What a run gave.
struct Run {
    /// How many seconds it took.
    took: f64,
    /// A hash of the rows.
    rows: u64,
}

/// Counts the log in this process, and prints what [`run`] reads.
fn serve(peer: &str, log: &Path) {
    let (_, _, count) = PEERS.iter().find(|(name, ..)| *name == peer).expect("there is this peer");
    let start = Instant::now();
    let rows = count(log).rows();
    let took = start.elapsed().as_secs_f64();
    println!("{took} {}", BuildHasherDefault::<DefaultHasher>::default().hash_one(rows));
}

/// Counts the log in a process of its own.
fn run(peer: &str, log: &Path) -> Run {
    let program = std::env::current_exe().expect("this program has a path");
    let run = Command::new(program).args(["--peer", peer, "--log"]).arg(log).output();
    let run = run.expect("this program starts again");
    let printed = String::from_utf8_lossy(&run.stdout);
    let (took, rows) = printed.trim().split_once(' ').unwrap_or_else(|| panic!("{peer}: {run:?}"));
    Run { took: took.parse().expect("seconds"), rows: rows.parse().expect("a hash") }
}

fn main() {
    let args = Args::parse();
    if let (Some(peer), Some(log)) = (&args.peer, &args.log) {
        return serve(peer, log);
    }
    let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("access-{}.log", std::process::id()));
    fs::write(&log, logs::log(7, args.megabytes * 1_000_000, 1000)).expect("there is room");
    let by_hand = PEERS.iter().find(|(_, ours, _)| !ours).expect("there are others");
    let expected = run(by_hand.0, &log).rows;
    let rounds: Vec<Vec<f64>> = (0..args.rounds)
        .map(|_| {
            let measured = PEERS.iter().map(|(name, ..)| {
                let run = run(name, &log);
                assert!(run.rows == expected, "{name} finds something else");
                run.took
            });
            measured.collect()
        })
        .collect();
    fs::remove_file(&log).expect("it is there");
    let took = |peer: usize| median(rounds.iter().map(|round| round[peer]).collect());
    let others = (0..PEERS.len()).filter(|peer| !PEERS[*peer].1);
    let best = others.min_by(|a, b| took(*a).total_cmp(&took(*b))).expect("there are others");
    println!("peer\tmilliseconds\tratio_to_best");
    for (peer, (name, ..)) in PEERS.iter().enumerate() {
        let ratio = median(rounds.iter().map(|round| round[peer] / round[best]).collect());
        println!("{name}\t{:.0}\t{ratio:.2}", took(peer) * 1000.0);
    }
}
