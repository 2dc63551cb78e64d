//! A process that has one peer, and runs it when it is told to.
//!
//! In one process a run pays for what the peers before it left. A million small pieces of memory that one peer gives
//! back are put together when another asks for a large one, and that can take twice as long as its own work.

use crate::workloads::{self, Peer, Workload};
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;
use tokio::runtime::Runtime;

/// Makes this program such a process: the name of a workload and of a peer come after it.
pub(crate) const ARGUMENT: &str = "--alone";

const RUN: &str = "run";
const MEMORY: &str = "memory";

pub(crate) struct Alone {
    process: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    name: String,
}

impl Alone {
    /// Starts the process. Before it answers, it has run the peer once, and what the peer reads is made.
    pub(crate) fn start(workload: &Workload, peer: &Peer) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut process = Command::new(program)
            .args([ARGUMENT, workload.name, peer.name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts again");
        let asks = process.stdin.take().expect("it is piped");
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        Self { process, asks, answers, name: format!("{}: {}", workload.name, peer.name) }
    }

    /// How many nanoseconds one run took per item.
    pub(crate) fn run(&mut self) -> f64 {
        self.ask(RUN)
    }

    /// How many megabytes the process had at most until now: on Linux, which says so.
    pub(crate) fn megabytes(&mut self) -> f64 {
        self.ask(MEMORY) / 1024.0
    }

    fn ask(&mut self, what: &str) -> f64 {
        let mut answer = String::new();
        let asked = writeln!(self.asks, "{what}").and_then(|()| self.answers.read_line(&mut answer));
        answer.trim().parse().unwrap_or_else(|_| panic!("{}: {asked:?}, {answer:?}", self.name))
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // It may have ended by itself, after a panic.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the process does: one run that is not timed, and then what each line asks for.
pub(crate) fn serve(workload: &str, peer: &str) {
    let workload =
        workloads::all().into_iter().find(|each| each.name == workload).expect("there is this workload");
    let peer = workload.peers.iter().find(|each| each.name == peer).expect("there is this peer");
    let runtime = workloads::runtime();
    check(&workload, peer, peer.items, &runtime);
    for ask in io::stdin().lines() {
        match ask.expect("the other process writes lines").as_str() {
            RUN => println!("{}", time(peer, &runtime)),
            MEMORY => println!("{}", kilobytes()),
            ask => panic!("{ask}: not known"),
        }
    }
}

/// Runs a peer and sees that it does the job.
pub(crate) fn check(workload: &Workload, peer: &Peer, items: u64, runtime: &Runtime) {
    let expected = (workload.expected)(items);
    assert_eq!(peer.run(runtime, items), expected, "{}: {}", workload.name, peer.name);
}

fn time(peer: &Peer, runtime: &Runtime) -> f64 {
    let started = Instant::now();
    std::hint::black_box(peer.run(runtime, std::hint::black_box(peer.items)));
    started.elapsed().as_nanos() as f64 / peer.items as f64
}

fn kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux says how much memory it had");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line with the most");
    most.trim().trim_end_matches(" kB").parse().expect("it is a number")
}
