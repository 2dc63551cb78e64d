//! What a long run is told on its command line, beside what cargo tells every test.

/// Which rounds to run.
pub(crate) struct Arguments {
    pub(crate) rounds: u64,
    pub(crate) seed: u64,
    pub(crate) keep_going: bool,
}

/// Reads the command line of the test `name`; `None`: there is nothing to do.
///
/// `more` is given each word that is not known here, with the words after it, and says whether that was one of its own.
pub(crate) fn read(
    name: &str,
    help: &str,
    rounds: u64,
    mut more: impl FnMut(&str, &mut dyn Iterator<Item = String>) -> bool,
) -> Option<Arguments> {
    let mut parsed = Arguments { rounds, seed: 1, keep_going: false };
    let mut filters = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number =
            || args.next().and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{arg} takes a number"));
        match arg.as_str() {
            "--help" | "-h" => {
                println!("{help}");
                return None;
            }
            "--rounds" => parsed.rounds = number(),
            "--seed" => parsed.seed = number(),
            "--keep-going" => parsed.keep_going = true,
            // Of cargo's own tests: what to do, and what takes a value.
            "--list" => {
                println!("{name}: test");
                return None;
            }
            "--ignored" | "--bench" => return None,
            "--skip" => {
                if args.next().is_some_and(|skipped| name.contains(&skipped)) {
                    return None;
                }
            }
            "--test-threads" | "--color" | "--format" | "--logfile" | "--shuffle-seed" | "-Z" => {
                drop(args.next());
            }
            word if more(word, &mut args) || word.starts_with('-') => {}
            _ => filters.push(arg),
        }
    }
    let wanted = filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    wanted.then_some(parsed)
}
