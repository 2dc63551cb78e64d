//! What does nothing by itself, or ends when it is dropped, says so when it is not used.

use super::sources::{Sources, bare};
use std::collections::{BTreeMap, BTreeSet};

/// What has one of these does nothing until it is polled, awaited, or given to a flow or a stage.
const LAZY: [&str; 9] =
    ["Future", "IntoFuture", "Stream", "FusedStream", "Sink", "Lane", "Plan", "Build", "Dispatcher"];

/// Which public types must be used, and why.
fn must_be_used(sources: &Sources) -> BTreeMap<&str, String> {
    let mut found = BTreeMap::new();
    // Without those that are named by a macro, which are inside of a `Setup`.
    let named = sources.types.iter().map(|item| &*item.name).filter(|name| !name.is_empty());
    let public: BTreeSet<&str> = named.collect();
    let mut must = |name: &str, why: String| {
        if let Some(name) = public.get(name) {
            found.entry(*name).or_insert(why);
        }
    };
    for each in sources.impls.iter().filter(|each| LAZY.contains(&&*each.what)) {
        must(&each.of, format!("is a {}", each.what));
    }
    for item in &sources.types {
        if item.name.ends_with("Handle") {
            must(&item.name, "is a handle".into());
        }
    }
    for method in sources.functions.iter().filter(|function| function.takes_self) {
        let of = method.of.as_deref().expect("a method is one of a type");
        // A setter: it takes the value, and returns it changed.
        if method.returns == "Self" || bare(&method.returns) == of {
            must(of, format!("is built by {}", method.name));
        }
    }
    for function in sources.functions.iter().filter(|function| starts(&function.name)) {
        must(&bare(&function.returns), format!("is returned by {}", function.name));
    }
    found
}

/// By its name.
fn starts(function: &str) -> bool {
    ["spawn", "start", "subscribe", "stage", "run"]
        .iter()
        .any(|verb| function.split('_').next() == Some(verb))
}

#[test]
fn what_does_nothing_by_itself_must_be_used() {
    let sources = Sources::open();
    let must = must_be_used(&sources);
    for why in ["is a Lane", "is a Plan", "is a Sink", "is a Dispatcher", "is a handle", "is built by burst"]
    {
        assert!(must.values().any(|found| found == why), "nothing was found that {why}");
    }
    assert!(must.len() > 70, "too little was found: {must:#?}");
    let says = |name: &str| {
        let mut all = sources.types.iter().filter(|item| item.name == name).peekable();
        assert!(all.peek().is_some());
        all.all(|item| item.attributes.contains("#[must_use = \""))
    };
    let missing: Vec<_> = must.iter().filter(|(name, _)| !says(name)).collect();
    assert!(missing.is_empty(), "without #[must_use = \"…\"]: {missing:#?}");
}
