//! An index of words, made by three workers: each counts the words with some first letters, and gets all of those.
//!
//! ```console
//! $ cargo run --example partitioned_workers
//! $ cargo run --example partitioned_workers -- README.md
//! $ sort README.md | cargo run --example partitioned_workers -- -
//! ```
//!
//! It prints `count word: lines`, worker by worker. Equal words meet in one partition and keep their order
//! there, so that nobody has to sort the lines. A word is a run of ASCII letters, in lower case.
//!
//! ```text
//! # a-h: 3 words, 1 different
//! 3 a: 1 2 3
//! # i-p: 29 words, 8 different
//! 1 if: 3
//! 4 of: 1 2 3 4
//! 4 peck: 1 2 3 4
//! 4 peppers: 1 2 3 4
//! 4 peter: 1 2 3 4
//! 4 picked: 1 2 3 4
//! 4 pickled: 1 2 3 4
//! 4 piper: 1 2 3 4
//! # q-z: 3 words, 3 different
//! 1 s: 4
//! 1 the: 4
//! 1 where: 4
//! ```

use clap::Parser;
use gen_stage::dispatch::Partition;
use gen_stage::prelude::*;
use gen_stage::stage::{Control, Output, Reply, StageError, Upstream};
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use tokio::fs::File;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader, Lines};

const TEXT: &str = "\
Peter Piper picked a peck of pickled peppers.
A peck of pickled peppers Peter Piper picked.
If Peter Piper picked a peck of pickled peppers,
Where's the peck of pickled peppers Peter Piper picked?
";

/// Makes an index of words.
#[derive(Parser)]
struct Args {
    /// The text, `-` for standard input; by default one that is compiled in.
    file: Option<String>,
}

/// A word, and the number of the line it is in.
type Place = (String, usize);

/// Reads words, line by line.
struct Reader {
    lines: Lines<Box<dyn AsyncBufRead + Send + Unpin>>,
    line: usize,
}

impl Producer for Reader {
    type Item = Place;

    async fn handle_demand(&mut self, demand: usize, out: &mut Output<Place>) -> Result<(), StageError> {
        while out.emitted() < demand {
            let Some(text) = self.lines.next_line().await? else {
                out.finish();
                break;
            };
            self.line += 1;
            let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
            out.extend(words.map(|word| (word.to_ascii_lowercase(), self.line)));
        }
        Ok(())
    }
}

const PARTITIONS: [&str; 3] = ["a-h", "i-p", "q-z"];

fn partition((word, _): &Place) -> &'static str {
    match word.as_bytes()[0] {
        ..=b'h' => "a-h",
        b'i'..=b'p' => "i-p",
        _ => "q-z",
    }
}

/// The lines that each word is in, in the order they came; one that has it twice comes twice.
type Index = BTreeMap<String, Vec<usize>>;

#[derive(Default)]
struct Worker {
    index: Index,
}

/// Asks a worker for its index.
struct Finished(Reply<Index>);

impl Consumer<Finished> for Worker {
    type Input = Place;

    async fn handle_items(
        &mut self,
        places: Vec<Place>,
        _: &Upstream,
        _: &mut Control<Finished>,
    ) -> Result<(), StageError> {
        for (word, line) in places {
            self.index.entry(word).or_default().push(line);
        }
        Ok(())
    }

    async fn handle_message(
        &mut self,
        Finished(reply): Finished,
        _: &mut Control<Finished>,
    ) -> Result<(), StageError> {
        reply.send(std::mem::take(&mut self.index));
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), StageError> {
    let text: Box<dyn AsyncBufRead + Send + Unpin> = match Args::parse().file.as_deref() {
        None => Box::new(TEXT.as_bytes()),
        Some("-") => Box::new(BufReader::new(tokio::io::stdin())),
        Some(file) => Box::new(BufReader::new(File::open(file).await?)),
    };
    let reader = Reader { lines: text.lines(), line: 0 }
        .stage()
        .dispatcher(Partition::by_key(PARTITIONS, partition))
        // For the words of a line beyond the demand.
        .buffer_unbounded()
        .spawn();
    // Temporary: they outlive the reader, to be asked.
    let workers = PARTITIONS.map(|letters| {
        let words = reader.subscribe().in_partition(letters).temporary();
        Worker::default().stage().label(letters).subscribe_to(words).spawn()
    });

    let reason = reader.wait().await;
    if !reason.is_clean() {
        return Err(reason.into());
    }
    let mut out = BufWriter::new(io::stdout().lock());
    for worker in workers {
        let index = worker.call(Finished).await?;
        let words: usize = index.values().map(Vec::len).sum();
        writeln!(out, "# {}: {words} words, {} different", worker.label(), index.len())?;
        for (word, lines) in index {
            let numbers: Vec<_> = lines.iter().map(usize::to_string).collect();
            writeln!(out, "{} {word}: {}", lines.len(), numbers.join(" "))?;
        }
    }
    out.flush()?;
    Ok(())
}
