use crate::program::{Dice, Folder, by_docs, example, run, run_example, run_with};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::OnceLock;

#[derive(Clone)]
struct Line {
    time: i64,
    key: String,
    value: i64,
}

/// Up to 5 seconds out of order.
fn lines() -> &'static [Line] {
    static LINES: OnceLock<Vec<Line>> = OnceLock::new();
    LINES.get_or_init(|| {
        let mut dice = Dice(7);
        let line = |at: i64| Line {
            time: at * 7 - 500_000 + dice.below(5000) as i64,
            key: format!("key {}", dice.below(97)),
            value: dice.below(2001) as i64 - 1000,
        };
        (0..40_000).map(line).collect()
    })
}

/// Count and sum of each window and key.
type Rows = BTreeMap<(i64, String), (u64, i64)>;

fn add(rows: &mut Rows, start: i64, line: &Line) {
    let row = rows.entry((start, line.key.clone())).or_default();
    *row = (row.0 + 1, row.1 + line.value);
}

fn printed(rows: Rows) -> String {
    rows.into_iter().map(|((start, key), (count, sum))| format!("{start}\t{key}\t{count}\t{sum}\n")).collect()
}

/// Windows of `size` at every `step`, and how many lines are too late for all.
fn spans(size: i64, step: i64, lateness: i64) -> (Rows, u64) {
    let (mut rows, mut late, mut highest) = (Rows::new(), 0, i64::MIN);
    for line in lines() {
        let mut start = line.time.div_euclid(step) * step;
        let mut taken = false;
        while start > line.time - size {
            if start + size + lateness > highest {
                taken = true;
                add(&mut rows, start, line);
            }
            start -= step;
        }
        late += u64::from(!taken);
        highest = highest.max(line.time);
    }
    (rows, late)
}

/// Sessions of the whole file.
fn sessions(gap: i64) -> Rows {
    let mut sorted = lines().to_vec();
    sorted.sort_by_key(|line| line.time);
    let (mut rows, mut open) = (Rows::new(), HashMap::<String, (i64, i64)>::new());
    for line in sorted {
        let (start, last) = open.entry(line.key.clone()).or_insert((line.time, line.time));
        if line.time - *last >= gap {
            *start = line.time;
        }
        *last = line.time;
        add(&mut rows, *start, &line);
    }
    rows
}

/// The lines of each key in pieces.
fn counts(items: u64) -> Rows {
    let (mut rows, mut seen) = (Rows::new(), HashMap::<&str, u64>::new());
    for line in lines() {
        let seen = seen.entry(&line.key).or_default();
        add(&mut rows, (*seen / items) as i64, line);
        *seen += 1;
    }
    rows
}

/// That it prints these rows, and that so many lines are late; on one core too.
fn check(kind: &str, (rows, late): (Rows, u64)) {
    let folder = Folder::new();
    let text: String =
        lines().iter().map(|line| format!("{},{},{}\n", line.time, line.key, line.value)).collect();
    let file = folder.write("lines", text);
    let expected = printed(rows);
    let ran = run_example("windows", [Path::new(kind), &file]);
    assert_eq!(ran.told(), format!("late\t{late}\n"), "{kind}");
    assert!(ran.printed() == expected, "{kind}");
    #[cfg(target_os = "linux")]
    {
        let mut windows = crate::program::on_one_core("windows");
        windows.arg(kind).arg(&file);
        assert!(run(windows).printed() == expected, "{kind} on one core");
    }
}

#[test]
fn it_prints_what_its_docs_say_of_a_file_and_of_standard_input() {
    let expected = by_docs("windows").replace(' ', "\t");
    let ran = run_example("windows", ["fixed:60000", "examples/data/clicks.csv"]);
    let told = ran.told();
    let lines: Vec<_> =
        told.lines().map(|line| line.splitn(3, ':').take(2).collect::<Vec<_>>().join(":")).collect();
    assert_eq!(lines, ["windows: line 1", "windows: line 10", "windows: line 13", "late\t1"], "{told}");
    assert_eq!(ran.printed(), expected);
    let clicks = std::fs::read(crate::program::root().join("examples/data/clicks.csv")).unwrap();
    let mut windows = example("windows");
    windows.arg("fixed:60000");
    assert_eq!(run_with(windows, &clicks).printed(), expected);
}

#[test]
fn fixed_windows_are_those_of_a_loop() {
    for lateness in [0, 700, 5000] {
        let (rows, late) = spans(1000, 1000, lateness);
        assert_eq!(late == 0, lateness == 5000, "with less than all, something is late");
        check(&format!("fixed:1000:{lateness}"), (rows, late));
    }
}

#[test]
fn sliding_windows_are_those_of_a_loop() {
    for lateness in [0, 700, 5000] {
        check(&format!("sliding:3000:700:{lateness}"), spans(3000, 700, lateness));
    }
}

#[test]
fn sessions_are_those_of_the_whole_file() {
    check("session:900:5000", (sessions(900), 0));
}

#[test]
fn counted_windows_are_pieces_of_each_key() {
    check("count:100", (counts(100), 0));
}

#[test]
fn what_cannot_be_done_is_said() {
    let folder = Folder::new();
    let file = folder.write("lines", "1,a,1\n");
    run_example("windows", [Path::new("fixed:1000"), &folder.path("missing")]).failed(2, "missing");
    run_example("windows", [Path::new("fixed:0"), &file]).failed(2, "at least 1 ms, given 0");
    if cfg!(target_os = "linux") {
        run_example("windows", ["session:1000", "/proc/self/mem"]).failed(1, "/proc/self/mem");
    }
}
