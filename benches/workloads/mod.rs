//! What is measured: the same job done by this crate and by others, each checked against the expected result.

pub(crate) mod fan_out;
pub(crate) mod join;
pub(crate) mod linear;
pub(crate) mod map_async;
pub(crate) mod one_by_one;
pub(crate) mod ordered;
pub(crate) mod partition;
pub(crate) mod supervisor;
pub(crate) mod text;
pub(crate) mod windows;
pub(crate) mod word_count;

use futures::future::BoxFuture;
use std::cell::Cell;
use std::rc::Rc;
use tokio::runtime::Runtime;

/// The lanes, threads and workers of every parallel peer.
pub(crate) const LANES: usize = 2;
/// Items of a batch, which is what the default demand of 1000 and 500 makes of it.
pub(crate) const BATCH: u64 = 500;

/// One way to do the job of a workload.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// How many items a run takes, chosen so that runs are some tenths of a second.
    pub(crate) items: u64,
    /// Does the job with so many items and returns a sum over the result.
    pub(crate) run: Run,
}

pub(crate) enum Run {
    /// On threads of its own, or none.
    Blocking(fn(u64) -> u64),
    /// As a task of the runtime.
    Task(fn(u64) -> BoxFuture<'static, u64>),
}

pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// What `run` returns for so many items.
    pub(crate) expected: fn(u64) -> u64,
    /// Ours first.
    pub(crate) peers: Vec<Peer>,
}

impl Peer {
    pub(crate) fn blocking(name: &'static str, items: u64, run: fn(u64) -> u64) -> Self {
        let run = Run::Blocking(run);
        Self { name, items, run }
    }

    pub(crate) fn task(name: &'static str, items: u64, run: fn(u64) -> BoxFuture<'static, u64>) -> Self {
        let run = Run::Task(run);
        Self { name, items, run }
    }

    pub(crate) fn run(&self, runtime: &Runtime, items: u64) -> u64 {
        match self.run {
            Run::Blocking(run) => run(items),
            Run::Task(run) => {
                let task = runtime.spawn(run(items));
                runtime.block_on(task).expect("a peer does not panic")
            }
        }
    }
}

pub(crate) fn all() -> Vec<Workload> {
    vec![
        linear::workload(),
        partition::workload(),
        one_by_one::workload(),
        fan_out::by_demand(),
        fan_out::broadcast(),
        fan_out::partition(),
        map_async::ready(),
        map_async::sleeping(),
        ordered::map(),
        ordered::sleeping(),
        windows::workload(),
        supervisor::workload(),
        word_count::split(),
        word_count::shuffle_every_word(),
        join::workload(),
    ]
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(LANES)
        .enable_all()
        .build()
        .expect("a runtime can be built")
}

/// What a worker of timely adds up.
pub(crate) type WorkerSum = Rc<Cell<u64>>;

/// Sets up `job` on as many workers of timely as there are lanes, each a thread, runs it to its end, and returns the sum
/// of their sums.
pub(crate) fn on_timely(job: impl Fn(&mut timely::worker::Worker, WorkerSum) + Send + Sync + 'static) -> u64 {
    let workers = timely::execute(timely::Config::process(LANES), move |worker| {
        let sum = WorkerSum::default();
        job(worker, Rc::clone(&sum));
        while worker.step_or_park(None) {}
        sum.get()
    });
    let sums = workers.expect("threads can be started").join().into_iter();
    sums.map(|sum| sum.expect("a worker does not panic")).fold(0, u64::wrapping_add)
}

/// The work on one number: little, so that what is measured is the way there.
#[inline]
pub(crate) fn work(n: u64) -> u64 {
    n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (n >> 7)
}

pub(crate) fn sum_of_work(items: u64) -> u64 {
    (0..items).map(work).fold(0, u64::wrapping_add)
}
