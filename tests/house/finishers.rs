//! Every way to finish a flow runs the suite of all of them.

use super::sources::{Sources, closed, files};
use std::collections::BTreeSet;

/// The files of the module `flow` under the heading of ends.
fn ends() -> BTreeSet<String> {
    let all = files("src/flow");
    let (_, text) = all.iter().find(|(file, _)| file == "src/flow/mod.rs").unwrap();
    let below = text.lines().skip_while(|line| *line != "// Ends.").skip(1);
    let modules = below.map_while(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    modules.map(|module| format!("src/flow/{module}.rs")).collect()
}

/// What is handed to the suite, in all tests.
fn suites() -> Vec<String> {
    let all = files("tests/ends");
    let suites = all.iter().flat_map(|(_, text)| text.split("finisher_suite!").skip(1));
    suites.map(|rest| rest[..closed(rest)].to_owned()).collect()
}

#[test]
fn every_finisher_runs_the_suite_of_all() {
    let (sources, ends, suites) = (Sources::open(), ends(), suites());
    let finishers = sources.functions.iter().filter(|function| ends.contains(&function.file));
    let finishers: Vec<&str> = finishers.filter(|one| one.takes_self).map(|one| &*one.name).collect();
    assert!(finishers.len() > 10, "the finishers were not found: {finishers:?}");
    for name in finishers {
        let called = [format!("flow.{name}("), format!("flow.{name}::<")];
        let runs = suites.iter().any(|suite| called.iter().any(|call| suite.contains(call)));
        assert!(runs, "{name} does not run the suite");
    }
}
