//! The public face: which traits users implement, and whose types they meet.

use super::House;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What users write an `impl` of. Every other public trait is sealed, or implemented for everything that it fits.
const FOR_USERS: [&str; 10] = [
    "Assign",
    "ChildSpec",
    "Consumer",
    "Dispatcher",
    "EventTime",
    "Lane",
    "Producer",
    "ProducerConsumer",
    "Route",
    "Windowing",
];

/// Declarations of a file, each in a line: up to its body.
fn declarations<'a>(text: &'a str, starts: &'a [&'a str]) -> impl Iterator<Item = String> + 'a {
    // Methods are as public as functions.
    let starts_one = |line: &str| {
        starts.iter().any(|start| {
            line.starts_with(start) || start.starts_with("pub ") && line.trim_start().starts_with(start)
        })
    };
    let lines: Vec<usize> =
        text.lines().enumerate().filter(|(_, line)| starts_one(line)).map(|(at, _)| at).collect();
    lines.into_iter().map(|at| {
        let text = lines_from(text, at);
        let end = text.find(['{', ';']).unwrap_or(text.len());
        text[..end].split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

fn lines_from(text: &str, line: usize) -> &str {
    let at: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    &text[at..]
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|name| !name.is_empty())
}

#[test]
fn public_traits_are_sealed_or_for_users() {
    let house = House::open();
    let traits: Vec<(String, String)> = house
        .files
        .values()
        .flat_map(|text| declarations(text, &["pub trait "]))
        .map(|line| {
            let rest = &line["pub trait ".len()..];
            (
                names(rest).next().unwrap().to_owned(),
                rest.split_once(':').map_or("", |(_, above)| above).to_owned(),
            )
        })
        .collect();
    assert!(traits.len() > 50, "the traits were not found");
    let mut sealed = BTreeSet::from(["Sealed".to_owned()]);
    // Implemented for a type parameter: nobody else can.
    for text in house.files.values() {
        for line in declarations(text, &["impl"]) {
            let Some((left, right)) = line.split_once(" for ") else { continue };
            let whom = right.split(" where ").next().unwrap().trim();
            if whom.len() == 1 {
                // The name before its parameters, which is the last one that is not within angle brackets.
                let mut depth = 0;
                let bare: String = left
                    .chars()
                    .filter(|c| {
                        depth += i32::from(*c == '<') - i32::from(*c == '>');
                        depth == 0 && *c != '>'
                    })
                    .collect();
                sealed.extend(names(&bare).last().map(String::from));
            }
        }
    }
    while let Some((name, _)) = traits
        .iter()
        .find(|(name, above)| !sealed.contains(name) && names(above).any(|above| sealed.contains(above)))
    {
        sealed.insert(name.clone());
    }
    let open: BTreeSet<&str> =
        traits.iter().map(|(name, _)| name.as_str()).filter(|name| !sealed.contains(*name)).collect();
    assert_eq!(open, BTreeSet::from(FOR_USERS));
}

#[test]
fn no_two_types_share_a_name() {
    let house = House::open();
    let mut places = std::collections::BTreeMap::<String, BTreeSet<&str>>::new();
    let starts = [
        "struct ",
        "enum ",
        "trait ",
        "pub ",
        "pub(crate) ",
        "pub(super) ",
        "pub(in ",
        "    struct ",
        "    enum ",
    ];
    for (module, text) in house.files.iter().filter(|(module, _)| !module.ends_with("::model")) {
        for line in declarations(text, &starts) {
            let mut words =
                line.split_whitespace().skip_while(|word| !["struct", "enum", "trait"].contains(word));
            let name = words.nth(1).and_then(|word| names(word).next());
            // Not `$name`, which a macro fills in.
            if let Some(name) = name.filter(|name| name.starts_with(char::is_uppercase)) {
                places.entry(name.to_owned()).or_default().insert(module);
            }
        }
    }
    assert!(places.len() > 400, "the types were not found: {}", places.len());
    let shared: Vec<_> = places.iter().filter(|(_, places)| places.len() > 1).collect();
    assert!(shared.is_empty(), "{shared:?}");
}

/// What is named in declarations that users see, of crates other than std: `tokio::Handle`.
fn foreign(house: &House) -> BTreeSet<String> {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let dependencies = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let dependencies: BTreeSet<String> = dependencies
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['=', '.', ' ']).next())
        .map(|name| name.replace('-', "_"))
        // It has macros only.
        .filter(|name| name != "thiserror")
        .collect();
    assert!(dependencies.contains("tokio"), "{dependencies:?}");
    let starts = [
        "pub fn ",
        "pub async fn ",
        "pub const fn ",
        "pub type ",
        "pub struct ",
        "pub enum ",
        "pub trait ",
        "impl",
        "    type ",
    ];
    let mut found = BTreeSet::new();
    for text in house.files.values() {
        let imported: Vec<(String, String)> = super::uses(text)
            .into_iter()
            .map(|(_, path)| path)
            .filter(|path| dependencies.contains(path.split("::").next().unwrap()) && path.contains("::"))
            .map(|path| {
                let (path, alias) = path.split_once(" as ").unwrap_or((&path, ""));
                let name = path.rsplit("::").next().unwrap();
                let (of, _) = path.split_once("::").unwrap();
                ((if alias.is_empty() { name } else { alias }).to_owned(), format!("{of}::{name}"))
            })
            .collect();
        // Private types may be made of anything.
        let hidden: BTreeSet<String> =
            declarations(text, &["struct ", "enum ", "pub(crate) ", "pub(super) ", "pub(in "])
                .filter_map(|line| {
                    let line = line.rsplit_once(") ").map_or(line.as_str(), |(_, line)| line).to_owned();
                    names(&line).nth(1).map(String::from)
                })
                .collect();
        for line in declarations(text, &starts) {
            let whom = line.rsplit_once(" for ").map_or(line.trim_start_matches("impl"), |(_, whom)| whom);
            if line.starts_with("impl") && names(whom).any(|name| hidden.contains(name)) {
                continue;
            }
            // What is between the parentheses of a struct is private, unless it says otherwise.
            let private = line.starts_with("pub struct") && !line.contains("(pub ");
            let line = if private { line.split('(').next().unwrap() } else { &line };
            let seen: Vec<&str> = names(line).collect();
            found.extend(imported.iter().filter(|(short, _)| seen.contains(&short.as_str())).map(
                |(short, full)| {
                    // `runtime::Handle`: the path goes on.
                    let rest =
                        line.split_once(&format!("{short}::")).map(|(_, rest)| names(rest).next().unwrap());
                    rest.map_or_else(
                        || full.clone(),
                        |name| format!("{}::{name}", full.split("::").next().unwrap()),
                    )
                },
            ));
        }
    }
    found
}

#[test]
fn the_public_face_names_only_those_types_of_other_crates_that_the_map_allows() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let list = text.split("Types of other crates that users meet:").nth(1).expect("the list is there");
    let list = list.split("\n\n").next().unwrap();
    let allowed: BTreeSet<String> = list.split('`').skip(1).step_by(2).map(String::from).collect();
    assert_eq!(foreign(&House::open()), allowed);
}
