//! Counts and adds up values by key, window by window, in the order of time that the lines of a file carry.
//!
//! ```console
//! $ cargo run --release --example windows -- fixed:60000 examples/data/clicks.csv
//! $ cargo run --release --example windows -- session:30000:5000 <examples/data/clicks.csv
//! ```
//!
//! Lines are `timestamp_ms,key,value`, in any order; white space around fields does not count, the value is an
//! integer. It prints `window_start<TAB>key<TAB>count<TAB>sum`, sorted by start and then by key, for windows that
//! something is in. On standard error it says which lines are bad, and at the end `late<TAB>N`: how many lines came
//! too late for all their windows. Those are in no window.
//!
//! | KIND | an item is in | `window_start` |
//! |---|---|---|
//! | `fixed:MS[:LATENESS_MS]` | the window that its time falls into | a multiple of `MS` |
//! | `sliding:MS:STEP_MS[:LATENESS_MS]` | all windows that its time falls into | a multiple of `STEP_MS` |
//! | `session:GAP_MS[:LATENESS_MS]` | that of its key, with all that is less than the gap away | the first item's time |
//! | `count:N` | with `N` of its key, as they stand in the file; the last window may have fewer | 0, 1, 2 … for each key |
//!
//! Starts are rounded down, so that they can be negative. Time goes as the highest timestamp so far does: a window
//! takes items until that has got to its end and `LATENESS_MS` further, 0 by default. When this covers how far the
//! lines are out of order, nothing is late, and the result is that of the whole file.
//!
//! What it prints does not depend on the number of cores: one lane reads the lines in their order, and one lane has the
//! windows, so that there is one time for all. Memory grows with the number of keys and open windows, and with that of
//! sessions or counted windows, which are sorted before they are printed; not with the file.
//!
//! The first of the commands above prints this, with tabs for the spaces:
//!
//! ```text
//! -60000 /home 1 700
//! 0 /cart 1 4100
//! 0 /home 3 4650
//! 60000 /cart 2 -3000
//! 60000 /home 1 2000
//! 180000 /pay 1 9223372036854775807
//! ```

use bytes::Bytes;
use clap::Parser;
use futures::{StreamExt, stream};
use gen_stage::flow::Boxed;
use gen_stage::prelude::*;
use gen_stage::window::{Info, Session, Span, Window};
use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::fs::File;
use tokio::io::AsyncRead;
use tokio_util::codec::{AnyDelimiterCodec, FramedRead};

/// Counts and adds up values by key in windows.
#[derive(Parser)]
struct Args {
    /// `fixed:MS[:LATENESS_MS]`, `sliding:MS:STEP_MS[:LATENESS_MS]`, `session:GAP_MS[:LATENESS_MS]` or `count:N`.
    kind: Kind,
    /// The lines, `timestamp_ms,key,value`; `-` or nothing is standard input.
    file: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let name = args.file.unwrap_or_else(|| "-".into());
    let input = match open(&name).await {
        Ok(input) => input,
        Err(error) => {
            eprintln!("windows: {}: {error}", name.display());
            return ExitCode::from(2);
        }
    };
    let report = |line: u64, why: &str| eprintln!("windows: line {line}: {why}");
    match print_windows(args.kind, input, report, BufWriter::new(io::stdout())).await {
        Ok(late) => {
            eprintln!("late\t{late}");
            ExitCode::SUCCESS
        }
        // Whoever reads has seen enough, as with `| head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Failure::Output(error)) => {
            eprintln!("windows: standard output: {error}");
            ExitCode::FAILURE
        }
        Err(Failure::Input(error)) => {
            eprintln!("windows: {}: {error}", name.display());
            ExitCode::FAILURE
        }
    }
}

async fn open(name: &Path) -> io::Result<Box<dyn AsyncRead + Send + Unpin>> {
    if name == Path::new("-") {
        return Ok(Box::new(tokio::io::stdin()));
    }
    let file = File::open(name).await?;
    if file.metadata().await?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(Box::new(file))
}

/// What windows to make, and how late items may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Fixed { size: Duration, lateness: Duration },
    Sliding { size: Duration, step: Duration, lateness: Duration },
    Session { gap: Duration, lateness: Duration },
    Count { items: NonZeroU64 },
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, numbers) = text.split_once(':').unwrap_or((text, ""));
        let numbers: Vec<&str> = numbers.split(':').collect();
        let length = |what: &str, at: usize| match numbers.get(at).map(|number| millis(what, number)) {
            Some(Ok(Duration::ZERO)) => Err(format!("{what} must be at least 1 ms, given 0")),
            Some(length) => length,
            None => Err(format!("{name} needs {what}")),
        };
        let lateness = |at: usize| match &numbers[at..] {
            [] => Ok(Duration::ZERO),
            [lateness] => millis("the lateness", lateness),
            [_, rest, ..] => Err(format!("{name} takes no `{rest}`")),
        };
        match (name, &numbers[..]) {
            ("fixed", _) => Ok(Self::Fixed { size: length("the size", 0)?, lateness: lateness(1)? }),
            ("sliding", _) => {
                let (size, step) = (length("the size", 0)?, length("the step", 1)?);
                if step > size {
                    return Err(format!("the step must be at most the size, {size:?}, given {step:?}"));
                }
                Ok(Self::Sliding { size, step, lateness: lateness(2)? })
            }
            ("session", _) => Ok(Self::Session { gap: length("the gap", 0)?, lateness: lateness(1)? }),
            ("count", [items]) => match items.parse() {
                Ok(items) => Ok(Self::Count { items }),
                Err(error) => Err(format!("the number of items: {error}, given `{items}`")),
            },
            ("count", _) => Err("count takes one number".into()),
            _ => Err(format!("a window is fixed, sliding, session or count, given `{name}`")),
        }
    }
}

fn millis(what: &str, number: &str) -> Result<Duration, String> {
    const MOST: u64 = i64::MAX as u64 / 4;
    match number.parse() {
        Ok(millis @ 0..=MOST) => Ok(Duration::from_millis(millis)),
        Ok(millis) => Err(format!("{what} must be at most {MOST} ms, given {millis}")),
        Err(error) => Err(format!("{what}: {error}, given `{number}`")),
    }
}

/// A line.
#[derive(Debug, Clone)]
struct Item {
    time: i64,
    key: Arc<str>,
    value: i64,
}

/// A line of the output.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    start: i64,
    key: Arc<str>,
    tally: Tally,
}

/// How many values, and their sum: no file has so many that it does not fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Tally {
    count: u64,
    sum: i128,
}

impl Tally {
    fn take(&mut self, value: i64) {
        self.count += 1;
        self.sum += i128::from(value);
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
    }
}

/// Why there is no result, or only a part of it.
#[derive(Debug)]
pub(crate) enum Failure {
    Input(String),
    Output(io::Error),
}

/// The job: lines in, rows out, and how many lines were late. Bad lines are reported by their numbers, from 1.
pub(crate) async fn print_windows(
    kind: Kind,
    input: impl AsyncRead + Send + 'static,
    report: impl Fn(u64, &str) + Clone + Send + 'static,
    mut out: impl Write,
) -> Result<u64, Failure> {
    // The first error ends the lines; it is kept, for windows of half the input would be a lie.
    let failure: Arc<OnceLock<String>> = Arc::default();
    let fails = failure.clone();
    let lines = FramedRead::with_capacity(input, AnyDelimiterCodec::new(b"\n".into(), b"\n".into()), 1 << 18);
    let lines = tokio_stream::StreamExt::map_while(lines, move |line| {
        line.map_err(|error| _ = fails.set(error.to_string())).ok()
    });

    let late = Arc::new(AtomicU64::new(0));
    let mut rows = rows(kind, stream::iter(1..).zip(lines), report, &late).into_stream().boxed();
    if matches!(kind, Kind::Session { .. } | Kind::Count { .. }) {
        // They are done in another order than they start in.
        let mut all: Vec<Row> = rows.collect().await;
        all.sort_unstable();
        rows = stream::iter(all).boxed();
    }
    while let Some(Row { start, key, tally }) = rows.next().await {
        if failure.get().is_some() {
            break;
        }
        writeln!(out, "{start}\t{key}\t{}\t{}", tally.count, tally.sum).map_err(Failure::Output)?;
    }
    if let Some(error) = failure.get() {
        return Err(Failure::Input(error.clone()));
    }
    out.flush().map_err(Failure::Output)?;
    Ok(late.load(Ordering::Relaxed))
}

/// Rows of windows that something is in: those of fixed and sliding windows in order.
fn rows(
    kind: Kind,
    lines: impl futures::Stream<Item = (u64, Bytes)> + Send + 'static,
    report: impl Fn(u64, &str) + Clone + Send + 'static,
    late: &Arc<AtomicU64>,
) -> Flow<Boxed<Row>> {
    // One lane reads, in the order of the file.
    let items = lines.flow().lanes(1).filter_map(move |(number, line)| match parse(&line) {
        Ok(item) => item,
        Err(why) => {
            report(number, why);
            None
        }
    });
    let time = |item: &Item| item.time;
    match kind {
        // And another has all windows: what is late depends on everything that came before.
        Kind::Fixed { size, lateness } => items
            .shuffle()
            .lanes(1)
            .window(Window::fixed(size, time).allowed_lateness(lateness).count_late(late))
            .reduce(HashMap::new, tally)
            .on_trigger(rows_of_span)
            .boxed(),
        Kind::Sliding { size, step, lateness } => items
            .shuffle()
            .lanes(1)
            .window(Window::sliding(size, step, time).allowed_lateness(lateness).count_late(late))
            .reduce(HashMap::new, tally)
            .on_trigger(rows_of_span)
            .boxed(),
        Kind::Session { gap, lateness } => items
            .shuffle()
            .lanes(1)
            .window(
                Window::session(gap, |item: &Item| item.key.clone(), time)
                    .allowed_lateness(lateness)
                    .count_late(late),
            )
            .reduce(Tally::default, |tally, item| tally.take(item.value))
            .merge_states(Tally::merge)
            .on_trigger(|tally, info| {
                let done = info.is_done();
                let Session { key, start, .. } = info.window;
                done.then_some(Row { start, key, tally: *tally })
            })
            .boxed(),
        // Nothing is late here, and a key has its items in their order on any number of lanes.
        Kind::Count { items: size } => items
            .partition_by_ref(|item| &*item.key)
            .emit_and_reduce(HashMap::new, move |open: &mut HashMap<_, Counted>, item| {
                let key = item.key.clone();
                let counted = open.entry(item.key).or_default();
                counted.tally.take(item.value);
                (counted.tally.count == size.get()).then(|| counted.next_row(key))
            })
            .on_trigger(|open, _| {
                let rest = std::mem::take(open).into_iter().filter(|(_, counted)| counted.tally.count > 0);
                rest.map(|(key, mut counted)| counted.next_row(key))
            })
            .boxed(),
    }
}

fn tally(tallies: &mut HashMap<Arc<str>, Tally>, item: Item) {
    tallies.entry(item.key).or_default().take(item.value);
}

fn rows_of_span(tallies: &mut HashMap<Arc<str>, Tally>, info: Info<Span>) -> Vec<Row> {
    if !info.is_done() {
        // Late items may still come.
        return Vec::new();
    }
    let start = info.window.start;
    let mut rows: Vec<Row> = tallies.drain().map(|(key, tally)| Row { start, key, tally }).collect();
    rows.sort_unstable();
    rows
}

/// The open window of a key, and which one that is.
#[derive(Default)]
struct Counted {
    window: i64,
    tally: Tally,
}

impl Counted {
    fn next_row(&mut self, key: Arc<str>) -> Row {
        let row = Row { start: self.window, key, tally: std::mem::take(&mut self.tally) };
        self.window += 1;
        row
    }
}

/// Times farther away than this, 146 million years, are none.
const FAR: i64 = i64::MAX / 2;

/// Takes a line apart; `None` if it is blank.
fn parse(line: &[u8]) -> Result<Option<Item>, &'static str> {
    let line = std::str::from_utf8(line).map_err(|_| "this is no UTF-8")?.trim();
    if line.is_empty() {
        return Ok(None);
    }
    let mut fields = line.split(',').map(str::trim);
    let (Some(time), Some(key), Some(value), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err("this is not `timestamp_ms,key,value`");
    };
    let time: i64 = time.parse().map_err(|_| "the timestamp is no integer, or out of range")?;
    if !(-FAR..=FAR).contains(&time) {
        return Err("the timestamp is out of range");
    }
    let value = value.parse().map_err(|_| "the value is no integer, or out of range")?;
    Ok(Some(Item { time, key: key.into(), value }))
}
