use super::{Folder, listed, runtime};
use futures::{StreamExt, TryStreamExt, stream};
use gen_stage::files::{blocks_of, files_below};
use gen_stage::prelude::*;
use proptest::prelude::*;
use std::io;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn every_byte_comes_once_and_no_block_has_lines_of_two_files(
        texts in prop::collection::vec("[a\n]{0,40}", 0..5),
        size in 1usize..20,
    ) {
        let folder = Folder::new();
        let paths: Vec<_> = (0..).zip(&texts).map(|(at, text)| folder.write(&format!("{at}"), text)).collect();
        let blocks: Vec<_> = runtime().block_on(blocks_of(listed(paths)).size(size).try_collect()).unwrap();
        let mut rest = blocks.iter();
        for text in &texts {
            let mut read = Vec::new();
            while read.len() < text.len() {
                let block = rest.next().expect("there is more to come");
                prop_assert!(!block.is_empty());
                read.extend_from_slice(block);
                prop_assert!(block.ends_with(b"\n") || read.len() == text.len(), "it ends within a line");
            }
            prop_assert_eq!(&read, text.as_bytes());
        }
        prop_assert!(rest.next().is_none());
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_an_item_and_the_next_file_follows() {
    let folder = Folder::new();
    let paths = [
        folder.write("a", "one\n"),
        folder.path("b"),
        folder.write("c", "x\ntoo long for it"),
        folder.write("d", "two\n"),
    ];
    let paths = listed(paths).chain(stream::iter([Err(io::Error::other("no more paths"))]));
    let read: Vec<_> = blocks_of(paths).size(4).longest_line(8).collect().await;
    let told: Vec<_> = read
        .iter()
        .map(|read| match read {
            Ok(block) => String::from_utf8(block.to_vec()).unwrap(),
            Err(error) => error.to_string().replace(folder.0.to_str().unwrap(), ""),
        })
        .collect();
    let [one, missing, x, long, two, paths] = &told[..] else { panic!("{told:?}") };
    assert_eq!([one, x, two, paths], ["one\n", "x\n", "two\n", "no more paths"]);
    assert!(missing.starts_with("/b: "), "{missing}");
    assert!(long.starts_with("/c: a line is longer than longest_line, which is 8 bytes"), "{long}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_share_the_blocks_of_all_files() {
    let folder = Folder::new();
    for file in 0..20 {
        let lines: Vec<String> = (0..500).map(|n| format!("{}\n", file * 500 + n)).collect();
        folder.write(&format!("{}/{file}", file % 3), lines.concat());
    }
    let mut numbers: Vec<u64> = blocks_of(files_below(&folder.0))
        .size(300)
        .flow()
        .lanes(3)
        .demand(4, 2)
        .map(Result::unwrap)
        .flat_map(|block: gen_stage::blocks::Block| {
            let lines = block.lines().map(|line| std::str::from_utf8(line).unwrap().parse().unwrap());
            lines.collect::<Vec<u64>>()
        })
        .collect()
        .await;
    numbers.sort();
    assert_eq!(numbers, (0..10_000).collect::<Vec<_>>());
}

#[test]
#[should_panic(expected = "the size of blocks must be at least 1 byte, given 0")]
fn blocks_of_no_size_are_refused() {
    let _ = blocks_of(listed([])).size(0);
}

#[test]
#[should_panic(expected = "longest_line must be at least 1 byte, given 0")]
fn lines_of_no_bytes_are_refused() {
    let _ = blocks_of(listed([])).longest_line(0);
}
