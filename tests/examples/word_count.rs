use crate::program::{Folder, example, run, run_example, run_with, text};
use std::collections::HashMap;

/// `count<TAB>word`, most frequent first, and then in the order of bytes.
fn counted(text: &str) -> String {
    let mut counts = HashMap::<&str, u64>::new();
    text.split_whitespace().for_each(|word| *counts.entry(word).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(word, count), (other, more)| more.cmp(count).then(word.cmp(other)));
    counts.into_iter().map(|(word, count)| format!("{count}\t{word}\n")).collect()
}

#[test]
fn words_are_counted_as_a_loop_counts_them_on_any_number_of_lanes() {
    // Several times over, so that lines are spread over several blocks.
    let (folder, text) = (Folder::new(), text().repeat(3));
    let file = folder.write("text", &text);
    let expected = counted(&text);
    for lanes in ["1", "2", "3", "8"] {
        let mut count = example("word_count");
        count.args(["--quiet", "--top", "0", "--lanes", lanes]).arg(&file);
        assert!(run(count).printed() == expected, "{lanes} lanes");
    }
    let mut count = example("word_count");
    count.args(["--quiet", "--top", "0"]);
    assert!(run_with(count, text.as_bytes()).printed() == expected, "standard input");
}

#[test]
fn without_input_it_counts_the_text_compiled_in() {
    assert_eq!(run_example("word_count", ["--quiet", "--top", "3"]).printed(), "10\tof\n10\tthe\n10\twas\n");
}

#[test]
fn white_space_is_that_of_unicode_and_other_bytes_are_parts_of_words() {
    let mut count = example("word_count");
    count.arg("--quiet");
    let ran = run_with(count, b"a\xe3\x80\x80b\xffc a\xc2\xa0a\n");
    assert!(ran.status.success());
    assert_eq!(ran.out, b"3\ta\n1\tb\xffc\n");
}

#[test]
fn a_missing_file_and_one_that_cannot_be_read_are_named() {
    let folder = Folder::new();
    run_example("word_count", [folder.path("missing")]).failed(2, "missing");
    if cfg!(target_os = "linux") {
        // It opens, and fails when it is read.
        let file = folder.write("text", "some words");
        run_example("word_count", ["--top".into(), "0".into(), file, "/proc/self/mem".into()])
            .failed(1, "/proc/self/mem");
    }
}
