//! The text that words are counted in: made here, the same at every run.

use bytes::Bytes;
use std::sync::{LazyLock, Mutex};

const VOCABULARY: usize = 100_000;
const BLOCK: usize = 256 * 1024;

/// A text of so many words, 5 to 15 a line, drawn by Zipf's law from 100 000 different ones of 2 to 12 letters.
///
/// The last text made is kept, for every peer reads the same.
pub(crate) fn text(words: u64) -> Bytes {
    static LAST: LazyLock<Mutex<(u64, Bytes)>> = LazyLock::new(Mutex::default);

    let mut last = LAST.lock().unwrap();
    if last.0 != words {
        *last = (words, make(words));
    }
    last.1.clone()
}

fn make(words: u64) -> Bytes {
    let mut random = Random(0x2024_0601);
    let mut vocabulary = Vec::with_capacity(VOCABULARY);
    let mut seen = std::collections::HashSet::new();
    while vocabulary.len() < VOCABULARY {
        let word: Vec<u8> = (0..2 + random.below(11)).map(|_| b'a' + random.below(26) as u8).collect();
        if seen.insert(word.clone()) {
            vocabulary.push(word);
        }
    }
    let mut weights = Vec::with_capacity(VOCABULARY);
    let mut total = 0.0;
    for rank in 1..=VOCABULARY {
        total += 1.0 / rank as f64;
        weights.push(total);
    }
    let mut text = Vec::with_capacity(words as usize * 9);
    let mut line = 0;
    for _ in 0..words {
        let drawn = random.below(1 << 52) as f64 / (1u64 << 52) as f64 * total;
        text.extend_from_slice(&vocabulary[weights.partition_point(|w| *w < drawn).min(VOCABULARY - 1)]);
        if line == 0 {
            text.push(b'\n');
            line = 5 + random.below(11);
        } else {
            text.push(b' ');
            line -= 1;
        }
    }
    text.into()
}

/// A text cut behind white space.
pub(crate) fn blocks(mut text: Bytes) -> impl Iterator<Item = Bytes> + Send {
    std::iter::from_fn(move || {
        let cut = text.get(BLOCK..).and_then(|rest| rest.iter().position(u8::is_ascii_whitespace));
        let block = text.split_to(cut.map_or(text.len(), |at| BLOCK + at + 1));
        (!block.is_empty()).then_some(block)
    })
}

pub(crate) fn words(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    block.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The words of a block, one by one, each a copy.
pub(crate) fn into_words(block: Bytes) -> impl Iterator<Item = Box<[u8]>> + Send {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + block[at..].iter().position(|byte| !byte.is_ascii_whitespace())?;
        let length = block[start..].iter().position(u8::is_ascii_whitespace);
        at = length.map_or(block.len(), |length| start + length);
        Some(block[start..at].into())
    })
}

/// Knuth's linear congruential generator: enough for a text.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(self.0) * u128::from(bound)) >> 64) as u64
    }
}
