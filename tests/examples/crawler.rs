use crate::program::{Folder, run_example};
use std::collections::{BTreeMap, BTreeSet};

const PAGES: usize = 1000;

fn path(page: usize) -> String {
    if page == 0 { "index.html".into() } else { format!("{}/p{page}.html", page % 7) }
}

/// From the root, or from the directory of the page.
fn link(page: usize, to: &str) -> String {
    match page {
        0 => to.to_owned(),
        page if page % 2 == 1 => format!("/{to}"),
        _ => format!("../{to}"),
    }
}

/// A site of 1000 pages, each found by links of every kind, with pages that fail and links that lead nowhere; and what is
/// to be said of it.
fn site(folder: &Folder) -> String {
    let (mut pages, mut broken) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for page in 0..PAGES {
        let mut text = String::new();
        for to in (2 * page + 1..=2 * page + 2).filter(|to| *to < PAGES) {
            text += &format!("<a href=\"{}#top\">{to}</a>\n", link(page, &path(to)));
        }
        let third = link(page, &path(page / 3));
        text += &format!("link: {third}\r\nlink: https://elsewhere.org/\n<a href=\"?{page}\">");
        if page % 10 == 9 {
            let gone = format!("gone/{}.html", page % 4);
            text += &format!("<a href=\"{}\">", link(page, &gone));
            broken.entry(gone).or_default().insert(path(page));
        }
        match page {
            1..7 => text += "<a href=\"busy.html\">",
            7 => text += "<a href=\"down.html\">",
            _ => {}
        }
        pages.insert(path(page), text);
    }
    for directory in 1..7 {
        pages.insert(format!("{directory}/busy.html"), "found at last".into());
    }
    folder.write("site/0/down.html", "found at last");
    let mut lines: Vec<String> =
        pages.iter().map(|(path, text)| format!("{path}: {} bytes", text.len())).collect();
    lines.sort();
    lines.extend(broken.iter().map(|(gone, from)| {
        let from: Vec<_> = from.iter().map(String::as_str).collect();
        format!("broken: {gone}, linked from {}", from.join(", "))
    }));
    lines.push("given up: 0/down.html, after 3 tries: it does not answer".into());
    let bytes: usize = pages.values().map(String::len).sum();
    lines.push(format!("{} pages, {bytes} bytes", pages.len()));
    // Two of each busy page, and two of the one that is given up.
    lines.push(format!("{} broken, 1 given up, 14 retries", broken.len()));
    for (path, text) in pages {
        folder.write(&format!("site/{path}"), text);
    }
    lines.join("\n")
}

#[test]
fn all_pages_of_a_site_are_fetched_once_at_most_so_many_at_a_time() {
    let folder = Folder::new();
    let expected = site(&folder);
    assert!(expected.contains("1006 pages"));
    for at_once in ["1", "7", "20"] {
        let site = folder.path("site");
        let printed =
            run_example("crawler", ["--at-once".as_ref(), at_once.as_ref(), site.as_os_str()]).printed();
        assert_eq!(printed, format!("{expected}\nat most {at_once} at once\n"));
    }
}

#[test]
fn a_site_that_is_not_there_and_no_page_at_once_are_refused() {
    let folder = Folder::new();
    run_example("crawler", [folder.path("missing")]).failed(1, "no index.html");
    let ran = run_example("crawler", ["--at-once", "0"]);
    assert!(!ran.status.success() && ran.told().contains("at-once"), "{}", ran.told());
}
