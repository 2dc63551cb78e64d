//! How many requests there were for each path in each minute, and how long they took, out of access logs of any size.
//!
//! ```console
//! $ cargo run --release -p gen_stage_programs --bin log_analytics -- access.log access.log.1.gz
//! ```
//!
//! A line is `2026-11-28T19:03:23Z 10.0.0.7 GET /shop 200 17`; the last field is milliseconds. It prints
//! `minute<TAB>path<TAB>requests<TAB>p95`, the most requests first: 95 % of these requests took at most so many
//! milliseconds. Files whose names end in `.gz` are unpacked. What is no such line is counted. In memory, a request
//! takes 4 bytes.

use clap::Parser;
use flate2::read::MultiGzDecoder;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use gen_stage::blocks::{Block, from_read};
use gen_stage::files::{UnreadBlock, unread_blocks_of};
use gen_stage::prelude::*;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Counts requests by minute and path.
#[derive(Parser)]
struct Args {
    /// Access logs, plain or gzip.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// How many rows to print; 0 prints all.
    #[arg(long, default_value_t = 20)]
    top: usize,
}

/// The beginning of a time, up to its minute: `2026-11-28T19:03`.
type Minute = [u8; 16];

/// What was read of the logs: for each path and minute, how long its requests took.
#[derive(Default)]
pub(crate) struct Requests {
    paths: HashMap<Vec<u8>, HashMap<Minute, Vec<u32>>>,
    /// How many lines were something else.
    skipped: u64,
}

/// The minute, the path, and the milliseconds of a line.
fn parse(line: &[u8]) -> Option<(Minute, &[u8], u32)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let minute = fields.next()?.first_chunk()?;
    let path = fields.nth(2)?;
    let millis = std::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()?;
    fields.next().is_none().then_some((*minute, path, millis))
}

impl Requests {
    pub(crate) fn add(&mut self, line: &[u8]) {
        let Some((minute, path, millis)) = parse(line) else {
            return self.skipped += 1;
        };
        // A path is copied when it is new.
        match self.paths.get_mut(path) {
            Some(minutes) => minutes.entry(minute).or_default().push(millis),
            None => self.paths.entry(path.into()).or_default().entry(minute).or_default().push(millis),
        }
    }

    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.skipped += other.skipped;
        for (path, minutes) in other.paths {
            let own = self.paths.entry(path).or_default();
            for (minute, mut millis) in minutes {
                own.entry(minute).or_default().append(&mut millis);
            }
        }
        self
    }

    /// The rows of the table: requests, minute, path, and the 95th percentile of their milliseconds.
    pub(crate) fn rows(self) -> Vec<(usize, Minute, Vec<u8>, u32)> {
        let mut rows = Vec::new();
        for (path, minutes) in self.paths {
            for (minute, mut millis) in minutes {
                let rank = (millis.len() * 95).div_ceil(100) - 1;
                let p95 = *millis.select_nth_unstable(rank).1;
                rows.push((millis.len(), minute, path.clone(), p95));
            }
        }
        rows.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| (&a.1, &a.2).cmp(&(&b.1, &b.2))));
        rows
    }
}

/// The blocks of a file, 256 KiB each; the bar follows them. Lanes read a plain file themselves, all at once. What is packed, or comes
/// out of a pipe, is read in a row.
fn text(path: &Path, bar: &ProgressBar) -> io::Result<impl Stream<Item = io::Result<UnreadBlock>> + use<>> {
    let (name, bar) = (path.display().to_string(), bar.clone());
    let named = move |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
    let file = File::open(path).map_err(&named)?;
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    if !packed && file.metadata().map_err(&named)?.is_file() {
        let blocks = unread_blocks_of(stream::iter([Ok(path.to_owned())]));
        return Ok(blocks.inspect_ok(move |_| bar.inc(256 << 10)).left_stream());
    }
    let read: Box<dyn Read + Send> = Box::new(bar.wrap_read(file));
    let text: Box<dyn Read + Send> = if packed { Box::new(MultiGzDecoder::new(read)) } else { read };
    Ok(from_read(text).map_ok(UnreadBlock::from).map_err(named).right_stream())
}

/// The job: each lane has a table of its own, and these are merged.
pub(crate) async fn count(files: &[PathBuf], bar: &ProgressBar) -> io::Result<Requests> {
    let texts = files.iter().map(|path| text(path, bar)).collect::<io::Result<Vec<_>>>()?;
    let tables: Vec<Requests> = Flow::from_streams(texts)
        .demand(4, 3) // blocks, not lines
        .try_map(UnreadBlock::read)
        .reduce(
            || Ok(Requests::default()),
            |table, block: io::Result<Block>| match (table.as_mut(), block) {
                (Ok(table), Ok(block)) => block.lines().for_each(|line| table.add(line)),
                (Ok(_), Err(error)) => *table = Err(error),
                (Err(_), _) => {}
            },
        )
        .emit_state()
        .try_collect()
        .await?;
    Ok(tables.into_iter().reduce(Requests::merge).unwrap_or_default())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let sizes = args.files.iter().map(|path| fs::metadata(path).map_or(0, |file| file.len()));
    let style = ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}, {eta} to go");
    let bar = ProgressBar::new(sizes.sum()).with_style(style.expect("the template is right"));
    let requests = count(&args.files, &bar).await?;
    bar.finish_and_clear();
    let skipped = requests.skipped;
    let top = if args.top == 0 { usize::MAX } else { args.top };
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (requests, minute, path, p95) in requests.rows().into_iter().take(top) {
        let (minute, path) = (String::from_utf8_lossy(&minute), String::from_utf8_lossy(&path));
        writeln!(out, "{minute}\t{path}\t{requests}\t{p95}")?;
    }
    out.flush()?;
    if skipped > 0 {
        eprintln!("{skipped} lines were something else");
    }
    Ok(())
}
