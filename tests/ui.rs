//! What the compiler says of wrong programs. Each program of `tests/ui` says after `//~` what it is to be told, phrase
//! by phrase, and after `//#` by how many errors.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The programs, by name.
fn programs() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files
        .map(|file| (file.file_stem().unwrap().to_str().unwrap().into(), fs::read_to_string(&file).unwrap()))
        .collect()
}

/// The errors of each program, all checked by one call.
fn told(programs: &BTreeMap<String, String>) -> BTreeMap<String, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ui");
    // Programs that are no more would go on being checked.
    let _ = fs::remove_dir_all(package.join("src"));
    fs::create_dir_all(package.join("src/bin")).unwrap();
    let manifest = format!(
        "[workspace]\n\
         [package]\nname = \"wrong\"\nedition = \"2024\"\n\
         [dependencies]\ngen_stage = {{ path = {root:?} }}\n"
    );
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
    for (name, program) in programs {
        fs::write(package.join("src/bin").join(name).with_extension("rs"), program).unwrap();
    }
    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--keep-going", "--quiet", "--color=never", "--target-dir", "target"])
        .current_dir(&package)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for error in String::from_utf8(output.stderr).unwrap().split("\nerror") {
        let names = |name: &&String| error.contains(&format!("--> src/bin/{name}.rs:"));
        if let Some(name) = programs.keys().find(names) {
            // Lines are broken at the compiler's discretion.
            let words: Vec<_> = error.split_whitespace().collect();
            told.entry(name.clone()).or_default().push(words.join(" "));
        }
    }
    told
}

#[test]
fn wrong_programs_are_told_what_is_wrong_and_the_way_out() {
    let programs = programs();
    let told = told(&programs);
    let mut wrong = String::new();
    for (name, program) in &programs {
        let errors = told.get(name).map_or(&[][..], Vec::as_slice);
        let marked = |mark| program.lines().filter_map(move |line| line.strip_prefix(mark));
        assert!(marked("//~ ").count() > 0, "{name} does not say what it is to be told");
        for phrase in marked("//~ ").filter(|phrase| !errors.iter().any(|error| error.contains(phrase))) {
            wrong += &format!("{name} is not told: {phrase}\n{errors:#?}\n");
        }
        let most: usize = marked("//# ").next().unwrap().parse().unwrap();
        if errors.len() > most {
            wrong += &format!("{name} is told by {} errors, not by {most}\n{errors:#?}\n", errors.len());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(told.len(), programs.len());
}
