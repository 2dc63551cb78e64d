//! The sources, read line by line as they are formatted: what is public, with its attributes, and what it implements.

use std::fs;
use std::path::Path;

/// A type, or a function, that is public.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) file: String,
    pub(crate) name: String,
    /// For a function, the type that it is a method of, and what it returns.
    pub(crate) of: Option<String>,
    pub(crate) takes_self: bool,
    pub(crate) returns: String,
    /// Its attributes, one after the other.
    pub(crate) attributes: String,
}

/// That a type implements a trait, without parameters of either.
#[derive(Debug)]
pub(crate) struct Impl {
    pub(crate) of: String,
    pub(crate) what: String,
}

#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) types: Vec<Item>,
    pub(crate) functions: Vec<Item>,
    pub(crate) impls: Vec<Impl>,
}

/// All files of a folder and those in it, with their paths from the root of the crate.
pub(crate) fn files(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                folders.push(name);
            } else if name.ends_with(".rs") {
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

impl Sources {
    /// Those of the library, without its tests.
    pub(crate) fn open() -> Self {
        let mut sources = Self::default();
        for (file, text) in files("src") {
            if !file.ends_with("/tests.rs") {
                sources.read(&file, text.split("\n#[cfg(test)]\nmod ").next().unwrap());
            }
        }
        sources
    }

    fn read(&mut self, file: &str, text: &str) {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        let mut attributes = String::new();
        let mut of = None;
        while let Some(line) = lines.next() {
            // To the brace, semicolon or closing bracket that ends a head of several lines.
            let mut whole = |ends: &dyn Fn(&str) -> bool| {
                let mut head = line.to_owned();
                while !ends(&head) {
                    head = format!("{head} {}", lines.next().expect("it comes to an end"));
                }
                head
            };
            let item = |head: &str, name: &str, attributes: &mut String| Item {
                file: file.into(),
                name: name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().into(),
                of: None,
                takes_self: false,
                returns: returned(head),
                attributes: std::mem::take(attributes),
            };
            if line.starts_with("#[") {
                attributes += &whole(&|head| head.matches('[').count() == head.matches(']').count());
            } else if let Some(name) =
                ["pub struct ", "pub enum "].iter().find_map(|key| line.strip_prefix(key))
            {
                self.types.push(item("", name, &mut attributes));
            } else if line.starts_with("impl") {
                let head = whole(&|head| head.contains('{'));
                of = Some(self.read_impl(&head));
            } else if let Some(rest) = line.strip_prefix("pub ").filter(|rest| is_function(rest)) {
                let head = whole(&|head| head.ends_with(['{', ';', '}']));
                let (_, name) = rest.split_once("fn ").unwrap();
                let item = item(&head, name, &mut attributes);
                let takes_self = takes_self(&head);
                self.functions.push(Item { of: of.clone(), takes_self, ..item });
            }
            if !line.is_empty() && !line.starts_with("#[") {
                attributes.clear();
            }
        }
    }

    /// Notes what is implemented, and returns for which type.
    fn read_impl(&mut self, head: &str) -> String {
        let head = head.strip_prefix("impl").unwrap();
        let head = if head.starts_with('<') { &head[closed(head)..] } else { head };
        let head = head.split(" where ").next().unwrap().split('{').next().unwrap();
        match head.split_once(" for ") {
            Some((what, of)) => {
                self.impls.push(Impl { of: bare(of), what: bare(what) });
                bare(of)
            }
            None => bare(head),
        }
    }
}

fn is_function(rest: &str) -> bool {
    ["fn ", "async fn ", "const fn "].iter().any(|key| rest.starts_with(key))
}

/// `&mut a::B<C>` as `B`.
pub(crate) fn bare(path: &str) -> String {
    let path = path.trim().trim_start_matches("&mut ").trim_start_matches('&');
    let path = path.split('<').next().unwrap().trim();
    path.rsplit("::").next().unwrap().to_owned()
}

/// Where the bracket is closed that a text begins with. The head of an arrow closes nothing.
pub(crate) fn closed(text: &str) -> usize {
    let (mut depth, mut before) = (0, ' ');
    for (at, c) in text.char_indices() {
        match c {
            '<' | '(' => depth += 1,
            ')' => depth -= 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        before = c;
        if depth == 0 {
            return at + 1;
        }
    }
    panic!("{text} is not closed");
}

/// Where the parameters of a function begin.
fn parameters(head: &str) -> usize {
    let name = head.find("fn ").unwrap() + 3;
    let at = name + head[name..].find(['<', '(']).unwrap();
    if head[at..].starts_with('<') { at + closed(&head[at..]) } else { at }
}

/// What the head of a function says that it returns.
fn returned(head: &str) -> String {
    if head.is_empty() {
        return String::new();
    }
    let at = parameters(head);
    let rest = &head[at + closed(&head[at..])..];
    let rest = rest.split(" where ").next().unwrap().trim().trim_end_matches(['{', ';', '}']).trim();
    rest.strip_prefix("->").map(|rest| rest.split('{').next().unwrap().trim().to_owned()).unwrap_or_default()
}

/// Whether a function takes its value whole.
fn takes_self(head: &str) -> bool {
    let rest = &head[parameters(head) + 1..].trim_start();
    ["self,", "self)", "mut self,", "mut self)"].iter().any(|start| rest.starts_with(start))
}

#[test]
fn what_a_file_declares_is_read() {
    let mut sources = Sources::default();
    sources.read(
        "a",
        "
        /// It is documented.
        #[derive(Debug)]
        #[must_use = \"[really]\"]
        pub struct A<T>(T);

        pub(crate) struct B;

        impl<F: FnOnce(u8) -> Vec<u8>> a::Stream for A<F> where F: Send {
            fn private(self) {}
        }

        impl<T> A<T>
        where
            T: Send,
        {
            #[inline]
            pub async fn whole<F: Fn() -> u8>(
                mut self,
                f: impl Fn(F) -> Option<T>,
            ) -> Result<Self, b::Error<T>>
            where
                T: Sync,
            {
                pub_is_no_item();
            }

            pub fn lent(&self) {}
        }
        ",
    );
    assert_eq!(sources.types.len(), 1);
    assert_eq!(
        (&*sources.types[0].name, &*sources.types[0].attributes),
        ("A", "#[derive(Debug)]#[must_use = \"[really]\"]")
    );
    assert_eq!((&*sources.impls[0].of, &*sources.impls[0].what), ("A", "Stream"));
    let [whole, lent] = &sources.functions[..] else { panic!("{:?}", sources.functions) };
    assert_eq!((&*whole.name, &*whole.returns), ("whole", "Result<Self, b::Error<T>>"));
    assert!(whole.takes_self && whole.of.as_deref() == Some("A") && whole.attributes == "#[inline]");
    assert!(!lent.takes_self && lent.returns.is_empty() && lent.attributes.is_empty());
}
