//! Fetches a page and whatever it links to, a task for each page, so many at once: tasks that add tasks.
//!
//! ```console
//! $ cargo run --example crawler
//! $ cargo run --example crawler -- --at-once 8 --tries 5 target/doc/gen_stage
//! ```
//!
//! The site is a directory, by default one that is compiled in. Its first page is `index.html`; links are `href="…"`,
//! and lines `link: …`. Those to other sites are left alone, as is what is behind `#` and `?`.
//!
//! A page answers after 20 ms, by a virtual clock, which jumps to the next alarm when everybody waits. A page that is
//! not there is a broken link. One that fails otherwise is fetched again after a pause, 100 ms and twice that each time,
//! and given up after its tries; meanwhile it keeps its place. So that there are some, `busy.html` fails twice wherever
//! it is, and `down.html` always.
//!
//! ```text
//! about.html: 69 bytes
//! index.html: 90 bytes
//! notes.txt: 34 bytes
//! shop/busy.html: 4 bytes
//! shop/index.html: 77 bytes
//! shop/shoes.html: 37 bytes
//! broken: gone.html, linked from about.html, notes.txt
//! given up: shop/down.html, after 3 tries: it does not answer
//! 6 pages, 311 bytes
//! 1 broken, 1 given up, 4 retries
//! at most 3 at once
//! ```

use clap::Parser;
use futures::StreamExt;
use gen_stage::Backoff;
use gen_stage::supervisor::{Child, DynamicSupervisor, Restart, SupervisorError};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::sleep;
use tokio_stream::wrappers::UnboundedReceiverStream;

/// Where a site begins, and each directory.
const FIRST: &str = "index.html";

/// Crawled when no directory is given.
const SAMPLE: [(&str, &str); 7] = [
    (FIRST, r#"<a href="about.html"> <a href="shop/#hats"> <a href="notes.txt"> <a href="https://x.org/">"#),
    ("about.html", r#"<a href="/"> is how it began, and <a href="gone.html"> how it went on"#),
    ("notes.txt", "link: gone.html\nlink: ./about.html"),
    ("shop/index.html", r#"<a href="shoes.html"> <a href="busy.html"> <a href="down.html"> <a href="?2">"#),
    ("shop/shoes.html", r#"<a href="../index.html"> <a href=".">"#),
    ("shop/busy.html", "hats"),
    ("shop/down.html", "never seen"),
];

/// Crawls a site.
#[derive(Parser)]
struct Args {
    /// The directory with the pages of the site; by default a small site that is compiled in.
    dir: Option<PathBuf>,
    /// How many pages are fetched at once: 1 or more.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    at_once: u32,
    /// How often a page is tried: 1 or more.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    tries: u32,
}

/// A page to be fetched. It holds the way to add more of them: when no page waits and none is fetched, nobody does, and
/// that is the end.
#[derive(Clone)]
struct Page {
    path: String,
    frontier: UnboundedSender<Page>,
}

/// What there is to tell.
#[derive(Default)]
struct Report {
    /// Pages that were found, and which pages link to them.
    found: BTreeMap<String, BTreeSet<String>>,
    bytes: BTreeMap<String, usize>,
    broken: BTreeSet<String>,
    given_up: BTreeMap<String, String>,
    fetching: usize,
    most: usize,
}

struct Crawler {
    dir: Option<PathBuf>,
    tries: u32,
    report: Mutex<Report>,
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Args { dir, at_once, tries } = Args::parse();
    let crawler = Arc::new(Crawler { dir, tries, report: Mutex::default() });
    let retries = crawl(&crawler, usize::try_from(at_once)?).await?;

    let report = crawler.report();
    if report.broken.contains(FIRST) {
        return Err(format!("there is no {FIRST}").into());
    }
    for (path, bytes) in &report.bytes {
        println!("{path}: {bytes} bytes");
    }
    for path in &report.broken {
        let from = report.found[path].iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        println!("broken: {path}, linked from {from}");
    }
    for (path, why) in &report.given_up {
        println!("given up: {path}, after {tries} tries: {why}");
    }
    println!("{} pages, {} bytes", report.bytes.len(), report.bytes.values().sum::<usize>());
    println!("{} broken, {} given up, {retries} retries", report.broken.len(), report.given_up.len());
    println!("at most {} at once", report.most);
    Ok(())
}

/// Fetches all pages; returns how many retries there were.
async fn crawl(crawler: &Arc<Crawler>, at_once: usize) -> Result<u64, SupervisorError<Page>> {
    let fetching = Arc::clone(crawler);
    let mut supervisor = DynamicSupervisor::with_child(move |page: Page, child: Child| {
        let crawler = Arc::clone(&fetching);
        async move { crawler.visit(&page, child.restarts()).await }
    })
    .label_by(|page| page.path.clone())
    // A place is taken as soon as it is free.
    .max_demand(at_once, at_once - 1)
    .restart(Restart::Transient)
    // Pages are given up one by one. Too many failures of all of them would end the supervisor.
    .max_restarts(usize::MAX, Duration::from_secs(1))
    .backoff(Backoff::new(Duration::from_millis(100), 2.0));
    let handle = supervisor.handle();

    // A child adds as many pages as it finds, however few places there are: here they wait. Its way to add them ends
    // with it, so that this stream ends behind the last page.
    let (frontier, pages) = unbounded_channel();
    crawler.add(FIRST.into(), None, &frontier);
    drop(frontier);
    UnboundedReceiverStream::new(pages).map(Ok).forward(supervisor).await?;
    Ok(handle.count_children().restarts)
}

impl Crawler {
    /// The child: fetches a page, and adds what it links to. An error has it tried again.
    async fn visit(&self, page: &Page, restarts: u32) -> io::Result<()> {
        let path = &page.path;
        match self.fetch(path, restarts).await {
            Ok(bytes) => {
                self.report().bytes.insert(path.clone(), bytes.len());
                for link in links(&String::from_utf8_lossy(&bytes)) {
                    if let Some(to) = resolve(path, link) {
                        self.add(to, Some(path), &page.frontier);
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.report().broken.insert(path.clone());
            }
            Err(error) if restarts + 1 < self.tries => return Err(error),
            Err(error) => {
                self.report().given_up.insert(path.clone(), error.to_string());
            }
        }
        Ok(())
    }

    async fn fetch(&self, path: &str, restarts: u32) -> io::Result<Vec<u8>> {
        {
            let mut report = self.report();
            report.fetching += 1;
            report.most = report.most.max(report.fetching);
        }
        sleep(Duration::from_millis(20)).await;
        let fetched = match (path.rsplit('/').next(), &self.dir) {
            (Some("down.html"), _) => Err(io::Error::other("it does not answer")),
            (Some("busy.html"), _) if restarts < 2 => Err(io::Error::other("it is busy")),
            (_, Some(dir)) => tokio::fs::read(dir.join(path)).await,
            (_, None) => {
                let page = SAMPLE.iter().find(|page| page.0 == path);
                page.map(|page| page.1.into()).ok_or_else(|| io::ErrorKind::NotFound.into())
            }
        };
        self.report().fetching -= 1;
        fetched
    }

    /// Has a page fetched, if it was not found before.
    fn add(&self, path: String, from: Option<&String>, frontier: &UnboundedSender<Page>) {
        let mut report = self.report();
        let first = !report.found.contains_key(&path);
        report.found.entry(path.clone()).or_default().extend(from.cloned());
        if first {
            // It fails when nobody fetches any more.
            let _ = frontier.send(Page { path, frontier: frontier.clone() });
        }
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The links of a page.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let html = text.split("href=\"").skip(1).filter_map(|link| Some(link.split_once('"')?.0));
    html.chain(text.lines().filter_map(|line| line.strip_prefix("link:"))).map(str::trim)
}

/// The page that a link of a page leads to; `None` when it is of another site, or this page itself.
fn resolve(page: &str, link: &str) -> Option<String> {
    let link = link.split(['#', '?']).next()?;
    if link.is_empty() || link.starts_with("//") || link.split('/').next()?.contains(':') {
        return None;
    }
    // The directory of the page, or that of the site.
    let mut path: Vec<&str> = if link.starts_with('/') { Vec::new() } else { page.split('/').collect() };
    path.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(path.pop()?),
            part => path.push(part),
        }
    }
    if let Some("" | "." | "..") = link.split('/').next_back() {
        path.push(FIRST);
    }
    Some(path.join("/"))
}
