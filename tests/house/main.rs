//! The map in ARCHITECTURE.md is true: which room knows which, that arrows go down only, and that no files of a room know
//! each other in a circle. What a file knows is what its `use` lines name.

mod face;
mod finishers;
mod logged;
mod must_use;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What is no room: it re-exports, or explains.
const DOORS: [&str; 7] = ["lib", "prelude", "macros", "ends", "logs", "choosing", "coming_from"];

/// The source, file by file, under the paths of their modules.
struct House {
    files: BTreeMap<String, String>,
    /// Where a name that a module re-exports comes from.
    doors: BTreeMap<(String, String), String>,
}

impl House {
    fn open() -> Self {
        let mut house = Self { files: BTreeMap::new(), doors: BTreeMap::new() };
        house.enter(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "");
        for (module, text) in &house.files {
            let root = if module == "lib" { "" } else { module };
            for path in uses(text).into_iter().filter_map(|(public, path)| public.then_some(path)) {
                let (path, alias) = path.split_once(" as ").unwrap_or((&path, ""));
                let place = place(root, path);
                let (from, name) = place.rsplit_once("::").unwrap_or(("", &place));
                let name = if alias.is_empty() { name } else { alias };
                house.doors.insert((module.clone(), name.into()), from.into());
            }
        }
        house
    }

    fn enter(&mut self, folder: &Path, module: &str) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let inner = match (module, name) {
                ("", name) => name.to_owned(),
                (module, "mod") => module.to_owned(),
                (module, name) => format!("{module}::{name}"),
            };
            if path.is_dir() {
                self.enter(&path, &inner);
            } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests" {
                self.files.insert(inner, code(&fs::read_to_string(&path).unwrap()));
            }
        }
    }

    /// The file where a name is that a path in `module` leads to.
    fn resolve(&self, module: &str, path: &str) -> Option<String> {
        let place = place(module, path);
        let place: Vec<&str> = place.split("::").collect();
        let inside = (1..=place.len()).rev().map(|length| (place[..length].join("::"), place.get(length)));
        let (mut file, name) = inside.chain([("lib".into(), place.first())]).find(|(file, name)| {
            let through_lib = file == "lib"
                && name.is_some_and(|name| self.doors.contains_key(&(file.clone(), (*name).into())));
            self.files.contains_key(file) && (file != "lib" || through_lib)
        })?;
        // From door to door.
        while let Some(next) = name.and_then(|name| self.doors.get(&(file.clone(), (*name).into()))) {
            if !self.files.contains_key(next) {
                break;
            }
            file.clone_from(next);
        }
        Some(file)
    }

    /// Which files each file knows.
    fn arrows(&self) -> BTreeMap<&str, BTreeSet<String>> {
        let rooms = self.files.iter().filter(|(module, _)| !DOORS.contains(&room(module)));
        let arrows = rooms.map(|(module, text)| {
            let mut known = BTreeSet::new();
            // What is passed on is no knowledge: the root of a room opens doors.
            for (_, path) in uses(text).into_iter().filter(|(public, _)| !public) {
                assert!(!path.ends_with('*'), "{module} uses all of {path}, which says not what it knows");
                let first = path.split("::").next().unwrap();
                let own = ["crate", "super", "self"].contains(&first)
                    || self.files.contains_key(&place(module, first));
                if own {
                    let path = path.split(" as ").next().unwrap();
                    let file = self.resolve(module, path);
                    known.insert(file.unwrap_or_else(|| panic!("{module} uses {path}, which was not found")));
                }
            }
            known.extend(inline(text).into_iter().filter_map(|path| self.resolve(module, &path)));
            known.remove(module);
            (module.as_str(), known)
        });
        arrows.collect()
    }
}

/// Where a path in a file leads to, from the root of the crate.
fn place(module: &str, path: &str) -> String {
    let mut place: Vec<&str> = module.split("::").filter(|name| !name.is_empty()).collect();
    let mut rest = path.split("::").peekable();
    if rest.next_if_eq(&"crate").is_some() {
        place.clear();
    }
    while rest.next_if_eq(&"super").is_some() {
        place.pop();
    }
    place.extend(rest.filter(|name| *name != "self"));
    place.join("::")
}

/// Without tests and comments, with each `use` in a line.
fn code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut code = String::new();
    let mut open = false;
    for line in lines {
        open |= is_use(line);
        code.push_str(if open { line.trim() } else { line });
        open &= !line.ends_with(';');
        code.push(if open { ' ' } else { '\n' });
    }
    code
}

/// The paths of all `use` lines, one by one, and whether they are public.
fn uses(text: &str) -> Vec<(bool, String)> {
    let lines = text.lines().filter(|line| is_use(line)).flat_map(|line| {
        let (visibility, tree) = line.split_once("use ").unwrap();
        let public = visibility.starts_with("pub");
        leaves(tree.trim().trim_end_matches(';')).into_iter().map(move |leaf| (public, leaf))
    });
    lines.collect()
}

fn is_use(line: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("pub").map_or(line, |line| {
        line.strip_prefix("(crate) ").or(line.strip_prefix("(super) ")).unwrap_or(line).trim_start()
    });
    line.starts_with("use ")
}

/// The paths in other lines that begin at the crate, or above.
fn inline(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for line in text.lines().filter(|line| !is_use(line)) {
        // Texts are no code.
        let line = line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
        for root in ["crate::", "super::"] {
            for (at, _) in line.match_indices(root) {
                // Not the end of another path: of `$crate::x`, or of `super::super::x`.
                if at > 0 && line[..at].ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c)) {
                    continue;
                }
                let path =
                    line[at..].split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').next().unwrap();
                paths.push(path.trim_end_matches(':').to_owned());
            }
        }
    }
    paths
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d` and `a::c::e`.
fn leaves(tree: &str) -> Vec<String> {
    let Some((root, branches)) = tree.split_once('{') else {
        return vec![tree.trim().to_owned()];
    };
    let branches = branches.trim_end().strip_suffix('}').expect("it is closed");
    let (mut all, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in branches.char_indices().chain([(branches.len(), ',')]) {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            let branch = branches[from..at].trim();
            all.extend(
                leaves(branch)
                    .into_iter()
                    .filter(|leaf| !leaf.is_empty())
                    .map(|leaf| format!("{root}{leaf}")),
            );
            from = at + 1;
        }
    }
    all
}

fn room(module: &str) -> &str {
    module.split("::").next().unwrap()
}

/// The rooms of the map, from top to bottom, and which others each knows.
fn map() -> Vec<(String, BTreeSet<String>)> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| room |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(String::from).collect::<Vec<_>>();
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        (names(cells[1]).remove(0), names(cells[3]).into_iter().collect())
    })
    .collect()
}

#[test]
fn each_room_knows_those_that_the_map_says() {
    let house = House::open();
    let mut known = BTreeMap::<String, BTreeSet<String>>::new();
    for (module, arrows) in house.arrows() {
        let others = arrows.iter().map(|file| room(file)).filter(|other| *other != room(module));
        known.entry(room(module).into()).or_default().extend(others.map(String::from));
    }
    assert_eq!(known, map().into_iter().collect());
}

#[test]
fn arrows_between_rooms_go_down_only() {
    let map = map();
    assert!(map.len() > 8, "the map was not found");
    for (at, (room, known)) in map.iter().enumerate() {
        let below: BTreeSet<_> = map[at + 1..].iter().map(|(room, _)| room.clone()).collect();
        assert!(known.is_subset(&below), "{room} knows a room above it: {known:?}");
    }
}

#[test]
fn no_files_know_each_other_in_a_circle() {
    let house = House::open();
    let arrows = house.arrows();
    assert!(
        arrows.len() > 150 && arrows.values().map(BTreeSet::len).sum::<usize>() > 800,
        "the arrows were not found"
    );
    // Files that know none but those taken away before are taken away; what is left is in circles, or knows them.
    let mut left = arrows.clone();
    loop {
        let ends: Vec<&str> = left
            .iter()
            .filter(|(_, known)| !known.iter().any(|file| left.contains_key(file.as_str())))
            .map(|(file, _)| *file)
            .collect();
        if ends.is_empty() {
            break;
        }
        ends.into_iter().for_each(|file| drop(left.remove(file)));
    }
    // From any of them there is a way that leads back to where it was before.
    let mut way: Vec<&str> = Vec::new();
    let mut next = left.keys().next().copied();
    while let Some(file) = next {
        if let Some(at) = way.iter().position(|before| *before == file) {
            panic!("a circle: {} -> {file}", way[at..].join(" -> "));
        }
        way.push(file);
        next = left[file].iter().find_map(|known| left.get_key_value(known.as_str()).map(|(file, _)| *file));
    }
}

#[test]
fn what_a_file_names_is_read() {
    assert_eq!(leaves("a::{b, c::{d, e as f}, }"), ["a::b", "a::c::d", "a::c::e as f"]);
    let uses = uses("pub(crate) use x::y;\nuse super::{a, b};\nlet reuse = 1;\n");
    assert_eq!(uses, [(true, "x::y".into()), (false, "super::a".into()), (false, "super::b".into())]);
    assert_eq!(inline("let x: super::a::B<crate::c::D> = $crate::e::f();"), ["crate::c::D", "super::a::B"]);
    assert_eq!(place("a::b", "super::c::D"), "a::c::D");
}
