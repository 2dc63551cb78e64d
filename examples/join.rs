//! Joins two CSV files of `key,value` on their keys, on all cores.
//!
//! ```console
//! $ cargo run --release --example join -- right examples/data/cities.csv examples/data/rivers.csv
//! ```
//!
//! It prints `key<TAB>left<TAB>right` for every two lines with equal keys, sorted by their bytes; and, in the modes
//! `left`, `right` and `full`, for lines whose key the other file does not have, with nothing for the absent value:
//!
//! ```text
//! AT		Danube
//! CH		Aare
//! DE	Berlin	Elbe
//! DE	Berlin	Spree
//! DE	Hamburg	Elbe
//! DE	Hamburg	Spree
//! FR	Paris	Seine
//! ```
//!
//! White space around a key does not count. A value is what is behind the comma, and may be empty; lines end with LF or
//! CR LF. There is no header, and no quoting. Lines that are not `key,value` (no comma or more than one, no key, not
//! UTF-8) are skipped, and reported on standard error with their file and number. Files are read line by line. The join
//! keeps the lines of both, as any line may still meet one to come, and rows are kept to be sorted; they share bytes.

#![allow(clippy::tabs_in_doc_comments, reason = "what is printed has tabs")]

use bytes::Bytes;
use clap::{Parser, ValueEnum};
use futures::{Stream, stream};
use gen_stage::flow::{FullOuter, Inner, LeftOuter, RightOuter};
use gen_stage::prelude::*;
use std::cmp::Ordering;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, BufReader};

/// Files are read in blocks of so many bytes.
const BLOCK: usize = 256 * 1024;

/// Joins two CSV files of `key,value`.
#[derive(Parser)]
struct Args {
    /// Which lines make rows: those with a partner (`inner`), and the others of one file or of both.
    mode: Mode,
    /// The file whose values come first.
    left: PathBuf,
    /// The file whose values come second.
    right: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Inner,
    Left,
    Right,
    Full,
}

/// A good line of a file. Both are parts of the line, so that a clone copies nothing.
#[derive(Clone)]
struct Record {
    key: Bytes,
    value: Bytes,
}

impl Record {
    fn key(&self) -> &[u8] {
        &self.key
    }
}

/// At least one of the two is there.
type Row = (Option<Record>, Option<Record>);

/// The first error of reading: it ends the program, for a join of half a file would be a lie.
type Failure = Arc<OnceLock<io::Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let Args { mode, left, right } = Args::parse();
    for path in [&left, &right] {
        if let Err(error) = check(path) {
            eprintln!("join: {}: {error}", path.display());
            return ExitCode::from(2);
        }
    }
    let mut rows = match join(mode, left, right).await {
        Ok(rows) => rows,
        Err(error) => {
            eprintln!("join: {error}");
            return ExitCode::FAILURE;
        }
    };
    rows.sort_unstable_by(by_bytes);
    if let Err(error) = print(&rows) {
        // Whoever reads has seen enough, as with `| head`.
        if error.kind() != io::ErrorKind::BrokenPipe {
            eprintln!("join: standard output: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The job: the lines of two files in, rows out, in any order.
async fn join(mode: Mode, left: PathBuf, right: PathBuf) -> io::Result<Vec<Row>> {
    let failure = Failure::default();
    let left = records_of(left, failure.clone()).flow().lanes(1);
    let right = records_of(right, failure.clone()).flow().lanes(1);
    let rows = match mode {
        Mode::Inner => {
            left.bounded_join_ref(Inner, right, Record::key, Record::key)
                .map(|(left, right)| (Some(left), Some(right)))
                .collect()
                .await
        }
        Mode::Left => {
            left.bounded_join_ref(LeftOuter, right, Record::key, Record::key)
                .map(|(left, right)| (Some(left), right))
                .collect()
                .await
        }
        Mode::Right => {
            left.bounded_join_ref(RightOuter, right, Record::key, Record::key)
                .map(|(left, right)| (left, Some(right)))
                .collect()
                .await
        }
        Mode::Full => left.bounded_join_ref(FullOuter, right, Record::key, Record::key).collect().await,
    };
    match Arc::into_inner(failure).and_then(OnceLock::into_inner) {
        Some(error) => Err(error),
        None => Ok(rows),
    }
}

/// Reads a file line by line and reports the bad ones. An error ends the stream and is kept.
fn records_of(path: PathBuf, failure: Failure) -> impl Stream<Item = Record> + Send + 'static {
    let name = path.display().to_string();
    let lines = stream::unfold(Reading::Closed(path), |reading| async {
        match reading.next_line().await {
            Ok((line, reading)) => Some((Ok(line?), reading)),
            Err(error) => Some((Err(error), Reading::Failed)),
        }
    });
    let mut number = 0u64;
    let records = tokio_stream::StreamExt::map_while(lines, move |line| {
        number += 1;
        match line {
            Ok(line) => Some(record(&line).map_err(|wrong| eprintln!("join: {name}:{number}: {wrong}")).ok()),
            Err(error) => {
                // Of two errors, one is told.
                let _ = failure.set(io::Error::new(error.kind(), format!("{name}: {error}")));
                None
            }
        }
    });
    futures::StreamExt::filter_map(records, std::future::ready)
}

/// A file on its way from one line to the next.
enum Reading {
    Closed(PathBuf),
    Open(BufReader<File>),
    Failed,
}

impl Reading {
    /// The next line without its end; `None` behind the last.
    async fn next_line(self) -> io::Result<(Option<Bytes>, Self)> {
        let mut file = match self {
            Self::Closed(path) => BufReader::with_capacity(BLOCK, File::open(path).await?),
            Self::Open(file) => file,
            Self::Failed => return Ok((None, Self::Failed)),
        };
        let mut line = Vec::new();
        if file.read_until(b'\n', &mut line).await? == 0 {
            return Ok((None, Self::Open(file)));
        }
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        Ok((Some(line.into_boxed_slice().into()), Self::Open(file)))
    }
}

/// What is in a line, or what is wrong with it.
fn record(line: &Bytes) -> Result<Record, &'static str> {
    let text = std::str::from_utf8(line).map_err(|_| "not UTF-8")?;
    let (key, value) = text.split_once(',').ok_or("no comma")?;
    if value.contains(',') {
        return Err("more than one comma");
    }
    let key = key.trim();
    if key.is_empty() {
        return Err("no key");
    }
    Ok(Record { key: line.slice_ref(key.as_bytes()), value: line.slice_ref(value.as_bytes()) })
}

/// What is printed for a row.
fn cells((left, right): &Row) -> [&[u8]; 3] {
    let key = left.as_ref().or(right.as_ref()).map_or(&[][..], |record| &record.key);
    [key, value_of(left.as_ref()), value_of(right.as_ref())]
}

fn value_of(record: Option<&Record>) -> &[u8] {
    record.map_or(&[], |record| &record.value)
}

/// The order of the lines as they are printed.
fn by_bytes(one: &Row, other: &Row) -> Ordering {
    printed(one).cmp(printed(other))
}

fn printed(row: &Row) -> impl Iterator<Item = &u8> {
    let [key, left, right] = cells(row);
    [key, b"\t", left, b"\t", right].into_iter().flatten()
}

fn print(rows: &[Row]) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for row in rows {
        let [key, left, right] = cells(row);
        for part in [key, b"\t", left, b"\t", right, b"\n"] {
            out.write_all(part)?;
        }
    }
    out.flush()
}

/// Fails for what cannot be read at all.
fn check(path: &Path) -> io::Result<()> {
    if std::fs::File::open(path)?.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(())
}
