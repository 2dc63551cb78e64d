//! What is told at the end of input and at Ctrl-C. The program's own tests, whose clock is paused, say what is told at
//! which time.

use crate::process::Program;
use std::io::Write;

const PROGRAM: &str = env!("CARGO_BIN_EXE_live_sessions");
/// No period passes in a test.
const OPTIONS: [&str; 4] = ["--early", "3600", "--gap", "3600"];

#[test]
fn at_the_end_of_input_all_sessions_are_over() {
    let (program, mut input) = Program::start_with_input(PROGRAM, &OPTIONS);
    input
        .write_all(b"0 anna /\n500 bert /\nnothing\n1000 anna /shoes\n7200000 anna /\n0 anna /late")
        .unwrap();
    drop(input);
    let (status, mut printed, told) = program.ended();
    assert!(status.success(), "{told}");
    printed.sort();
    let expected = [
        "anna: 1 clicks from 7200000 to 7200000, over",
        "anna: 2 clicks from 0 to 1000, over",
        "bert: 1 clicks from 500 to 500, over",
    ];
    assert_eq!(printed, expected);
    assert!(told.contains("`nothing` is not `timestamp_ms user page`"), "{told}");
    assert!(told.contains("late: 0 anna /late"), "{told}");
}

#[test]
fn after_ctrl_c_what_was_read_is_told_though_the_input_is_open() {
    let (program, mut input) = Program::start_with_input(PROGRAM, &OPTIONS);
    input.write_all(b"0 anna /\n5000 anna /shoes\n8000000 anna /\n").unwrap();
    // It has read all of that when it tells the first session.
    assert_eq!(program.prints("anna: "), "2 clicks from 0 to 5000, over");
    program.interrupt();
    assert_eq!(program.ended_well(), ["anna: 1 clicks from 8000000 to 8000000, over"]);
    drop(input);
}
