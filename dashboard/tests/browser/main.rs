//! The page, in a browser: `cargo test -p gen_stage_dashboard --features browser-tests`. Needs `chromium` and
//! `chromedriver`.

mod driver;
mod layout;
mod stages;

use driver::Browser;
use futures::sink;
use gen_stage::flow::{Inner, Monitor};
use gen_stage::prelude::*;
use gen_stage_dashboard::Dashboard;
use layout::Layout;
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinHandle;

const ANY_PORT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// A flow whose sinks take ten items each and no more.
fn stalled() -> (Monitor, JoinHandle<()>) {
    let mut photos = Flow::from_iter(0_u64..)
        .lanes(1)
        .label("camera")
        .partition_by(|n| n % 4)
        .lanes(2)
        .demand(20, 10)
        .label("scale <b>x</b>")
        .filter(|_| true)
        .map(|n| n)
        .partition_by(|n| n % 3)
        .lanes(2)
        .demand(20, 10)
        .label("write");
    let monitor = photos.monitor();
    let sink = || {
        Box::pin(sink::unfold(0, |taken, _photo: u64| async move {
            if taken == 10 { pending().await } else { Ok::<_, Infallible>(taken + 1) }
        }))
    };
    let writing = async move {
        let Ok(()) = photos.into_sinks(vec![sink(), sink()]).await;
    };
    (monitor, tokio::spawn(writing))
}

async fn served(addr: impl Into<SocketAddr>, monitor: &Monitor) -> (SocketAddr, JoinHandle<()>) {
    let jobs =
        DynamicSupervisor::new(|_: u64| pending::<()>()).label_by(|n| format!("job {n}")).into_handle();
    jobs.start_child(7).unwrap();
    let dashboard = Dashboard::new()
        .every(Duration::from_millis(200))
        .watch("photos", monitor)
        .watch_supervisor("jobs", &jobs)
        .bind(addr)
        .await
        .unwrap();
    let addr = dashboard.local_addr();
    let serving = tokio::spawn(async move {
        let _jobs = jobs;
        dashboard.serve().await;
    });
    (addr, serving)
}

/// The text of the card of a layer.
fn card(name: &str) -> String {
    format!(
        "[...document.querySelectorAll('.card')].find(card => card.querySelector('h3').textContent === '{name}')"
    )
}

/// The share of its time that a card says a layer is back-pressured, as soon as that is known.
fn back_pressured(name: &str) -> String {
    let times = format!("[...({})?.querySelectorAll('.times div') ?? []]", card(name));
    let words = format!("{times}.find(part => part.querySelector('dt').textContent === 'back-pressured')");
    format!("({words})?.querySelector('dd').textContent.match(/^(\\d+) %$/)?.[1]")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_which_layers_wait_and_what_holds_the_flow_up() {
    let (monitor, flow) = stalled();
    let (addr, _serving) = served(ANY_PORT, &monitor).await;
    let browser = Browser::start();
    browser.open(&format!("http://{addr}/"));

    browser.wait_for("document.querySelector('.held[data-held=true]')?.textContent.includes('the sink of')");
    let said = browser.run("return document.querySelector('.held').textContent");
    let said = said.as_str().unwrap();
    assert!(said.starts_with("Held up by the sink of the layer `write` ("), "{said}");
    assert!(said.contains("waits for it"), "{said}");
    for layer in ["camera", "scale <b>x</b>", "write"] {
        let share = browser.wait_for(&back_pressured(layer));
        let share: u32 = share.as_str().unwrap().parse().unwrap();
        assert!(share >= 90, "{layer} is back-pressured for {share} %");
    }
    let flags = "return [...document.querySelectorAll('.card[data-held=true]')].map(card => card.innerText)";
    let flagged = browser.run(flags);
    assert_eq!(flagged.as_array().unwrap().len(), 1, "{flagged}");
    let flagged = flagged[0].as_str().unwrap();
    assert!(flagged.contains("write") && flagged.contains("▲ bottleneck: its sink"), "{flagged}");
    let bold = browser.run("return document.querySelectorAll('main b').length");
    assert_eq!(bold, 0, "a label is text, whatever is in it");

    let operators = format!("return ({}).querySelector('.operators').textContent", card("scale <b>x</b>"));
    assert_eq!(browser.run(&operators), "filter → map");
    let arrows = browser.run("return document.querySelector('.arrows').getAttribute('aria-label')");
    assert_eq!(arrows, "camera to scale <b>x</b>; scale <b>x</b> to write", "nothing moves any more");
    let children = browser.run("return document.querySelector('.children tbody').innerText");
    assert!(children.as_str().unwrap().contains("job 7\trunning"), "{children}");
    flow.abort();
}

/// Three proofs: the log of the network, of which every entry is of this server; the console, where a request that the
/// policy of the page keeps from being sent is an error; and such a request, made on purpose, which is refused. Besides,
/// no other host has an address in this browser.
#[tokio::test(flavor = "multi_thread")]
async fn no_request_goes_elsewhere() {
    let (monitor, flow) = stalled();
    let (addr, _serving) = served(ANY_PORT, &monitor).await;
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let browser = Browser::start();
    browser.open(&format!("http://{addr}/"));
    browser.wait_for("document.querySelector('#link[data-state=live]') && document.querySelector('.card')");

    let own = format!("http://{addr}/");
    let requests = browser.requests();
    for file in ["", "app.css", "app.js", "dom.js", "flow.js", "events"] {
        assert!(requests.contains(&format!("{own}{file}")), "{file} is not in {requests:?}");
    }
    let others = requests.iter().filter(|url| !url.starts_with(&own) && !url.starts_with("data:"));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(browser.errors(), Vec::<String>::new());

    let other = elsewhere.local_addr().unwrap();
    let fetched = format!("await fetch('http://{other}/').then(() => 'sent', error => String(error))");
    let refused = browser.run(&format!("return (async () => {fetched})()"));
    assert_eq!(refused, "TypeError: Failed to fetch");
    assert!(browser.errors().iter().any(|error| error.contains("Content Security Policy")));
    let connected = elsewhere.accept().map(|_| ());
    assert_eq!(connected.unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody has come");
    flow.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_told_and_found_again() {
    let (monitor, flow) = stalled();
    let (addr, serving) = served(ANY_PORT, &monitor).await;
    let browser = Browser::start();
    browser.open(&format!("http://{addr}/"));
    browser.wait_for("document.querySelector('#link[data-state=live]')");
    serving.abort();
    let lost = browser.wait_for("document.querySelector('#link[data-state=lost]')?.textContent");
    assert!(lost.as_str().unwrap().starts_with("Connection lost"), "{lost}");
    let cards = browser.run("return document.querySelectorAll('.card').length");
    assert_eq!(cards, 3, "the last numbers stay");
    let (_, _serving) = served(addr, &monitor).await;
    let found = browser.wait_for("document.querySelector('#link[data-state=live]')?.textContent");
    assert_eq!(found, "Live");
    flow.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_the_graph_moves_sideways_and_the_page_does_not() {
    let (monitor, flow) = stalled();
    let (addr, _serving) = served(ANY_PORT, &monitor).await;
    let browser = Browser::start();
    browser.narrow(380);
    browser.open(&format!("http://{addr}/"));
    browser.wait_for("document.querySelectorAll('.card').length === 3");
    let widths = browser.run(
        "const graph = document.querySelector('.wide');
         return [innerWidth, document.documentElement.scrollWidth, graph.clientWidth, graph.scrollWidth]",
    );
    let widths: Vec<u64> = serde_json::from_value(widths).unwrap();
    let [window, page, graph, inside] = widths[..] else { panic!("four widths") };
    assert_eq!((window, page), (380, 380));
    assert!(graph < 380 && inside > 2 * graph, "{graph} of {inside}");
    flow.abort();
}

/// Flows that fork and come together, of endless sources.
fn forked() -> Vec<(&'static str, Flow<gen_stage::flow::Boxed<u64>>)> {
    let source = |label: &str| Flow::from_iter(0_u64..).lanes(1).label(label.to_owned()).map(|n| n);
    // With a layer after each, for a merge runs lanes as they are.
    let apart = |label: &str| source(label).shuffle().lanes(1).map(|n| n + 1);
    let three = apart("a").merge(apart("b")).merge(apart("c")).lanes(2).label("merged").map(|n| n);
    let by_key = |n: &u64| *n % 7;
    let on = |flow: Flow<gen_stage::flow::Boxed<u64>>, label: &str| {
        flow.shuffle().lanes(2).label(label.to_owned()).map(|n| n).boxed()
    };
    let long = on(on(source("long").boxed(), "one"), "two").shuffle().lanes(2).map(|n| n);
    let short = on(source("short").boxed(), "only").shuffle().lanes(1).map(|n| n);
    let merged = long.merge(short).partition_by(by_key).lanes(2).label("together").map(|n| n);
    let left = source("left").partition_by(by_key).lanes(2).label("sorted").map(|n| n);
    let right = source("right").merge(source("more")).lanes(3).label("both");
    let joined = left.bounded_join(Inner, right, by_key, by_key).lanes(2).label("joined").map(|(n, _)| n);
    vec![
        ("three sources", three.partition_by(by_key).lanes(2).label("by key").map(|n| n).boxed()),
        ("unequal", merged.boxed()),
        ("join", joined.shuffle().lanes(1).label("rows").map(|n| n).boxed()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_do_not_overlap_and_arrows_go_from_card_to_card_where_flows_fork_and_merge() {
    let mut dashboard = Dashboard::new().every(Duration::from_millis(200));
    let mut flows = Vec::new();
    for (name, mut flow) in forked() {
        dashboard = dashboard.watch(name, &flow.monitor());
        // Read slowly, so that something moves.
        flows.push(tokio::spawn(flow.for_each_async(1, |_| tokio::time::sleep(Duration::from_millis(5)))));
    }
    let dashboard = dashboard.bind(ANY_PORT).await.unwrap();
    let addr = dashboard.local_addr();
    let _serving = tokio::spawn(async move { dashboard.serve().await });
    let browser = Browser::start();
    browser.open(&format!("http://{addr}/"));
    for (name, cards, arrows) in [("three sources", 6, 5), ("unequal", 7, 6), ("join", 5, 4)] {
        let graph = format!(
            "[...document.querySelectorAll('.watched')].find((it) => it.querySelector('h2')?.textContent === '{name}')"
        );
        browser.wait_for(&format!(
            "[...({graph})?.querySelectorAll('.speed') ?? []].some((it) => it.textContent)"
        ));
        for width in [1280, 600] {
            browser.narrow(width);
            let layout = Layout::of(&browser, name);
            assert_eq!((layout.cards.len(), layout.arrows.len()), (cards, arrows), "{name}");
            layout.check(name);
        }
    }
    flows.iter().for_each(JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_failed_says_why_and_where() {
    let mut flow = Flow::from_iter([1, 0]).lanes(1).label("divide").map(|n| 1 / n);
    let monitor = flow.monitor();
    assert!(tokio::spawn(flow.collect::<Vec<u32>>()).await.unwrap_err().is_panic());
    let (addr, _serving) = served(ANY_PORT, &monitor).await;
    let browser = Browser::start();
    browser.open(&format!("http://{addr}/"));
    browser.wait_for("document.querySelector('.state[data-state=failed]')?.textContent");
    let said = browser.run("return document.querySelector('.held').textContent");
    let said = said.as_str().unwrap();
    assert!(said.starts_with("It has failed: lane 0 of the layer `divide` ("), "{said}");
    assert!(said.ends_with(" panicked: attempt to divide by zero."), "{said}");
}
