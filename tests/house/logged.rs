//! The page `logs` lists every span and event, with its level, and no other.

use crate::sources::files;
use std::collections::BTreeSet;

/// The level and the text of each event, and of each span, that the sources log.
fn logged() -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for (file, text) in files("src") {
        let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let code = code.join("\n").replace("use tracing::warn;", "").replace(" warn!(", " tracing::warn!(");
        for call in code.split("tracing::").skip(1) {
            let Some((name, rest)) = call.split_once("!(") else { continue };
            let level = name.strip_suffix("_span").unwrap_or(name);
            if !["error", "warn", "info", "debug", "trace"].contains(&level) {
                continue;
            }
            let call = rest.split(");").next().unwrap();
            let mut texts = call.split('"').skip(1).step_by(2);
            // A span begins with its name; an event ends with its text.
            let text = if name == level { texts.last() } else { texts.next() };
            let text = text.unwrap_or_else(|| panic!("{file}: {call} has no text"));
            found.insert((level.to_owned(), text.to_owned()));
        }
    }
    found
}

#[test]
fn the_page_of_logs_lists_all_that_is_logged() {
    let page = files("src").into_iter().find(|(file, _)| file == "src/logs.rs").unwrap().1;
    let mut listed = BTreeSet::new();
    for row in page.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let mut cells = row.split(" | ");
        let (text, level) = (cells.next().unwrap(), cells.next().unwrap());
        if level != "level" {
            listed.insert((level.to_owned(), text.trim_matches('`').to_owned()));
        }
    }
    assert_eq!(listed, logged());
    assert!(listed.len() > 15, "{listed:?}");
}
