//! Text in blocks of whole lines.

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use gen_stage::blocks::{Block, Blocks, blocks};
use proptest::prelude::*;
use std::io;
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

proptest! {
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
