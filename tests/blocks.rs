//! Text in blocks of whole lines.

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use gen_stage::blocks::{Block, Blocks, Slices, blocks, from_read};
use gen_stage::prelude::*;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::io::{self, Read};
use tokio::io::AsyncWriteExt;
use tokio_util::io::StreamReader;

async fn all<R: tokio::io::AsyncRead>(read: Blocks<R>) -> Vec<Block> {
    read.try_collect().await.expect("nothing fails")
}

fn joined(read: &[Block]) -> Vec<u8> {
    read.iter().flat_map(|block| block.to_vec()).collect()
}

/// A reader of chunks, as they come from a socket: before some of them it has nothing for a while.
fn reader(chunks: Vec<io::Result<Vec<u8>>>) -> impl tokio::io::AsyncRead {
    let chunks = stream::iter(chunks).then(|chunk| async {
        if chunk.as_ref().is_ok_and(|chunk| chunk.len() % 2 == 0) {
            tokio::task::yield_now().await;
        }
        chunk
    });
    StreamReader::new(Box::pin(chunks.map_ok(io::Cursor::new)))
}

/// A reader of std that gives these pieces, one for each read.
struct Pieces(VecDeque<io::Result<Vec<u8>>>);

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.0.pop_front() else { return Ok(0) };
        let mut piece = piece?;
        let length = piece.len().min(into.len());
        into[..length].copy_from_slice(&piece[..length]);
        if length < piece.len() {
            self.0.push_front(Ok(piece.split_off(length)));
        }
        Ok(length)
    }
}

fn interrupted() -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::Interrupted.into())
}

/// Lines found byte by byte.
fn lines_one_by_one(text: &[u8]) -> Vec<Vec<u8>> {
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    for byte in text {
        line.push(*byte);
        if *byte == b'\n' {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            lines.push(std::mem::take(&mut line));
        }
    }
    lines.extend(Some(line).filter(|line| !line.is_empty()));
    lines
}

/// What looks like a line end to a search of several bytes at a time, if that is wrong: neighbours of `\n`, and it with
/// its high bit set.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(vec![b'\n', b'\r', 0x09, 0x0b, 0x8a, 0x00, 0x80, 0xff, 0x1a, b'a']);
    prop::collection::vec(prop_oneof![1 => Just(b'\n'), 12 => byte], 0..120)
}

proptest! {
    #[test]
    fn lines_are_those_of_a_search_byte_by_byte(text in text(), ends in prop::collection::vec(any::<bool>(), 200)) {
        let block = Block::from(text.clone());
        let expected = lines_one_by_one(&text);
        prop_assert_eq!(block.lines().map(<[u8]>::to_vec).collect::<Vec<_>>(), &expected[..]);
        let mut backward: Vec<_> = block.lines().rev().map(<[u8]>::to_vec).collect();
        backward.reverse();
        prop_assert_eq!(&backward, &expected);
        // From both ends, in any turn.
        let (mut lines, mut front, mut back) = (block.lines(), Vec::new(), Vec::new());
        for at_front in ends {
            if at_front { front.extend(lines.next()) } else { back.extend(lines.next_back()) }
        }
        front.extend(back.into_iter().rev());
        prop_assert_eq!(front, expected.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let owned: Vec<Vec<u8>> = block.clone().into_lines().collect();
        prop_assert_eq!(owned, expected);
    }

    #[test]
    fn every_byte_of_a_reader_of_std_comes_once_in_blocks_that_end_with_a_line(
        pieces in prop::collection::vec(prop::option::weighted(0.8, "[a\r\n]{1,12}"), 0..12),
        size in 1usize..20,
    ) {
        let text = pieces.iter().flatten().map(String::as_str).collect::<String>();
        let pieces = pieces.into_iter().map(|piece| piece.map_or_else(interrupted, |piece| Ok(piece.into_bytes())));
        let read = tokio_test::block_on(all(from_read(Pieces(pieces.collect())).size(size)));
        prop_assert_eq!(joined(&read), text.as_bytes());
        for (at, block) in read.iter().enumerate() {
            prop_assert!(block.ends_with(b"\n") || at + 1 == read.len(), "{:?} of {:?}", block, read);
        }
    }

    #[test]
    fn a_flow_of_lines_has_the_lines_of_the_text_in_order(
        lines in prop::collection::vec("[a-c]{0,9}\r?", 0..60),
        ended: bool,
        size in 1usize..40,
        lanes in 1usize..4,
    ) {
        let text = lines.join("\n") + if ended { "\n" } else { "" };
        let lines = from_read(io::Cursor::new(text.clone()))
            .size(size)
            .flow()
            .lanes(lanes)
            .demand(2, 1)
            .flat_map_ok(Block::into_lines)
            .map_ok(|line| String::from_utf8(line).expect("it is text"))
            .ordered();
        let read: Vec<String> = tokio_test::block_on(lines.try_collect()).unwrap();
        prop_assert_eq!(read, text.lines().collect::<Vec<_>>());
    }

    #[test]
    fn every_byte_comes_once_in_blocks_that_end_with_a_line(
        chunks in prop::collection::vec("[a \t\r\n]{1,12}", 0..12),
        size in 1usize..20,
    ) {
        let text = chunks.concat();
        let reader = reader(chunks.into_iter().map(|chunk| Ok(chunk.into_bytes())).collect());
        let read = tokio_test::block_on(all(blocks(reader).size(size)));
        prop_assert_eq!(joined(&read), text.as_bytes());
        for (at, block) in read.iter().enumerate() {
            prop_assert!(!block.is_empty());
            prop_assert!(block.ends_with(b"\n") || at + 1 == read.len(), "{:?} of {:?}", block, read);
        }
        let lines = |text: &str| text.lines().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>();
        let of_blocks: Vec<_> = read.iter().flat_map(Block::lines).map(<[u8]>::to_vec).collect();
        prop_assert_eq!(of_blocks, lines(&text), "as `str::lines`");
        let words: Vec<_> = read.iter().flat_map(Block::words).map(<[u8]>::to_vec).collect();
        let of_text: Vec<_> = text.split_ascii_whitespace().map(|word| word.as_bytes().to_vec()).collect();
        prop_assert_eq!(words, of_text);
    }
}

#[tokio::test]
async fn lines_that_are_there_do_not_wait_for_a_full_block() {
    let (mut writer, reader) = tokio::io::duplex(1024);
    let mut read = blocks(reader);
    writer.write_all(b"one\ntwo\nthr").await.unwrap();
    assert_eq!(read.next().await.unwrap().unwrap(), "one\ntwo\n");
    assert!(read.next().now_or_never().is_none(), "a line that is begun waits for its end");
    writer.write_all(b"ee\n").await.unwrap();
    assert_eq!(read.next().await.unwrap().unwrap(), "three\n");
    writer.write_all(b"four").await.unwrap();
    drop(writer);
    assert_eq!(read.next().await.unwrap().unwrap(), "four", "or for that of the text");
    assert!(read.next().await.is_none());
    assert!(read.next().await.is_none(), "also the next time");
}

#[tokio::test]
async fn an_error_comes_after_what_was_read_and_ends_it() {
    let broken = io::Error::new(io::ErrorKind::BrokenPipe, "gone");
    let mut read = blocks(reader(vec![Ok(b"one\ntw".to_vec()), Err(broken), Ok(b"o\n".to_vec())]));
    assert_eq!(read.next().await.unwrap().unwrap(), "one\ntw");
    assert_eq!(read.next().await.unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    assert!(read.next().await.is_none());
}

#[tokio::test]
async fn an_error_of_a_reader_of_std_comes_after_what_was_read_and_ends_it() {
    let broken = io::Error::new(io::ErrorKind::BrokenPipe, "gone");
    let pieces = [Ok(b"one\ntw".to_vec()), interrupted(), Err(broken), Ok(b"o\n".to_vec())];
    let mut read = from_read(Pieces(pieces.into()));
    assert_eq!(read.next().await.unwrap().unwrap(), "one\ntw");
    assert_eq!(read.next().await.unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    assert!(read.next().await.is_none());
}

#[tokio::test]
async fn an_empty_text_has_no_block_and_no_line() {
    assert!(all(from_read(io::empty())).await.is_empty());
    assert_eq!(Block::default().lines().count(), 0);
    assert_eq!(Block::default().into_lines().count(), 0);
}

#[tokio::test]
async fn a_reader_of_std_fills_blocks_whatever_it_gives_at_once() {
    let text = "0123456789abcde\n".repeat(40_000);
    let read = all(from_read(text.as_bytes())).await;
    assert_eq!(read.iter().map(|block| block.len()).collect::<Vec<_>>(), [262_144, 262_144, 115_712]);
    let long = "x".repeat(700_000) + "\n";
    assert_eq!(all(from_read(long.as_bytes())).await, [long]);
}

#[test]
fn a_line_keeps_its_own_memory_only() {
    let block = Block::from("x".repeat(100_000) + "\nshort\r\nlast");
    let lines: Vec<Vec<u8>> = block.into_lines().skip(1).collect();
    assert_eq!(lines, [b"short".as_slice(), b"last"]);
    assert!(lines.iter().all(|line| line.capacity() < 64));
}

#[tokio::test]
async fn a_text_without_line_ends_does_not_take_all_memory() {
    let read = blocks(tokio::io::repeat(b'a')).size(1000).longest_line(100_000);
    let error = read.try_for_each(|_| async { Ok(()) }).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let text = error.to_string();
    assert!(text.starts_with("a line is longer than longest_line, which is 100000 bytes: "), "{text}");
}

#[tokio::test]
async fn a_line_that_fits_into_a_block_is_taken_whatever_parts_it_comes_in() {
    for parts in [vec!["1234567\n"], vec!["123456", "7\n"], vec!["1", "23456", "7", "\n"]] {
        let chunks = parts.iter().map(|part| Ok(part.as_bytes().to_vec())).collect();
        assert_eq!(all(blocks(reader(chunks)).longest_line(5)).await, ["1234567\n"], "{parts:?}");
    }
}

#[tokio::test]
async fn a_line_longer_than_a_block_comes_whole() {
    let (long, many) = ("x".repeat(5000) + "\n", "b\n".repeat(100));
    let text = format!("a\n{long}{many}");
    let read = all(blocks(text.as_bytes()).size(100).longest_line(5001)).await;
    assert_eq!(read[0], "a\n");
    assert!(read[1].starts_with(long.as_bytes()));
    assert!(read[2..].iter().all(|block| block.len() <= 100), "the others are as long as they should be");
    assert_eq!(joined(&read), text.as_bytes());
}

#[test]
#[should_panic(expected = "the size of blocks must be at least 1 byte, given 0")]
fn a_block_of_nothing_is_refused() {
    let _ = blocks(io::Cursor::new("")).size(0);
}

#[test]
#[should_panic(expected = "longest_line must be at least 1 byte, given 0")]
fn a_line_of_nothing_is_refused() {
    let _ = blocks(io::Cursor::new("")).longest_line(0);
}

proptest! {
    #[test]
    fn slices_are_what_was_pushed_in_that_order(text in "[a \n]{0,60}") {
        let block = Block::from(text);
        let mut words = Slices::of(&block);
        block.words().for_each(|word| words.push(word));
        let expected: Vec<_> = block.words().collect();
        prop_assert_eq!((words.len(), words.is_empty()), (expected.len(), expected.is_empty()));
        prop_assert!(words.iter().rev().eq(expected.iter().rev().copied()));
        prop_assert_eq!(words.iter().len(), expected.len());
        prop_assert!((&words).into_iter().eq(expected));

        // Lines may be empty, and the last may end with the block.
        let mut lines = Slices::of(&block.clone());
        block.lines().for_each(|line| lines.push(line));
        drop(block.clone());
        prop_assert!(lines.iter().eq(block.lines()));
    }
}

#[test]
fn slices_keep_their_block() {
    let words = {
        let block = Block::from(String::from("one two"));
        let mut words = Slices::of(&block);
        words.push(block.words().nth(1).unwrap());
        words
    };
    assert_eq!(words.iter().collect::<Vec<_>>(), [b"two"]);
}

#[test]
fn a_slice_of_something_else_is_refused_though_it_is_equal() {
    let (block, other) = (Block::from(String::from("one two")), String::from("one two"));
    let wider: &[u8] = &block;
    let part = Block::from(String::from("two"));
    for slice in [other.as_bytes(), &other.as_bytes()[..0], &wider[..3], wider] {
        let pushed = std::panic::catch_unwind(|| Slices::of(&part).push(slice));
        let panic = pushed.expect_err("it is not of this block");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the slice is not a part of the block"));
    }
}
