use crate::program::{Folder, example, run, run_example, run_with, text};
use std::collections::BTreeMap;

/// `count word: lines`, in the order of the words.
fn index(text: &str) -> Vec<String> {
    let mut lines = BTreeMap::<String, Vec<String>>::new();
    for (at, line) in text.lines().enumerate() {
        for word in
            line.to_ascii_lowercase().split(|c: char| !c.is_ascii_lowercase()).filter(|word| !word.is_empty())
        {
            lines.entry(word.to_owned()).or_default().push((at + 1).to_string());
        }
    }
    lines.into_iter().map(|(word, at)| format!("{} {word}: {}", at.len(), at.join(" "))).collect()
}

/// What is printed of all workers.
fn words(printed: &str) -> Vec<&str> {
    printed.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn every_word_of_real_text_has_all_of_its_lines_in_order() {
    let (folder, text) = (Folder::new(), text());
    let file = folder.write("text", &text);
    let expected = index(&text);
    let printed = run_example("partitioned_workers", [file]).printed();
    assert!(words(&printed) == expected, "of a file");
    let mut workers = example("partitioned_workers");
    workers.arg("-");
    let printed = run_with(workers, text.as_bytes()).printed();
    assert!(words(&printed) == expected, "of standard input");
}

#[test]
fn each_worker_of_an_empty_text_has_no_words() {
    let mut workers = example("partitioned_workers");
    workers.arg("-");
    let printed = run(workers).printed();
    assert_eq!(printed.matches(": 0 words, 0 different").count(), 3, "{printed}");
}

#[test]
fn what_is_no_text_is_refused() {
    let mut workers = example("partitioned_workers");
    workers.arg("-");
    let ran = run_with(workers, b"text\n\xff\n");
    assert!(!ran.status.success() && ran.out.is_empty());
    assert!(ran.told().contains("InvalidData"), "{}", ran.told());
}
