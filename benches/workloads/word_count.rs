//! Counting the words of a text of 200 MB: by reading them where they are, and by sending every one.

use super::text::{blocks, into_words, text, words};
use super::{LANES, Peer, Workload};
use bytes::Bytes;
use foldhash::fast::{FixedState, RandomState};
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use gen_stage::Flow;
use gen_stage::blocks::{Block, Slices, from_read};
use gen_stage::dispatch::hash_lane;
use gen_stage::flow::Combiner;
use gen_stage::prelude::*;
use hashbrown::HashTable;
use rayon::prelude::*;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::io::{self, Cursor};
use std::thread;
use tokio::sync::mpsc;

/// About 200 MB.
const WORDS: u64 = 25_000_000;
/// About 24 MB: sending every word is slower by far.
const FEWER_WORDS: u64 = 3_000_000;

type Word = Box<[u8]>;
type Counts = HashMap<Word, u64, RandomState>;

pub(crate) fn split() -> Workload {
    Workload {
        name: "word count",
        expected,
        peers: vec![
            Peer::task("gen_stage, combine", WORDS, ours),
            Peer::blocking("one loop", WORDS, one_loop),
            Peer::blocking("two threads, half the text each", WORDS, |items| {
                halves(items, counted, merge, mark)
            }),
            Peer::blocking("two threads, half the text each, a table made for it", WORDS, |items| {
                halves(items, Tuned::count, Tuned::merge, Tuned::mark)
            }),
            Peer::blocking("rayon par_bridge", WORDS, par_bridge),
        ],
    }
}

pub(crate) fn shuffle_every_word() -> Workload {
    Workload {
        name: "word count, every word sent",
        expected,
        peers: vec![
            Peer::task("gen_stage, partition", FEWER_WORDS, ours_shuffled),
            Peer::task("gen_stage, partition, slices of blocks", FEWER_WORDS, ours_sliced),
            Peer::task("tokio mpsc of batches", FEWER_WORDS, tokio_shuffled),
        ],
    }
}

/// The sum over the words of what is a mark of the word and of its count.
fn mark(counts: impl IntoIterator<Item = (Word, u64)>) -> u64 {
    counts.into_iter().fold(0, |sum, (word, count)| sum.wrapping_add(marked(&word, count)))
}

fn marked(word: &[u8], count: u64) -> u64 {
    count.wrapping_mul(1 + hash_lane(word, 1 << 20) as u64)
}

fn expected(items: u64) -> u64 {
    let text = text(items);
    words(&text).fold(0, |sum, word| sum.wrapping_add(1 + hash_lane(word, 1 << 20) as u64))
}

/// Words in one piece of memory, and a table of where they are: 24 bytes a word, hashed once.
#[derive(Default)]
struct Tuned {
    words: Vec<u8>,
    table: HashTable<TunedWord>,
    hasher: FixedState,
}

struct TunedWord {
    hash: u64,
    start: u32,
    len: u32,
    count: u64,
}

impl TunedWord {
    fn of<'a>(&self, words: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        &words[start..start + self.len as usize]
    }
}

impl Tuned {
    fn add(&mut self, hash: u64, word: &[u8], count: u64) {
        let Self { words, table, .. } = self;
        let is_same = |each: &TunedWord| each.hash == hash && each.of(words) == word;
        match table.find_mut(hash, is_same) {
            Some(each) => each.count += count,
            None => {
                let (start, len) = (words.len() as u32, word.len() as u32);
                words.extend_from_slice(word);
                table.insert_unique(hash, TunedWord { hash, start, len, count }, |each| each.hash);
            }
        }
    }

    fn count(part: &[u8]) -> Self {
        let mut counts = Self::default();
        for word in words(part) {
            counts.add(counts.hasher.hash_one(word), word, 1);
        }
        counts
    }

    fn merge(mut self, more: Self) -> Self {
        let Self { words, table, .. } = more;
        for each in table {
            self.add(each.hash, each.of(&words), each.count);
        }
        self
    }

    fn mark(self) -> u64 {
        self.table.iter().fold(0, |sum, each| sum.wrapping_add(marked(each.of(&self.words), each.count)))
    }
}

fn count(counts: &mut Counts, block: &[u8]) {
    words(block).for_each(|word| count_one(counts, word));
}

fn count_one(counts: &mut Counts, word: &[u8]) {
    match counts.get_mut(word) {
        Some(count) => *count += 1,
        None => _ = counts.insert(word.into(), 1),
    }
}

fn counted(block: &[u8]) -> Counts {
    let mut counts = Counts::default();
    count(&mut counts, block);
    counts
}

fn merge(mut counts: Counts, more: Counts) -> Counts {
    for (word, count) in more {
        *counts.entry(word).or_insert(0) += count;
    }
    counts
}

fn ours(items: u64) -> BoxFuture<'static, u64> {
    let counts = Flow::from_iter(blocks(text(items)))
        .lanes(LANES)
        .demand(4, 3)
        .combine(
            1 << 17,
            |counts: &mut Combiner<Word, u64>, block: Bytes| {
                for word in words(&block) {
                    *counts.at(word) += 1;
                }
            },
            |count, more| *count += more,
        )
        .lanes(LANES);
    async { mark(counts.collect::<Vec<_>>().await) }.boxed()
}

fn one_loop(items: u64) -> u64 {
    mark(counted(&text(items)))
}

fn halves<C: Send>(items: u64, counted: fn(&[u8]) -> C, merge: fn(C, C) -> C, mark: fn(C) -> u64) -> u64 {
    let text = text(items);
    let half = text.len() / 2;
    let cut = half + text[half..].iter().position(u8::is_ascii_whitespace).unwrap_or(0);
    thread::scope(|scope| {
        let first = scope.spawn(|| counted(&text[..cut]));
        let second = counted(&text[cut..]);
        mark(merge(first.join().unwrap(), second))
    })
}

fn par_bridge(items: u64) -> u64 {
    let counted = blocks(text(items)).par_bridge().fold(Counts::default, |mut counts, block| {
        count(&mut counts, &block);
        counts
    });
    mark(counted.reduce(Counts::default, merge))
}

fn ours_shuffled(items: u64) -> BoxFuture<'static, u64> {
    let counts = Flow::from_iter(blocks(text(items)))
        .lanes(LANES)
        .demand(4, 3)
        .flat_map(into_words)
        .partition()
        .lanes(LANES)
        .reduce(Counts::default, |counts, word| *counts.entry(word).or_insert(0) += 1);
    async { mark(counts.collect::<Vec<_>>().await) }.boxed()
}

/// Words are sent as slices of their block, which is read here, as from a file.
fn ours_sliced(items: u64) -> BoxFuture<'static, u64> {
    let counts = from_read(Cursor::new(text(items)))
        .flow()
        .lanes(LANES)
        .demand(4, 3)
        .flat_map(|block: io::Result<Block>| {
            let block = block.expect("a text in memory is read");
            let mut lanes: [Slices; LANES] = std::array::from_fn(|_| Slices::of(&block));
            words(&block).for_each(|word| lanes[hash_lane(word, LANES)].push(word));
            lanes.into_iter().enumerate()
        })
        .partition_with(LANES, |(lane, _)| Some(*lane))
        .demand(4, 3)
        .reduce(Counts::default, |counts, (_, words)| words.iter().for_each(|word| count_one(counts, word)));
    async { mark(counts.collect::<Vec<_>>().await) }.boxed()
}

fn tokio_shuffled(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let (blocks_out, blocks_in) = async_channel(items);
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..LANES).map(|_| mpsc::channel::<Vec<Word>>(2 * LANES)).unzip();
        for mut blocks in blocks_in {
            let senders = senders.clone();
            tokio::spawn(async move {
                let mut batches: [Vec<Word>; LANES] = Default::default();
                while let Some(block) = blocks.recv().await {
                    for word in words(&block) {
                        let lane = hash_lane(word, LANES);
                        batches[lane].push(word.into());
                        if batches[lane].len() == super::BATCH as usize {
                            let batch = std::mem::take(&mut batches[lane]);
                            senders[lane].send(batch).await.unwrap();
                        }
                    }
                }
                for (sender, batch) in senders.iter().zip(batches) {
                    sender.send(batch).await.unwrap();
                }
            });
        }
        drop(senders);
        let counts: Vec<_> = receivers
            .into_iter()
            .map(|mut receiver| {
                tokio::spawn(async move {
                    let mut counts = Counts::default();
                    while let Some(batch) = receiver.recv().await {
                        for word in batch {
                            *counts.entry(word).or_insert(0) += 1;
                        }
                    }
                    counts
                })
            })
            .collect();
        blocks_out.await.unwrap();
        mark(join_all(counts).await.into_iter().flat_map(Result::unwrap))
    }
    .boxed()
}

/// A task that deals the blocks of the text to a channel for each lane.
fn async_channel(items: u64) -> (tokio::task::JoinHandle<()>, Vec<mpsc::Receiver<Bytes>>) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..LANES).map(|_| mpsc::channel(4)).unzip();
    let dealing = tokio::spawn(async move {
        for (at, block) in blocks(text(items)).enumerate() {
            senders[at % LANES].send(block).await.unwrap();
        }
    });
    (dealing, receivers)
}
