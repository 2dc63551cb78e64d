//! Random chains of flows, read at random, beside a model in a row.
//!
//! ```console
//! $ cargo test --test soak_flows                                          # a short run
//! $ cargo test --release --test soak_flows -- --rounds 20000 --seed 7     # a long one
//! $ cargo test --test soak_flows -- --seed 1234 --rounds 1                # the chain of one seed again
//! ```
//!
//! A chain is one to four layers, each of any kind of operator, with 1 to 8 lanes and a demand of 1 to 1000, over a source
//! that is not ready at random; on one thread, or on 1, 2 or 4 workers. It is read in one of eight ways, one of which
//! stops before the end. What came is compared with the model: number by number where an order is promised. After that,
//! every item must have been freed, no task be left, and what lanes have sent must be what others have taken.

#[path = "../arguments.rs"]
mod arguments;
mod item;
mod layers;
mod model;
mod moody;
#[path = "../random.rs"]
mod random;
mod readers;

use crate::item::{Items, item};
use crate::model::Model;
use crate::moody::Moody;
use crate::random::Random;
use crate::readers::Read;
use gen_stage::flow::Monitor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

const HELP: &str = "\
Random chains of flows, read at random, beside a model in a row.

cargo test --test soak_flows                                        a short run, as part of `cargo test`
cargo test --release --test soak_flows -- --rounds 20000 --seed 7   a long one
cargo test --test soak_flows -- --seed 1234 --rounds 1              the chain of one seed again

  --rounds N      how many chains; chain i has the seed SEED + i
  --seed N        the seed of the first chain, 1 unless said
  --keep-going    goes on after a chain that went wrong
  --help          this text

Any other word is a filter for the names of tests: the chains run if `soak_flows` contains it.";

/// Chains of a run that is not told how many: some seconds without optimisation.
const SHORT: u64 = 120;
/// For a chain to be read, and for its tasks to be gone.
const LIMIT: Duration = Duration::from_secs(30);
/// What comes out of a layer may be more than went in; no more layers are put on so many.
const MOST: usize = 60_000;

/// What the chains of a run have done.
#[derive(Default)]
struct Totals {
    whole: u64,
    left: u64,
    items: u64,
}

/// The runtimes that chains run on, by turns: one thread, and 1, 2 or 4 workers.
struct Runtimes(Vec<Runtime>);

impl Runtimes {
    fn new() -> Self {
        Self([0, 1, 2, 4].map(Self::make).into())
    }

    fn make(workers: usize) -> Runtime {
        let runtime = match workers {
            0 => Builder::new_current_thread().enable_all().build(),
            _ => Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
        };
        runtime.expect("a runtime can be made")
    }

    /// Leaves behind what hangs in a runtime.
    fn replace(&mut self, at: usize) {
        let hung = std::mem::replace(&mut self.0[at], Self::make([0, 1, 2, 4][at]));
        hung.shutdown_background();
        item::forget_the_living();
    }
}

/// Runs the chain of a seed, and returns what it was and what was wrong with it.
fn round(seed: u64, runtimes: &mut Runtimes, totals: &mut Totals) -> (String, Option<String>) {
    let mut random = Random(seed);
    let at = random.below(runtimes.0.len());
    let chain = Mutex::new(String::new());
    let runtime = &runtimes.0[at];
    let read = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            // What is built and read is in the task that is given up when it hangs.
            let reading = run(&mut random, &chain);
            tokio::time::timeout(LIMIT, reading).await.ok()
        })
    }));
    let wrong = match read {
        Err(_) => Some("it panicked".to_owned()),
        Ok(None) => Some("it hangs".to_owned()),
        Ok(Some((read, model))) => {
            totals.items += read.numbers.len() as u64;
            if read.whole {
                totals.whole += 1;
                let miscounted = model.monitors.iter().find_map(miscounted);
                model.differs(read.numbers).or(miscounted)
            } else {
                totals.left += 1;
                None
            }
        }
    };
    let wrong = wrong.or_else(|| left_behind(runtime));
    if wrong.is_some() {
        runtimes.replace(at);
    }
    let chain = std::mem::take(&mut *chain.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    (format!("runtime {at}:{chain}"), wrong)
}

/// Builds a chain and reads it.
async fn run(random: &mut Random, chain: &Mutex<String>) -> (Read, Model) {
    let tell = |word: &str| {
        let mut chain = chain.lock().expect("nobody panics with it");
        chain.push(' ');
        chain.push_str(word);
    };
    let numbers = random.pick(&[0, 1, 2, 10, 50, 200, 200, 1500]);
    let mut numbers: Vec<u64> = (0..numbers).map(|_| random.below(1000) as u64).collect();
    if random.chance(33) {
        numbers.sort_unstable();
    }
    let mut model = Model::new(numbers.clone());
    let mood = random.pick(&[0, 0, 1, 3]);
    let mut items: Items = Box::pin(Moody::new(numbers.into_iter().map(item), random.fork(), mood));
    for _ in 0..random.between(1, 4) {
        let (name, layer) = layers::add(items, random, &mut model);
        tell(&name);
        items = layer;
        if model.numbers.len() > MOST {
            break;
        }
    }
    let (way, read) = readers::read(items, random).await;
    tell(way);
    (read, model)
}

/// What is wrong with the numbers of a flow that was read to its end.
fn miscounted(monitor: &Monitor) -> Option<String> {
    let stats = monitor.stats();
    let lanes = || stats.layers.iter().flat_map(|layer| &layer.lanes);
    let sent: u64 = lanes().map(|lane| lane.sent).sum();
    let arrived: u64 = lanes().map(|lane| lane.taken + lane.discarded).sum::<u64>() + stats.read;
    (sent != arrived).then(|| format!("{sent} were sent and {arrived} arrived:\n{stats}"))
}

/// Waits until the tasks and items of a chain are gone, and says what is not.
fn left_behind(runtime: &Runtime) -> Option<String> {
    let end = Instant::now() + LIMIT;
    loop {
        let (tasks, items) = (runtime.metrics().num_alive_tasks(), item::alive());
        if (tasks, items) == (0, 0) {
            return None;
        }
        if Instant::now() > end {
            return Some(format!("{tasks} tasks and {items} items are left"));
        }
        runtime.block_on(async { tokio::time::sleep(Duration::from_micros(100)).await });
    }
}

fn main() {
    let Some(arguments) = arguments::read("soak_flows", HELP, SHORT, |_, _| false) else { return };
    let (mut runtimes, mut totals, mut rounds, mut failed) = (Runtimes::new(), Totals::default(), 0, 0);
    for seed in (arguments.seed..).take(arguments.rounds as usize) {
        rounds += 1;
        let (chain, wrong) = round(seed, &mut runtimes, &mut totals);
        if let Some(wrong) = wrong {
            failed += 1;
            eprintln!("soak_flows: a chain went wrong: {wrong}.\n- {chain}");
            eprintln!("Repeat it: cargo test --test soak_flows -- --seed {seed} --rounds 1");
            if !arguments.keep_going {
                break;
            }
        } else if arguments.rounds == 1 {
            println!("{chain}");
        }
    }
    let Totals { whole, left, items } = totals;
    println!(
        "soak_flows: {rounds} chains, {whole} read to the end and {left} left before it, {items} items read"
    );
    if failed > 0 {
        eprintln!("soak_flows: {failed} chains went wrong");
        std::process::exit(1);
    }
}
