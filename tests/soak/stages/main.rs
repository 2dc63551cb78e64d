//! Random pipelines of stages, through random events, with every item accounted for at the end.
//!
//! ```console
//! $ cargo test --test soak_stages                                        # a short run
//! $ cargo test --release --test soak_stages -- --rounds 5000 --seed 7    # a long one
//! $ cargo test --test soak_stages -- --seed 1234 --rounds 1              # the round of one seed again
//! ```
//!
//! A round is of one of three kinds. In a *gentle* one nothing fails and nobody leaves: every item has to arrive. In a
//! *busy* one consumers and readers come and go, and then everything is read to the end: nothing may be stuck. In a
//! *rough* one callbacks fail and panic too, stages are stopped, aborted and dropped, and in the end all must be gone,
//! with every item counted. Each runs twice: on one thread with a paused clock, where a hang shows at once, and on two
//! workers.

#[path = "../arguments.rs"]
mod arguments;
#[path = "../random.rs"]
mod random;
mod readers;
mod script;
mod stages;
mod watched;
mod world;

use crate::random::Random;
use crate::script::Script;
use crate::world::{Form, Kind, World, expected_panic, lock};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const HELP: &str = "\
Random pipelines of stages, with every item accounted for at the end.

cargo test --test soak_stages                                        a short run, as part of `cargo test`
cargo test --release --test soak_stages -- --rounds 5000 --seed 7    a long one
cargo test --test soak_stages -- --seed 1234 --rounds 1              the round of one seed again

  --rounds N      how many rounds; round i has the seed SEED + i
  --seed N        the seed of the first round, 1 unless said
  --form F        one: one thread and a paused clock; two: two workers; both, unless said
  --kind K        gentle, busy or rough rounds only; unless said, the seed decides
  --keep-going    goes on after a round that failed
  --help          this text

Any other word is a filter for the names of tests: the rounds run if `soak_stages` contains it.";

/// Rounds of a run that is not told how many: some seconds without optimisation.
const SHORT: u64 = 200;
/// For a round on two workers, and for the events of one on one thread.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Totals {
    rounds: u64,
    stages: u64,
    items: u64,
    panics: u64,
}

/// Panics that nobody meant, as the hook saw them.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Runs a round, and returns what was wrong with it.
fn round(seed: u64, form: Form, kind: Option<Kind>, totals: &mut Totals) -> Vec<String> {
    let mut random = Random(seed);
    let any = random.pick(&[Kind::Gentle, Kind::Busy, Kind::Rough, Kind::Rough]);
    let kind = kind.unwrap_or(any);
    let world = Arc::new(World {
        form,
        kind,
        items: Arc::default(),
        states: Arc::default(),
        read: AtomicU64::new(0),
        panics: AtomicU64::new(0),
        faults: Mutex::default(),
        subs: Mutex::default(),
        stop: CancellationToken::new(),
    });
    let runtime = match form {
        Form::One => tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build(),
        Form::Two => tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build(),
    };
    let runtime = runtime.expect("a runtime can be made");
    let mut script = Script::new(&world, random);
    let hung = runtime.block_on(async {
        let limited = tokio::time::timeout(LIMIT, AssertUnwindSafe(script.run()).catch_unwind());
        let ended = match limited.await {
            Ok(Ok(())) => return false,
            Ok(Err(_)) => "the test panicked".to_owned(),
            Err(_) => format!("it hangs:{}", script.stuck().await),
        };
        world.fault(ended);
        true
    });
    if hung {
        runtime.shutdown_background();
    } else {
        drop(runtime);
        script.check();
    }
    totals.rounds += 1;
    totals.stages += script.slots.len() as u64;
    totals.items += world.read.load(SeqCst);
    totals.panics += world.panics.load(SeqCst);
    drop(script);
    let (items, states) = (world.items.load(SeqCst), world.states.load(SeqCst));
    world.check(hung || (items, states) == (0, 0), || format!("alive: {items} items and {states} stages"));
    let mut faults = std::mem::take(&mut *lock(&world.faults));
    faults.extend(lock(&PANICS).drain(..).map(|text| format!("a panic: {text}")));
    faults.iter_mut().for_each(|fault| *fault = format!("{kind:?}, {:?}: {fault}", world.form));
    faults
}

/// The rounds to run, and in which forms and of which kind.
struct Arguments {
    rounds: arguments::Arguments,
    forms: Vec<Form>,
    kind: Option<Kind>,
}

/// `None`: there is nothing to do.
fn arguments() -> Option<Arguments> {
    let (mut forms, mut kind) = (vec![Form::One, Form::Two], None);
    let rounds = arguments::read("soak_stages", HELP, SHORT, |word, more| {
        match word {
            "--form" => match more.next().as_deref() {
                Some("one") => forms = vec![Form::One],
                Some("two") => forms = vec![Form::Two],
                _ => panic!("--form takes one or two"),
            },
            "--kind" => match more.next().as_deref() {
                Some("gentle") => kind = Some(Kind::Gentle),
                Some("busy") => kind = Some(Kind::Busy),
                Some("rough") => kind = Some(Kind::Rough),
                _ => panic!("--kind takes gentle, busy or rough"),
            },
            _ => return false,
        }
        true
    })?;
    Some(Arguments { rounds, forms, kind })
}

/// Keeps panics that were meant to be out of the output.
fn hear_panics() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if expected_panic(info.payload()).is_err() {
            tell(info);
            lock(&PANICS).push(info.to_string());
        }
    }));
}

/// Ends the process if a round takes far too long without being seen to hang.
fn watch(progress: &'static Mutex<(u64, Instant)>) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let (seed, since) = *lock(progress);
            if since.elapsed() > 3 * LIMIT {
                eprintln!("soak_stages: the round never ends.\nRepeat it: --seed {seed} --rounds 1");
                std::process::exit(1);
            }
        }
    });
}

fn main() {
    static PROGRESS: OnceLock<Mutex<(u64, Instant)>> = OnceLock::new();
    let Some(Arguments { rounds, forms, kind }) = arguments() else { return };
    let arguments::Arguments { rounds, seed, keep_going } = rounds;
    hear_panics();
    let progress = PROGRESS.get_or_init(|| Mutex::new((seed, Instant::now())));
    watch(progress);
    let (mut totals, mut failed) = (Totals::default(), 0);
    'rounds: for seed in seed..seed.saturating_add(rounds) {
        for form in &forms {
            *lock(progress) = (seed, Instant::now());
            let faults = round(seed, *form, kind, &mut totals);
            if !faults.is_empty() {
                failed += 1;
                eprintln!("soak_stages: a round went wrong.");
                faults.iter().for_each(|fault| eprintln!("- {fault}"));
                eprintln!("Repeat it: cargo test --test soak_stages -- --seed {seed} --rounds 1");
                if !keep_going {
                    break 'rounds;
                }
            }
        }
    }
    let Totals { rounds, stages, items, panics } = totals;
    println!("soak_stages: {rounds} rounds, {stages} stages, {items} items read, {panics} panics injected");
    if failed > 0 {
        eprintln!("soak_stages: {failed} rounds went wrong");
        std::process::exit(1);
    }
}
