use super::{Folder, listed, runtime};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use gen_stage::blocks::{Block, blocks};
use gen_stage::files::{UnreadBlock, files_below, unread_blocks_of};
use gen_stage::prelude::*;
use proptest::prelude::*;
use std::fs;
use std::io;

/// The blocks of a text: in each, the lines that begin in its span.
fn model(text: &str, size: usize) -> Vec<String> {
    let mut blocks = vec![String::new(); text.len().div_ceil(size)];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        blocks[at / size].push_str(line);
        at += line.len();
    }
    blocks
}

/// What blocks say of themselves, read in this order.
fn read(blocks: Vec<io::Result<UnreadBlock>>, folder: &Folder) -> Vec<String> {
    let told = |block: io::Result<UnreadBlock>| match block.and_then(UnreadBlock::read) {
        Ok(block) => String::from_utf8(block.to_vec()).unwrap(),
        Err(error) => error.to_string().replace(folder.0.to_str().unwrap(), ""),
    };
    blocks.into_iter().map(told).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn a_line_is_in_the_block_in_whose_span_it_begins(
        texts in prop::collection::vec("[a\n]{0,40}", 0..5),
        size in 1usize..20,
        backwards: bool,
    ) {
        let folder = Folder::new();
        let paths: Vec<_> = (0..).zip(&texts).map(|(at, text)| folder.write(&format!("{at}"), text)).collect();
        let mut unread: Vec<_> =
            runtime().block_on(unread_blocks_of(listed(paths)).size(size).collect());
        let mut expected: Vec<_> = texts.iter().flat_map(|text| model(text, size)).collect();
        if backwards {
            unread.reverse();
            expected.reverse();
        }
        prop_assert_eq!(read(unread, &folder), expected);
    }
}

/// Lines of about these lengths.
fn long_lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![0usize..3, 1000usize..1100, 2900usize..3100].prop_map(|length| "x".repeat(length));
    (prop::collection::vec(line, 0..6), any::<bool>())
        .prop_map(|(lines, ended)| lines.join("\n") + if ended { "\n" } else { "" })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn so_is_a_long_line(
        texts in prop::collection::vec(long_lines(), 0..4),
        size in prop_oneof![1usize..20, 900usize..1100, 4000usize..9000],
    ) {
        let folder = Folder::new();
        let paths: Vec<_> = (0..).zip(&texts).map(|(at, text)| folder.write(&format!("{at}"), text)).collect();
        let unread = runtime().block_on(unread_blocks_of(listed(paths)).size(size).collect());
        let expected: Vec<_> = texts.iter().flat_map(|text| model(text, size)).collect();
        prop_assert_eq!(read(unread, &folder), expected);
    }
}

#[tokio::test]
async fn lines_that_end_long_after_their_span_are_read_to_their_end() {
    let folder = Folder::new();
    let (long, short) = ("x".repeat(5_000) + "\n", "short\n".to_owned());
    for (text, size) in [
        (long.clone() + &short, 100),
        (short.clone() + &long + &long + &short, 3_000),
        (short.clone() + &"y".repeat(5_000), 7),
    ] {
        let path = folder.write("lines", &text);
        let unread = unread_blocks_of(listed([path])).size(size).collect().await;
        assert_eq!(read(unread, &folder), model(&text, size));
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_an_item_and_what_comes_after_it_follows() {
    let folder = Folder::new();
    fs::create_dir(folder.path("e")).unwrap();
    let too_long = "l".repeat(2_100);
    let paths = [
        folder.write("a", "one\n"),
        folder.path("b"),
        folder.write("c", format!("x\n{too_long}\nz")),
        folder.write("d", ""),
        folder.path("e"),
        folder.write("f", "two\n"),
    ];
    let paths = listed(paths).chain(stream::iter([Err(io::Error::other("no more paths"))]));
    let unread = unread_blocks_of(paths).size(1_000).longest_line(100).collect().await;
    let told = read(unread, &folder);
    let [one, missing, long, empty, z, no_file, two, paths] = &told[..] else { panic!("{told:?}") };
    assert_eq!([one, empty, z, two, paths], ["one\n", "", "z", "two\n", "no more paths"]);
    assert!(missing.starts_with("/b: "), "{missing}");
    assert_eq!(
        long,
        "/c: a line is longer than longest_line, which is 100 bytes: 2023 were read and have no line end"
    );
    assert_eq!(no_file, "/e: not a file: it has no length to be divided");
}

#[tokio::test]
async fn a_file_is_divided_as_it_was_when_it_was_looked_up() {
    let folder = Folder::new();
    let path = folder.write("log", "one\ntwo\nthr");
    let opened = || unread_blocks_of(listed([path.clone()])).size(4).collect::<Vec<_>>();
    let before_it_grows = opened().await;
    fs::write(&path, "one\ntwo\nthree\nfour\n").unwrap();
    assert_eq!(read(before_it_grows, &folder), ["one\n", "two\n", "three\n"]);
    let before_it_shrinks = opened().await;
    fs::write(&path, "one\nt").unwrap();
    assert_eq!(read(before_it_shrinks, &folder), ["one\n", "t", "", "", ""]);
}

#[tokio::test]
async fn a_size_that_is_set_between_two_blocks_is_that_of_the_next_file() {
    let folder = Folder::new();
    let text = "one\ntwo\nthree\n";
    let mut unread = unread_blocks_of(listed([folder.write("a", text), folder.write("b", text)])).size(4);
    let mut blocks = vec![unread.next().await.unwrap()];
    blocks.extend(unread.size(8).collect::<Vec<_>>().await);
    let expected = [model(text, 4), model(text, 8)].concat();
    assert_eq!(read(blocks, &folder), expected);
}

#[tokio::test]
async fn a_block_is_read_into_the_memory_of_one_that_is_gone() {
    let folder = Folder::new();
    let path = folder.write("log", "a line of some length\n".repeat(1_000));
    let unread: Vec<_> = unread_blocks_of(listed([path])).size(4_000).collect().await;
    // The last one is short, and has memory of its own.
    let places = unread.into_iter().take(5).map(|block| block.unwrap().read().unwrap().as_ptr().addr());
    let places: Vec<_> = places.collect();
    // A block begins where its first line does: less than a line into its buffer.
    assert!(places.iter().all(|place| place.abs_diff(places[0]) < 30), "{places:?}");
}

#[tokio::test]
async fn files_that_wait_are_not_open() {
    let folder = Folder::new();
    let paths: Vec<_> =
        (0..5_000).map(|file| folder.write(&format!("{file}"), format!("{file}\n"))).collect();
    let unread: Vec<_> = unread_blocks_of(listed(paths)).collect().await;
    let expected: Vec<_> = (0..5_000).map(|file| format!("{file}\n")).collect();
    assert_eq!(read(unread, &folder), expected);
}

#[tokio::test]
#[cfg(unix)]
async fn a_pipe_is_no_file_and_does_not_hold_anything_up() {
    let folder = Folder::new();
    let pipe = folder.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let unread = unread_blocks_of(listed([pipe, folder.write("log", "line\n")])).collect().await;
    assert_eq!(read(unread, &folder), ["/pipe: not a file: it has no length to be divided", "line\n"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_read_the_blocks_of_all_files_beside_blocks_that_were_read() {
    let folder = Folder::new();
    for file in 0..20 {
        let lines: Vec<String> = (0..500).map(|n| format!("{}\n", file * 500 + n)).collect();
        folder.write(&format!("{}/{file}", file % 3), lines.concat());
    }
    let more = blocks(b"10000\n10001\n".as_slice()).size(6).map_ok(UnreadBlock::from);
    let unread = unread_blocks_of(files_below(&folder.0)).size(300);
    let mut numbers: Vec<u64> = Flow::from_streams([unread.left_stream(), more.right_stream()])
        .lanes(3)
        .demand(4, 2)
        .try_map(UnreadBlock::read)
        .flat_map_ok(Block::into_lines)
        .map(|line| String::from_utf8(line.unwrap()).unwrap().parse::<u64>().unwrap())
        .collect()
        .await;
    numbers.sort();
    assert_eq!(numbers, (0..10_002).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_line_that_goes_on_over_many_spans_is_in_one_block() {
    let folder = Folder::new();
    let path = folder.write("log", "x".repeat(100_000) + "\nend");
    let unread: Vec<_> = unread_blocks_of(listed([path])).size(1_000).collect().await;
    let lengths: Vec<_> = unread.into_iter().map(|block| block.unwrap().read().unwrap().len()).collect();
    assert_eq!(lengths.iter().filter(|length| **length > 0).collect::<Vec<_>>(), [&100_001, &3]);
    assert_eq!(lengths.len(), 101);
}

#[test]
#[should_panic(expected = "the size of blocks must be at least 1 byte and at most 1073741824, given 0")]
fn blocks_of_no_size_are_refused() {
    let _ = unread_blocks_of(listed([])).size(0);
}

#[test]
#[should_panic(
    expected = "the size of blocks must be at least 1 byte and at most 1073741824, given 1073741825"
)]
fn blocks_that_no_memory_holds_are_refused() {
    let _ = unread_blocks_of(listed([])).size((1 << 30) + 1);
}

#[test]
#[should_panic(expected = "longest_line must be at least 1 byte, given 0")]
fn lines_of_no_bytes_are_refused() {
    let _ = unread_blocks_of(listed([])).longest_line(0);
}

#[tokio::test]
async fn how_many_blocks_are_left_is_known_once_the_last_file_is_found() {
    let folder = Folder::new();
    let paths = [folder.write("a", "one\ntwo\n"), folder.write("b", "three\nfour\n")];
    let mut unread = unread_blocks_of(listed(paths)).size(4);
    assert_eq!(unread.size_hint(), (0, None));
    let mut hints = Vec::new();
    while let Some(block) = unread.next().await {
        block.unwrap();
        hints.push(unread.size_hint());
    }
    assert_eq!(hints, [(1, None), (0, None), (2, Some(2)), (1, Some(1)), (0, Some(0))]);
}
