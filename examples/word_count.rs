//! Counts the words of files, or of standard input, on all cores, and prints the most frequent.
//!
//! ```console
//! $ cargo run --release --example word_count -- --top 3 README.md
//! $ cat *.txt | cargo run --release --example word_count
//! $ cargo run --release --example word_count        # a text compiled in
//! ```
//!
//! It prints `count<TAB>word`, most frequent first and words with the same count in the order of their bytes, and on
//! standard error how many words that were, in how many seconds. A word is what lies between white space, as Unicode
//! sees it; bytes that are no UTF-8 are part of words like any others. Memory does not grow with the input, but with
//! the number of different words.

use bstr::ByteSlice;
use bytes::{Bytes, BytesMut};
use clap::Parser;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use gen_stage::flow::Combiner;
use gen_stage::prelude::*;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{fs, thread};
use tokio::io::AsyncRead;
use tokio_util::codec::{Decoder, FramedRead};

/// Files are read in blocks of about this many bytes.
const BLOCK: usize = 256 * 1024;

/// Each lane counts up to this many different words before it passes its counts on.
const WORDS_PER_LANE: usize = 1 << 17;

/// Counted when neither files nor input are given.
const TEXT: &str = "\
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, it was
the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of Darkness, it
was the spring of hope, it was the winter of despair, we had everything before us, we had nothing before us.
";

/// Counts words on all cores.
#[derive(Parser)]
struct Args {
    /// Files to count the words of; `-` is standard input, which is also read when it is a pipe or a file and no file
    /// is named here.
    files: Vec<PathBuf>,
    /// How many words to print; 0 prints all.
    #[arg(long, default_value_t = 20)]
    top: usize,
    /// How many lanes count, by default as many as there are cores.
    #[arg(long)]
    lanes: Option<NonZeroUsize>,
    /// Show no progress and no closing line.
    #[arg(long)]
    quiet: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if let Some((path, error)) = args.files.iter().find_map(|path| Some((path, check(path).err()?))) {
        eprintln!("word_count: {}: {error}", path.display());
        return ExitCode::from(2);
    }
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let lanes = args.lanes.map_or(cores, NonZeroUsize::get);
    let progress = progress(&args);
    let started = Instant::now();

    let counted = if !args.files.is_empty() {
        let blocks = stream::iter(args.files).map(blocks_of).flatten();
        count(blocks, lanes, &progress).await
    } else if is_input_given() {
        count(blocks_of("-".into()), lanes, &progress).await
    } else {
        let block = Ok(Bytes::from_static(TEXT.as_bytes()));
        count(stream::iter([block]), lanes, &progress).await
    };
    progress.finish_and_clear();
    let counts = match counted {
        Ok(counts) => counts,
        Err(error) => {
            eprintln!("word_count: {error}");
            return ExitCode::FAILURE;
        }
    };
    let words: u64 = counts.iter().map(|(_, count)| count).sum();
    let seconds = started.elapsed().as_secs_f64();
    if let Err(error) = print_table(counts, args.top) {
        // Whoever reads has seen enough, as with `| head`.
        if error.kind() != io::ErrorKind::BrokenPipe {
            eprintln!("word_count: standard output: {error}");
            return ExitCode::FAILURE;
        }
    }
    if !args.quiet {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let rate = HumanCount((words as f64 / seconds) as u64);
        eprintln!("{} words in {seconds:.3} seconds, {rate} words/s", HumanCount(words));
    }
    ExitCode::SUCCESS
}

/// The job: blocks of whole words in, every word with its count out.
async fn count(
    blocks: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    lanes: usize,
    progress: &ProgressBar,
) -> io::Result<Vec<(Box<[u8]>, u64)>> {
    // The first error ends the stream; it is kept, for a table of half the input would be a lie.
    let failure = Arc::new(OnceLock::new());
    let blocks = {
        let (failure, progress) = (failure.clone(), progress.clone());
        tokio_stream::StreamExt::map_while(blocks, move |block| {
            let block = block.map_err(|error| failure.set(error)).ok()?;
            progress.inc(block.len() as u64);
            Some(block)
        })
    };
    let counts = blocks
        .flow()
        .lanes(lanes)
        .demand(4, 3) // blocks in flight per lane, not words
        .combine(WORDS_PER_LANE, count_words, |count, more| *count += more)
        .collect()
        .await;
    match Arc::into_inner(failure).and_then(OnceLock::into_inner) {
        Some(error) => Err(error),
        None => Ok(counts),
    }
}

/// Counts the words of a block in the table of its lane. Words are borrowed from the block, and copied when new.
#[allow(clippy::needless_pass_by_value, reason = "a flow gives its items away")]
fn count_words(counts: &mut Combiner<Box<[u8]>, u64>, block: Bytes) {
    if block.is_ascii() {
        let white = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ');
        for word in block.split(white).filter(|word| !word.is_empty()) {
            *counts.at(word) += 1;
        }
    } else {
        for word in block.fields() {
            *counts.at(word) += 1;
        }
    }
}

fn print_table(mut counts: Vec<(Box<[u8]>, u64)>, top: usize) -> io::Result<()> {
    counts.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
    let top = if top == 0 { counts.len() } else { top };
    let mut out = BufWriter::new(io::stdout().lock());
    for (word, count) in counts.iter().take(top) {
        write!(out, "{count}\t")?;
        out.write_all(word)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Reads a file, or standard input, in blocks that end behind white space, so that no word is cut.
fn blocks_of(path: PathBuf) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let name = path.display().to_string();
    let opened = async move {
        let reader: Box<dyn AsyncRead + Send + Unpin> = if path == Path::new("-") {
            Box::new(tokio::io::stdin())
        } else {
            Box::new(tokio::fs::File::open(path).await?)
        };
        io::Result::Ok(FramedRead::with_capacity(reader, Blocks::default(), 2 * BLOCK))
    };
    stream::once(opened)
        .try_flatten()
        .map_err(move |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}")))
}

/// Cuts bytes behind the last white space of each [`BLOCK`].
#[derive(Default)]
struct Blocks {
    /// Searched without finding white space.
    searched: usize,
}

impl Decoder for Blocks {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Bytes>> {
        if bytes.len() >= BLOCK {
            // A character of white space may have begun in what was searched; it has at most 3 bytes.
            let unsearched = self.searched.saturating_sub(2);
            let white = bytes[unsearched..].char_indices().rev().find(|(.., c)| c.is_whitespace());
            if let Some((_, end, _)) = white {
                self.searched = 0;
                return Ok(Some(bytes.split_to(unsearched + end).freeze()));
            }
            self.searched = bytes.len();
        }
        bytes.reserve(BLOCK);
        Ok(None)
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Bytes>> {
        let block = self.decode(bytes)?;
        Ok(block.or_else(|| (!bytes.is_empty()).then(|| bytes.split().freeze())))
    }
}

/// Fails for what cannot be read at all.
fn check(path: &Path) -> io::Result<()> {
    if path == Path::new("-") {
        return Ok(());
    }
    if fs::File::open(path)?.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(())
}

/// Whether standard input is a pipe or a file, and not a terminal or nothing.
fn is_input_given() -> bool {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        use std::os::unix::fs::FileTypeExt;

        let input = io::stdin().as_fd().try_clone_to_owned().map(fs::File::from);
        input.and_then(|input| input.metadata()).is_ok_and(|input| !input.file_type().is_char_device())
    }
    #[cfg(not(unix))]
    {
        !io::stdin().is_terminal()
    }
}

/// A bar when the size is known, else a spinner; on a terminal only.
fn progress(args: &Args) -> ProgressBar {
    if args.quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let sizes = args.files.iter().map(|path| fs::metadata(path).map(|file| file.len()));
    let size: Option<u64> = sizes.map(Result::ok).sum();
    let (bar, template) = match size {
        Some(size) if size > 0 => {
            let bar = ProgressBar::new(size);
            (bar, "{bar:40} {bytes} of {total_bytes}, {binary_bytes_per_sec}, {eta} to go")
        }
        _ => (ProgressBar::new_spinner(), "{spinner} {bytes}, {binary_bytes_per_sec}"),
    };
    bar.enable_steady_tick(Duration::from_millis(200));
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}
