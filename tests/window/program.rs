//! The example program `windows`: what it prints, against the work done line by line, and on the whole file at once.

#[path = "../../examples/windows.rs"]
#[allow(dead_code, reason = "a program has a `main`")]
mod windows;

use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::io::Cursor;
use std::sync::{Arc, Mutex};
use windows::{Kind, print_windows};

/// What the program prints, what is late, and which lines it reports.
fn printed(kind: &str, file: &str, threads: usize) -> (String, u64, Vec<u64>) {
    let kind: Kind = kind.parse().unwrap();
    let mut builder = if threads == 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let reported = Arc::new(Mutex::new(Vec::new()));
    let report = {
        let reported = reported.clone();
        move |line, why: &str| {
            assert!(!why.is_empty());
            reported.lock().unwrap().push(line);
        }
    };
    let mut out = Vec::new();
    let input = Cursor::new(file.as_bytes().to_vec());
    let late = builder
        .worker_threads(threads)
        .build()
        .unwrap()
        .block_on(print_windows(kind, input, report, &mut out))
        .unwrap();
    let reported = reported.lock().unwrap().clone();
    (String::from_utf8(out).unwrap(), late, reported)
}

type Line = (i64, &'static str, i64);

/// Start, key, how many, and their sum: in the order of the output.
type Rows = Vec<(i64, String, u64, i128)>;

fn text(rows: &Rows) -> String {
    rows.iter().fold(String::new(), |mut text, (start, key, count, sum)| {
        writeln!(text, "{start}\t{key}\t{count}\t{sum}").unwrap();
        text
    })
}

fn sum(values: &[i64]) -> i128 {
    values.iter().map(|value| i128::from(*value)).sum()
}

/// The starts of the windows that a time is in.
fn starts(time: i64, size: i64, step: i64) -> impl Iterator<Item = i64> {
    (time - size + 1..=time).filter(move |start| start.rem_euclid(step) == 0)
}

/// Fixed or sliding windows, line by line.
fn row_by_line(size: i64, step: i64, lateness: i64, lines: &[Line]) -> (Rows, u64) {
    let mut windows: BTreeMap<(i64, &str), Vec<i64>> = BTreeMap::new();
    let (mut late, mut highest) = (0, None);
    for &(time, key, value) in lines {
        let open = |start: &i64| highest.is_none_or(|highest| start + size + lateness > highest);
        let open: Vec<i64> = starts(time, size, step).filter(open).collect();
        late += u64::from(open.is_empty());
        for start in open {
            windows.entry((start, key)).or_default().push(value);
        }
        highest = highest.max(Some(time));
    }
    let row = |((start, key), of): ((_, &str), Vec<_>)| (start, key.into(), of.len() as u64, sum(&of));
    (windows.into_iter().map(row).collect(), late)
}

/// Sessions, line by line: each is its key, and the times and values that are in it.
fn sessions_by_line(gap: i64, lateness: i64, lines: &[Line]) -> (Rows, u64) {
    let mut open: Vec<(&str, Vec<(i64, i64)>)> = Vec::new();
    let (mut rows, mut late, mut highest) = (Rows::new(), 0, i64::MIN / 2);
    for &(time, key, value) in lines {
        let over = |session: &(&str, Vec<(i64, i64)>)| {
            session.1.iter().all(|(at, _)| at + gap + lateness <= highest)
        };
        let (done, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(over);
        // A session that is over is not joined again, and another may start as early as it did.
        rows.extend(done.into_iter().map(session_row));
        let near = |at: i64| (at - time).abs() < gap;
        let (near, others): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|session| session.0 == key && session.1.iter().any(|(at, _)| near(*at)));
        open = others;
        if near.is_empty() && time + gap + lateness <= highest {
            late += 1;
        } else {
            let items = near.into_iter().flat_map(|session| session.1);
            open.push((key, items.chain([(time, value)]).collect()));
        }
        highest = highest.max(time);
    }
    rows.extend(open.into_iter().map(session_row));
    rows.sort();
    (rows, late)
}

fn session_row((key, items): (&str, Vec<(i64, i64)>)) -> (i64, String, u64, i128) {
    let (times, values): (Vec<i64>, Vec<i64>) = items.into_iter().unzip();
    (times.into_iter().min().unwrap(), key.into(), values.len() as u64, sum(&values))
}

/// Sessions of the whole file.
fn sessions_at_once(gap: i64, lines: &[Line]) -> Rows {
    let mut lines = lines.to_vec();
    lines.sort_by_key(|(time, key, _)| (*key, *time));
    let sessions = lines.chunk_by(|(time, key, _), (next, other, _)| key == other && next - time < gap);
    let row = |session: &[Line]| {
        let items = session.iter().map(|(time, _, value)| (*time, *value));
        session_row((session[0].1, items.collect()))
    };
    let mut rows: Rows = sessions.map(row).collect();
    rows.sort();
    rows
}

/// Counted windows of the whole file.
fn counted_at_once(items: usize, lines: &[Line]) -> Rows {
    let mut keys: HashMap<&str, Vec<i64>> = HashMap::new();
    for (_, key, value) in lines {
        keys.entry(key).or_default().push(*value);
    }
    let mut rows = Rows::new();
    for (key, values) in keys {
        for (window, values) in (0..).zip(values.chunks(items)) {
            rows.push((window, key.into(), values.len() as u64, sum(values)));
        }
    }
    rows.sort();
    rows
}

#[derive(Debug, Clone)]
struct Input {
    lines: Vec<Line>,
    disorder: i64,
    /// The lines, and others that are bad or blank.
    file: String,
    bad: Vec<u64>,
}

fn input() -> impl Strategy<Value = Input> {
    let disorder = prop::sample::select(vec![0i64, 5, 40, 300]);
    let key = prop::sample::select(vec!["a", "b", "ü c", ""]);
    (disorder, -200i64..50).prop_flat_map(move |(disorder, start)| {
        let value = prop_oneof![4 => -50i64..50, 1 => prop::sample::select(vec![i64::MAX, i64::MIN])];
        let line = (0i64..20, 0..=disorder, key.clone(), value, 0u8..12);
        (prop::collection::vec(line, 0..80), any::<bool>()).prop_map(move |(steps, newline)| {
            let (mut now, mut number) = (start, 0);
            let (mut lines, mut bad, mut file) = (Vec::new(), Vec::new(), String::new());
            for (pace, ahead, key, value, style) in steps {
                now += pace;
                let time = now + ahead;
                number += 1;
                let broken =
                    ["time,key,value", "5,a", "1,a,2,3", "1.5,a,1", "99999999999999999999,a,1", "1,a,"];
                match style {
                    0 => {
                        bad.push(number);
                        file.push_str(broken[(pace % 6) as usize]);
                    }
                    1 => file.push_str([" ", ""][(pace % 2) as usize]),
                    _ => {
                        lines.push((time, key, value));
                        let _ = match style {
                            2 => write!(file, "  {time} ,\t{key} , {value}\r"),
                            3 if value >= 0 => write!(file, "{time},{key},+{value}"),
                            _ => write!(file, "{time},{key},{value}"),
                        };
                    }
                }
                file.push('\n');
            }
            if !newline {
                file.pop();
            }
            Input { lines, disorder, file, bad }
        })
    })
}

fn lateness() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![0i64, 0, 1, 20, 100, 300])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn fixed_windows_are_those_of_the_model(
        input in input(), size in 1i64..80, lateness in lateness(), threads in 1usize..3,
    ) {
        let kind = format!("fixed:{size}:{lateness}");
        let (rows, late) = row_by_line(size, size, lateness, &input.lines);
        prop_assert_eq!(printed(&kind, &input.file, threads), (text(&rows), late, input.bad));
        if lateness >= input.disorder {
            prop_assert_eq!(late, 0);
            prop_assert_eq!(rows, row_by_line(size, size, 1 << 40, &input.lines).0);
        }
    }

    #[test]
    fn sliding_windows_are_those_of_the_model(
        input in input(), size in 1i64..80, step in 1i64..80, lateness in lateness(), threads in 1usize..3,
    ) {
        let step = step.min(size);
        let kind = format!("sliding:{size}:{step}:{lateness}");
        let (rows, late) = row_by_line(size, step, lateness, &input.lines);
        prop_assert_eq!(printed(&kind, &input.file, threads), (text(&rows), late, input.bad));
        if lateness >= input.disorder {
            prop_assert_eq!(late, 0);
            prop_assert_eq!(rows, row_by_line(size, step, 1 << 40, &input.lines).0);
        }
    }

    #[test]
    fn sessions_are_those_of_the_model(
        input in input(), gap in 1i64..60, lateness in lateness(), threads in 1usize..3,
    ) {
        let kind = format!("session:{gap}:{lateness}");
        let (rows, late) = sessions_by_line(gap, lateness, &input.lines);
        prop_assert_eq!(printed(&kind, &input.file, threads), (text(&rows), late, input.bad));
        if lateness >= input.disorder {
            prop_assert_eq!(late, 0);
            prop_assert_eq!(rows, sessions_at_once(gap, &input.lines));
        }
    }

    #[test]
    fn counted_windows_are_those_of_each_key_in_the_order_of_the_file(
        input in input(), items in 1usize..20, threads in 1usize..3,
    ) {
        let rows = counted_at_once(items, &input.lines);
        prop_assert_eq!(printed(&format!("count:{items}"), &input.file, threads), (text(&rows), 0, input.bad));
    }
}

#[test]
fn lateness_is_0_when_it_is_not_given() {
    let file = "0,a,1\n10,a,2\n9,a,4\n";
    assert_eq!(printed("fixed:10", file, 1), ("0\ta\t1\t1\n10\ta\t1\t2\n".into(), 1, vec![]));
    assert_eq!(printed("fixed:10:1", file, 1), ("0\ta\t2\t5\n10\ta\t1\t2\n".into(), 0, vec![]));
    assert_eq!(printed("sliding:10:5", "0,a,1\n20,a,2\n9,a,4\n", 1).1, 1);
    assert_eq!(printed("session:10", "0,a,1\n20,a,2\n9,a,4\n", 1).1, 1);
}

#[test]
fn sums_do_not_overflow() {
    let file = format!("1,a,{0}\n2,a,{0}\n1,b,{1}\n2,b,{1}\n", i64::MAX, i64::MIN);
    let (a, b) = (i128::from(i64::MAX) * 2, i128::from(i64::MIN) * 2);
    for (kind, start) in [("fixed:1000", [0, 0]), ("session:100", [1, 1]), ("count:2", [0, 0])] {
        let expected = format!("{}\ta\t2\t{a}\n{}\tb\t2\t{b}\n", start[0], start[1]);
        assert_eq!(printed(kind, &file, 1).0, expected);
    }
}

#[test]
fn nothing_and_only_bad_lines_make_no_rows() {
    for kind in ["fixed:10", "sliding:10:5:1", "session:10", "count:3"] {
        assert_eq!(printed(kind, "", 1), (String::new(), 0, vec![]));
        assert_eq!(printed(kind, "\n\r\nx\n,,", 1), (String::new(), 0, vec![3, 4]));
    }
}

#[test]
fn bytes_that_are_no_text_and_times_out_of_reach_are_bad_lines() {
    let far = i64::MAX / 2;
    let file = format!("{far},a,1\n{},a,2\n{},b,3\n{},b,4\n", far + 1, -far, -far - 1);
    let (rows, late, bad) = printed("count:9", &file, 1);
    assert_eq!((rows.as_str(), late, bad), ("0\ta\t1\t1\n0\tb\t1\t3\n", 0, vec![2, 4]));
    let (rows, late, _) = printed("session:1", &file, 1);
    assert_eq!((rows, late), (format!("{far}\ta\t1\t1\n"), 1));
}

#[test]
fn what_is_no_kind_of_window_is_refused_with_the_reason() {
    for (kind, reason) in [
        ("fixed:0", "the size must be at least 1 ms, given 0"),
        ("fixed:-1", "the size: invalid digit found in string, given `-1`"),
        ("fixed:1:2:3", "fixed takes no `3`"),
        ("sliding:5", "sliding needs the step"),
        ("sliding:5:6", "the step must be at most the size, 5ms, given 6ms"),
        (
            "session:9223372036854775807",
            "the gap must be at most 2305843009213693951 ms, given 9223372036854775807",
        ),
        ("count", "the number of items: cannot parse integer from empty string, given ``"),
        ("count:1:2", "count takes one number"),
        ("tumbling:5", "a window is fixed, sliding, session or count, given `tumbling`"),
    ] {
        assert_eq!(kind.parse::<Kind>(), Err(reason.into()), "{kind}");
    }
}

#[tokio::test]
async fn an_input_that_cannot_be_read_to_its_end_is_a_failure_without_the_windows_it_cut_off() {
    for kind in ["fixed:10", "sliding:10:5", "session:10", "count:2"] {
        let input = tokio_test::io::Builder::new()
            .read(b"1,a,1\n2,a,1\n")
            .read_error(std::io::Error::other("worn out"))
            .build();
        let mut out = Vec::new();
        let failed = print_windows(kind.parse().unwrap(), input, |_, _| (), &mut out).await;
        assert!(matches!(failed, Err(windows::Failure::Input(why)) if why.contains("worn out")));
        assert_eq!(out, b"", "{kind}");
    }
}
