//! Graphs of stages on the page.

use crate::ANY_PORT;
use crate::driver::Browser;
use crate::layout::Layout;
use futures::{StreamExt, sink, stream};
use gen_stage::dispatch::{Broadcast, Partition};
use gen_stage::prelude::*;
use gen_stage::stage::{Output, StageError, StageRef, Upstream, from_iter, from_sink, from_stream};
use gen_stage_dashboard::Dashboard;
use std::any::Any;
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

/// Hands on what it gets.
struct HandOn;

impl ProducerConsumer for HandOn {
    type Input = u64;
    type Item = u64;

    async fn handle_items(
        &mut self,
        items: Vec<u64>,
        _: &Upstream,
        out: &mut Output<u64>,
    ) -> Result<(), StageError> {
        out.extend(items);
        Ok(())
    }
}

/// Stages to show, and what keeps them alive.
type Running = (StageRef, Box<dyn Any + Send>);

async fn served(graphs: &[(&str, Running)]) -> SocketAddr {
    let mut dashboard = Dashboard::new().every(Duration::from_millis(200));
    for (name, (stage, _)) in graphs {
        dashboard = dashboard.watch_stages(*name, [stage.clone()]);
    }
    let dashboard = dashboard.bind(ANY_PORT).await.unwrap();
    let addr = dashboard.local_addr();
    tokio::spawn(async move { dashboard.serve().await });
    addr
}

/// A source with one reader that is read by another, which reads the source too; twice, and as a stream besides.
async fn skipping() -> Running {
    let ticks = stream::iter(0_u64..).then(|n| async move {
        tokio::time::sleep(Duration::from_millis(2)).await;
        n
    });
    let source = from_stream(Box::pin(ticks)).stage().label("ticks").dispatcher(Broadcast::new()).spawn();
    let near = HandOn.stage().label("near").subscribe_to(source.subscribe()).spawn();
    let far = HandOn.stage().label("far").subscribe_to(near.subscribe());
    let far = far.subscribe_to(near.subscribe()).subscribe_to(source.subscribe()).spawn();
    // Called by its type.
    let end = from_sink(sink::drain()).stage().subscribe_to(far.subscribe());
    let end = end.subscribe_to(source.subscribe()).spawn();
    let mut read = near.subscribe().await.unwrap();
    tokio::spawn(async move { while read.next().await.is_some() {} });
    (source.stage_ref(), Box::new((source, near, far, end)))
}

/// Two that read each other, and a source.
async fn circle() -> Running {
    let first = HandOn.stage().label("first").spawn();
    let second = HandOn.stage().label("second").subscribe_to(first.subscribe()).spawn();
    let outside = from_stream(stream::pending::<u64>()).stage().label("outside").spawn();
    first.subscribe_to(second.subscribe()).await.unwrap();
    first.subscribe_to(outside.subscribe()).await.unwrap();
    (first.stage_ref(), Box::new((first, second, outside)))
}

/// A source of which one reader takes all even numbers, and the other takes no more than it has got.
fn lagging() -> Running {
    let parity = Partition::by_key(0..2, |n: &u64| n % 2);
    let source = from_iter(0_u64..).stage().label("numbers").dispatcher(parity).spawn();
    let quick = from_sink(sink::drain()).stage().label("quick");
    let quick = quick.subscribe_to(source.subscribe().demand(100, 50).in_partition(0)).spawn();
    let stuck = Box::pin(sink::unfold((), |(), _: u64| pending::<Result<(), Infallible>>()));
    let slow = from_sink(stuck).stage().label("slow <b>x</b>");
    let slow = slow.subscribe_to(source.subscribe().demand(4, 2).in_partition(1)).spawn();
    (source.stage_ref(), Box::new((source, quick, slow)))
}

#[tokio::test(flavor = "multi_thread")]
async fn boxes_of_stages_do_not_overlap_and_arrows_go_from_stage_to_stage() {
    let graphs = [("skipping", skipping().await), ("circle", circle().await), ("lagging", lagging())];
    let addr = served(&graphs).await;
    let browser = Browser::start();
    browser.open(&format!("http://{addr}/"));
    browser.wait_for("[...document.querySelectorAll('.speed')].some((it) => /^\\d/.test(it.textContent))");
    browser.wait_for("document.querySelectorAll('.watched').length === 3");
    for (name, cards, arrows) in [("skipping", 5, 7), ("circle", 3, 3), ("lagging", 3, 2)] {
        for width in [1280, 600] {
            browser.narrow(width);
            let layout = Layout::of(&browser, name);
            assert_eq!((layout.cards.len(), layout.arrows.len()), (cards, arrows), "{name}");
            layout.check(name);
        }
    }
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_lags_or_is_silent_or_has_ended_says_so_in_words() {
    let over = from_iter(0_u64..9).stage().label("over").spawn();
    over.shutdown().await;
    let graphs = [("lagging", lagging()), ("over", (over.stage_ref(), Box::new(over) as _))];
    let addr = served(&graphs).await;
    let browser = Browser::start();
    browser.open(&format!("http://{addr}/"));
    let lags = browser.wait_for("document.querySelector('.read[data-lags=true]')?.innerText");
    let lags = lags.as_str().unwrap();
    assert!(lags.starts_with("reads numbers\n"), "{lags}");
    let number = |words: &str| {
        let mut told = lags.lines().last().unwrap_or_default().split(" · ");
        let text = told.find_map(|text| text.strip_prefix(words).or_else(|| text.strip_suffix(words)));
        text.unwrap_or_else(|| panic!("not {words}: {lags}")).replace(',', "").parse::<u64>().unwrap()
    };
    assert!(number("▲\u{a0}lags by ") > 0, "{lags}");
    assert_eq!(number("▲\u{a0}lags by "), number(" queued"), "it is kept for it");

    let card =
        "[...document.querySelectorAll('.card')].find((it) => it.querySelector('.read[data-lags=true]'))";
    let text = browser.wait_for(&format!("({card})?.innerText.includes('silent') && ({card}).innerText"));
    let text = text.as_str().unwrap();
    assert!(text.starts_with("slow <b>x</b>\n"), "a label is text, whatever is in it: {text}");
    assert!(text.contains("silent: it did not answer in time"), "{text}");
    let said = browser.run("return [...document.querySelectorAll('.held')].map((it) => it.textContent)");
    assert_eq!(said, serde_json::json!(["3 stages: 2 running, 1 silent.", "1 stage: 1 ended."]));
    let ended = browser.run("return document.querySelector('.card[data-ended=true] .state').textContent");
    assert_eq!(ended, "ended: shutdown");

    // The table has the same numbers.
    browser.run("document.querySelector('details').open = true");
    let rows = browser.wait_for(
        "document.querySelector('details tbody tr') && [...document.querySelectorAll('details tbody tr')]
             .map((row) => [...row.cells].map((cell) => cell.textContent))",
    );
    let columns = browser
        .run("return [...document.querySelectorAll('details thead th')].map((cell) => cell.textContent)");
    let columns: Vec<String> = serde_json::from_value(columns).unwrap();
    let rows: Vec<Vec<String>> = serde_json::from_value(rows).unwrap();
    let slow = rows.iter().find(|row| row[1] == "slow <b>x</b>").expect("it has a row");
    let of = |name| slow[columns.iter().position(|column| column == name).unwrap()].as_str();
    assert_eq!(
        (of("From"), of("Max demand"), of("Asks"), of("Cancel")),
        ("numbers", "4", "automatic", "permanent")
    );
    assert_eq!(of("Lag"), of("Queued"));
    assert_ne!(of("Lag"), "0");
}
