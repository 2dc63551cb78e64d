//! The map in ARCHITECTURE.md is true: which room knows which, that arrows go down only, and that no files of a room know
//! each other in a circle. What a file knows is what its `use` lines name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What is no room: it re-exports, or explains.
const DOORS: [&str; 5] = ["lib", "prelude", "macros", "ends", "coming_from"];

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
            for path in
                text.lines().filter(|line| line.starts_with("pub")).flat_map(|line| uses(line, "use "))
            {
                if let Some((from, name)) = place(module, &path).rsplit_once("::") {
                    house.doors.insert((module.clone(), name.into()), from.into());
                }
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

    /// The file that a path in a `use` of `module` leads to.
    fn resolve(&self, module: &str, path: &str) -> Option<String> {
        let place = place(module, path);
        let place: Vec<&str> = place.split("::").collect();
        (1..=place.len()).rev().find_map(|length| {
            let file = place[..length].join("::");
            let name = place.get(length).map_or("", |name| name);
            let through = self.doors.get(&(file.clone(), name.into()));
            let file = through.filter(|file| self.files.contains_key(*file)).unwrap_or(&file);
            self.files.contains_key(file).then(|| file.clone())
        })
    }

    /// Which files each file knows.
    fn arrows(&self) -> BTreeMap<&str, BTreeSet<String>> {
        let rooms = self.files.iter().filter(|(module, _)| !DOORS.contains(&room(module)));
        let arrows = rooms.map(|(module, text)| {
            let paths = uses(text, "use crate::").into_iter().map(|path| format!("crate::{path}"));
            let paths =
                paths.chain(uses(text, "use super::").into_iter().map(|path| format!("super::{path}")));
            let known = paths.filter_map(|path| self.resolve(module, &path)).filter(|known| known != module);
            (module.as_str(), known.collect())
        });
        arrows.collect()
    }
}

/// Where a path in a file leads to, from the root of the crate.
fn place(module: &str, path: &str) -> String {
    let mut place: Vec<&str> = module.split("::").collect();
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
        open |= line.trim_start_matches("pub(crate) ").trim_start_matches("pub ").starts_with("use ");
        code.push_str(if open { line.trim() } else { line });
        open &= !line.ends_with(';');
        code.push(if open { ' ' } else { '\n' });
    }
    code
}

/// The paths of all `use` lines that begin like this, one by one, without that beginning.
fn uses(text: &str, begin: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line[line.find("use ")?..].strip_prefix(begin));
    lines.flat_map(|tree| leaves(tree.trim_end_matches(';'))).collect()
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d` and `a::c::e`.
fn leaves(tree: &str) -> Vec<String> {
    let Some((root, branches)) = tree.split_once('{') else {
        return vec![tree.trim().split(" as ").next().unwrap().to_owned()];
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
fn trees_of_uses_are_read() {
    assert_eq!(leaves("a::{b, c::{d, e as f}, }"), ["a::b", "a::c::d", "a::c::e"]);
    assert_eq!(uses("pub(crate) use x::y;\nuse super::{a, b};\n", "use super::"), ["a", "b"]);
}
