use crate::program::{Dice, Folder, by_docs, run_example};
use std::path::Path;

/// A file with everything in it that a line can be.
fn lines(seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut text = String::new();
    for line in 1..=1500 {
        let key = format!("k{}", dice.below(500));
        text += &match dice.below(40) {
            0 => format!("no comma {line}\n"),
            1 => "\n".to_owned(),
            2 => " ,no key\n".to_owned(),
            3 => format!("{key},a,b\n"),
            4 => format!("{key},\n"),
            5 => format!("  {key}\t,v{line}\r\n"),
            6 => format!("{key}, spaces {line} \n"),
            7 => format!("the one key,{line}\n"),
            8 => format!("{key} ä,v{line}\n"),
            _ => format!("{key},v{line}\n"),
        };
    }
    let mut bytes = b"not UTF-8 \xff,1\n".to_vec();
    bytes.extend(text.bytes());
    bytes.extend(b"last,no line end");
    bytes
}

type Line = (String, String);

/// Keys and values, and the numbers of the lines that are bad.
fn read(file: &[u8]) -> (Vec<Line>, Vec<String>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (at, line) in file.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let parts = std::str::from_utf8(line).ok().map(|line| line.split(',').collect::<Vec<_>>());
        match parts.as_deref() {
            Some([key, value]) if !key.trim().is_empty() => {
                good.push((key.trim().to_owned(), (*value).to_owned()));
            }
            _ => bad.push((at + 1).to_string()),
        }
    }
    (good, bad)
}

/// Every line with every line of an equal key.
fn joined(mode: &str, left: &[Line], right: &[Line]) -> Vec<String> {
    let row = |key: &str, left: &str, right: &str| format!("{key}\t{left}\t{right}");
    let mut rows = Vec::new();
    for (key, value) in left {
        let met: Vec<_> = right.iter().filter(|(other, _)| other == key).collect();
        rows.extend(met.iter().map(|(_, other)| row(key, value, other)));
        if met.is_empty() && matches!(mode, "left" | "full") {
            rows.push(row(key, value, ""));
        }
    }
    for (key, value) in right {
        if matches!(mode, "right" | "full") && !left.iter().any(|(other, _)| other == key) {
            rows.push(row(key, "", value));
        }
    }
    rows.sort();
    rows
}

#[test]
fn it_prints_what_its_docs_say_and_names_the_bad_line() {
    let ran = run_example("join", ["right", "examples/data/cities.csv", "examples/data/rivers.csv"]);
    assert_eq!(ran.told(), "join: examples/data/cities.csv:5: no comma\n");
    assert_eq!(ran.printed(), by_docs("join"));
}

#[test]
fn every_mode_prints_the_rows_of_nested_loops_and_reports_the_lines_that_are_bad() {
    let folder = Folder::new();
    let (left, right) = (lines(4), lines(5));
    let files = [folder.write("left", &left), folder.write("right", &right)];
    let ((left, bad_left), (right, bad_right)) = (read(&left), read(&right));
    for mode in ["inner", "left", "right", "full"] {
        let ran = run_example("join", [Path::new(mode), &files[0], &files[1]]);
        for (file, bad) in files.iter().zip([&bad_left, &bad_right]) {
            let prefix = format!("join: {}:", file.display());
            let told = ran.told();
            let mut numbers: Vec<_> =
                told.lines().filter_map(|line| line.strip_prefix(&prefix)?.split(':').next()).collect();
            numbers.sort_by_key(|number| number.parse::<u32>().unwrap());
            assert_eq!(&numbers, bad, "{mode}");
        }
        let expected = joined(mode, &left, &right);
        assert!(expected.len() > 500);
        assert!(ran.printed().lines().eq(expected), "{mode}");
    }
}

#[test]
fn what_cannot_be_joined_is_said() {
    let folder = Folder::new();
    let file = folder.write("left", "a,1\n");
    run_example("join", [Path::new("inner"), &file, &folder.path("missing")]).failed(2, "missing");
    run_example("join", [Path::new("outer"), &file, &file]).failed(2, "outer");
    if cfg!(target_os = "linux") {
        run_example("join", [Path::new("inner"), &file, Path::new("/proc/self/mem")])
            .failed(1, "/proc/self/mem");
    }
}

#[test]
fn nothing_joined_with_nothing_is_nothing() {
    let folder = Folder::new();
    let file = folder.write("empty", "");
    assert_eq!(run_example("join", [Path::new("full"), &file, &file]).printed(), "");
}
