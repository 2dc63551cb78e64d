//! Beside a loop over all lines.

use crate::logs::log;
use crate::process::{Folder, Program};
use flate2::{Compression, write::GzEncoder};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;

const PROGRAM: &str = env!("CARGO_BIN_EXE_log_analytics");

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

/// The rows, by a loop, and how many lines are no requests.
fn by_a_loop(text: &str) -> (Vec<String>, usize) {
    let (mut table, mut skipped) = (BTreeMap::<(&str, &str), Vec<u32>>::new(), 0);
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            [time, _host, _method, path, _status, millis] => {
                table.entry((&time[..16], path)).or_default().push(millis.parse().unwrap());
            }
            _ => skipped += 1,
        }
    }
    let mut rows: Vec<_> = table.into_iter().collect();
    // Stable: in the order of minutes and paths where there are as many.
    rows.sort_by_key(|(_, millis)| std::cmp::Reverse(millis.len()));
    let rows = rows.into_iter().map(|((minute, path), mut millis)| {
        millis.sort_unstable();
        // At least 95 of 100 are at most this.
        let p95 = millis.iter().enumerate().find(|(at, _)| (at + 1) * 100 >= millis.len() * 95).unwrap().1;
        format!("{minute}\t{path}\t{}\t{p95}", millis.len())
    });
    (rows.collect(), skipped)
}

#[test]
fn plain_and_packed_logs_give_the_rows_of_a_loop() {
    let folder = Folder::new();
    let logs = [log(1, 1_500_000, 20), log(2, 700_000, 20), log(3, 10_000, 20)];
    let files = [folder.path("a.log"), folder.path("b.log.gz"), folder.path("c.gz")];
    fs::write(&files[0], &logs[0]).unwrap();
    // As log rotation makes them: several packed files, one after the other.
    let (first, second) = logs[1].split_at(logs[1].find('\n').unwrap() + 12);
    fs::write(&files[1], [gzip(first), gzip(second)].concat()).unwrap();
    fs::write(&files[2], gzip(&logs[2])).unwrap();

    let (expected, skipped) = by_a_loop(&logs.concat());
    assert!(expected.len() > 1000 && skipped > 10);
    let (status, printed, told) =
        Program::start(PROGRAM, &["--top", "0", &files[0], &files[1], &files[2]]).ended();
    assert!(status.success(), "{told}");
    assert_eq!(printed, expected);
    assert_eq!(told, format!("{skipped} lines were something else"));

    let twenty = Program::start(PROGRAM, &[&files[0], &files[1], &files[2]]).ended_well();
    assert_eq!(twenty, expected[..20]);
}

#[test]
fn a_file_that_is_broken_is_an_error_that_names_it() {
    let folder = Folder::new();
    let file = folder.path("broken.gz");
    let mut packed = gzip(&log(1, 100_000, 20));
    packed.truncate(packed.len() / 2);
    fs::write(&file, packed).unwrap();
    // A file that is absent is told before the others are read.
    let whole = folder.path("whole.log");
    fs::write(&whole, log(1, 1000, 20)).unwrap();
    let absent = Program::start(PROGRAM, &[&whole, &folder.path("absent.log")]).ended();
    assert!(absent.0.code() == Some(1) && absent.2.contains("absent.log"), "{absent:?}");
    for file in [file, folder.path("absent.log")] {
        let (status, printed, told) = Program::start(PROGRAM, &[&file]).ended();
        assert_eq!(status.code(), Some(1));
        assert!(printed.is_empty() && told.contains(&file), "{printed:?} {told}");
    }
}

#[test]
#[cfg(unix)]
fn what_comes_out_of_a_pipe_is_counted_too() {
    let folder = Folder::new();
    let (pipe, text) = (folder.path("pipe"), log(4, 500_000, 20));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let program = Program::start(PROGRAM, &["--top", "0", &pipe]);
    fs::write(&pipe, &text).unwrap();
    let (status, printed, told) = program.ended();
    assert!(status.success(), "{told}");
    assert_eq!(printed, by_a_loop(&text).0);
}
