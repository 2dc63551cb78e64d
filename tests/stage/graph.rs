//! Graphs of stages: what a walk finds, and how it ends.

use crate::support::MetricsBoard;
use crate::support::settle;
use crate::support::stages::{Log, Say, block, collect, count, identity, queue, silent, until};
use futures::FutureExt;
use gen_stage::dispatch::{Broadcast, Partition};
use gen_stage::prelude::*;
use gen_stage::stage::{
    AskMode, BufferKeep, CancelMode, GraphStage, Handle, Reason, Role, StageGraph, StageKind, StageState,
};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(1);

async fn graph_of(stage: &Handle<impl Role, Say>) -> StageGraph {
    stage.graph(SOON).await
}

fn labels(graph: &StageGraph) -> Vec<&str> {
    graph.stages.iter().map(|stage| stage.label.as_str()).collect()
}

fn stage<'a>(graph: &'a StageGraph, label: &str) -> &'a GraphStage {
    graph.stages.iter().find(|stage| stage.label == label).expect("it is in the graph")
}

#[tokio::test(start_paused = true)]
async fn a_walk_finds_the_same_graph_from_every_stage() {
    let source = silent().stage().label("source").dispatcher(Broadcast::new()).spawn();
    let left = identity().stage().label("left").subscribe_to(source.subscribe().demand(10, 5)).spawn();
    let right = identity().stage().label("right").subscribe_to(source.subscribe().temporary()).spawn();
    let reader = collect().stage().label("reader").subscribe_to(left.subscribe().transient());
    let reader = reader.subscribe_to(right.subscribe().demand(4, 2)).spawn();
    let stream = right.subscribe().demand(7, 3).await.unwrap();
    settle().await;
    let text = "\
4 stages
`source`: producer, Broadcast
  `left`: producer-consumer, ByDemand, demand 5 to 10 (wants 10)
    `reader`: consumer, transient (wants 1000)
  `right`: producer-consumer, ByDemand, temporary (wants 1000)
    `reader`, see above, demand 2 to 4 (wants 4)
    a stream, demand 3 to 7";
    for from in [source.stage_ref(), left.stage_ref(), right.stage_ref(), reader.stage_ref()] {
        assert_eq!(StageGraph::walk([from], SOON).await.to_string(), text);
    }
    assert_eq!(graph_of(&source).await.subscriptions[4].id, stream.id());
}

#[tokio::test(start_paused = true)]
async fn the_subscriptions_of_a_graph_tell_what_both_ends_say() {
    let source = count(0).stage().label("source").spawn();
    let reader = collect().asking_by_hand().stage().label("reader");
    let reader = reader.subscribe_to(source.subscribe().demand(10, 5).transient()).spawn();
    settle().await;
    let id = reader.status().await.unwrap().producers[0].id;
    reader.cast(Say::Ask(id, 3)).await.unwrap();
    settle().await;
    let graph = graph_of(&reader).await;
    let [subscription] = &graph.subscriptions[..] else { panic!("{graph:?}") };
    assert_eq!((subscription.id, subscription.from, subscription.to), (id, 0, Some(1)));
    // Its code asks, which only the reader knows.
    assert_eq!((subscription.mode, subscription.cancel), (AskMode::Manual, CancelMode::Transient));
    assert_eq!((subscription.bounds.max(), subscription.bounds.min(), subscription.demand), (10, 5, 0));
    assert_eq!((subscription.sent, subscription.taken, subscription.on_their_way()), (3, 3, 0));
    let (source, reader) = (&graph.stages[0], &graph.stages[1]);
    assert_eq!((source.kind, source.dispatcher), (StageKind::Producer, Some("ByDemand")));
    assert_eq!((reader.kind, reader.dispatcher), (StageKind::Consumer, None));
    assert_eq!((source.counts.emitted, reader.counts.received), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_circle_is_walked_once() {
    let first = identity().stage().label("first").spawn();
    let second = identity().stage().label("second").subscribe_to(first.subscribe()).spawn();
    let outside = silent().stage().label("outside").spawn();
    first.subscribe_to(second.subscribe()).await.unwrap();
    first.subscribe_to(outside.subscribe()).await.unwrap();
    settle().await;
    let graph = graph_of(&second).await;
    let text = "\
3 stages
`outside`: producer, ByDemand
  `first`: producer-consumer, ByDemand (wants 1000)
    `second`: producer-consumer, ByDemand (wants 1000)
      `first`, see above (wants 1000)";
    // Nothing but the circle feeds the two without the other, and then the older one begins.
    assert_eq!(labels(&graph), ["outside", "first", "second"]);
    assert_eq!(graph.to_string(), text);
    outside.shutdown().await;
    second.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_is_stuck_is_silent_and_holds_up_the_others_for_a_while_only() {
    let source = silent().stage().label("source").spawn();
    let stuck = identity().blocking_in(1);
    let log = stuck.log();
    let stuck = stuck.stage().label("stuck").subscribe_to(source.subscribe().demand(10, 5)).spawn();
    let reader = collect().stage().label("reader").subscribe_to(stuck.subscribe().demand(4, 2)).spawn();
    let other = collect().stage().label("other").subscribe_to(source.subscribe().demand(2, 1)).spawn();
    settle().await;
    queue(&source, 0..10).await;
    until("it is stuck", || !log.batches().is_empty()).await;

    let begun = tokio::time::Instant::now();
    let graph = StageGraph::walk([source.stage_ref(), reader.stage_ref()], SOON).await;
    assert_eq!(begun.elapsed(), SOON);
    assert_eq!(labels(&graph), ["source", "stuck", "reader", "other"]);
    let found = stage(&graph, "stuck");
    assert_eq!((found.state, found.status.is_none(), found.end.is_none()), (StageState::Silent, true, true));
    assert_eq!((found.kind, found.dispatcher), (StageKind::ProducerConsumer, Some("ByDemand")));
    // Counts are there without an answer, and the subscriptions are known from their other ends.
    assert_eq!(found.counts.received, 5);
    let [above, below] = [(0, 1), (1, 2)].map(|(from, to)| {
        let between = |one: &&gen_stage::stage::GraphSubscription| (one.from, one.to) == (from, Some(to));
        graph.subscriptions.iter().find(between).expect("it is known")
    });
    assert_eq!((above.sent, above.taken, above.on_their_way()), (10, 5, 5));
    assert_eq!((below.bounds.max(), below.demand, below.sent), (4, 4, 0));
    assert!(graph.to_string().contains("`stuck`: producer-consumer, ByDemand, silent"));
    // What is known only from a stage that is stuck is not found.
    assert_eq!(labels(&graph_of(&other).await), ["source", "stuck", "other"]);
}

#[tokio::test(start_paused = true)]
async fn all_answers_come_before_the_patience_is_over_or_not_at_all() {
    let source = silent().stage().spawn();
    settle().await;
    let begun = tokio::time::Instant::now();
    assert_eq!(graph_of(&source).await.stages[0].state, StageState::Running);
    assert_eq!(begun.elapsed(), Duration::ZERO, "no time passes when all answer");
    let never = source.graph(Duration::ZERO).await;
    assert_eq!(never.stages[0].state, StageState::Silent);
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_has_ended_is_shown_with_its_reason_and_counts() {
    let source = count(0).stage().label("source").spawn();
    let reader = block();
    let log = reader.log();
    let reader = reader.stage().label("reader").subscribe_to(source.subscribe().demand(4, 2).temporary());
    let reader = reader.spawn();
    until("it is stuck", || !log.batches().is_empty()).await;
    source.stop(Reason::failed("out of paper")).await;
    let graph = StageGraph::walk([source.stage_ref(), reader.stage_ref()], SOON).await;
    let found = stage(&graph, "source");
    assert_eq!((found.state, found.counts.sent, found.unsent()), (StageState::Ended, 4, 0));
    assert_eq!(
        found.end.as_ref().map(Reason::to_string),
        Some("the producer `source` failed: out of paper".into())
    );
    let text = "\
2 stages
`source`: producer, ByDemand, ended (the producer `source` failed: out of paper)
`reader`: consumer, silent";
    assert_eq!(graph.to_string(), text);
}

#[tokio::test(start_paused = true)]
async fn a_graph_keeps_no_stage_alive() {
    let source = silent().stage().label("source").spawn();
    let reader = collect().stage().subscribe_to(source.subscribe()).spawn();
    settle().await;
    let graph = graph_of(&reader).await;
    let peers: Vec<_> = graph.stages.iter().filter_map(|stage| stage.status.clone()).collect();
    let (first, weak) = (reader.stage_ref(), source.downgrade());
    drop((source, reader));
    settle().await;
    assert!(weak.upgrade().is_none() && first.end().is_some());
    let above = peers[1].producers[0].peer().expect("a stage");
    assert!(matches!(above.end(), Some(Reason::Aborted)));
    assert!(above.status().await.is_err());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
    let after = StageGraph::walk([first], SOON).await;
    assert_eq!((after.stages.len(), after.stages[0].state), (1, StageState::Ended));
}

#[tokio::test(start_paused = true)]
async fn the_text_tells_what_waits_and_what_lags() {
    let source = silent().stage().label("source").dispatcher(Broadcast::new()).spawn();
    let log = Log::default();
    let quick = collect().writing_in(&log).stage().label("quick").subscribe_to(source.subscribe()).spawn();
    let mut slow = source.subscribe().demand(4, 2).selector(|n| n % 2 == 0).await.unwrap();
    assert!(slow.next_batch().now_or_never().is_none());
    settle().await;
    queue(&source, 0..10).await;
    settle().await;
    // The stream has the four it asked for and left out three; the other waits for it.
    let text = "\
2 stages
`source`: producer, Broadcast, 3 unsent
  `quick`: consumer (wants 993, lags by 3)
  a stream, demand 2 to 4 (4 on their way, lags by 3, 3 left out)";
    assert_eq!(graph_of(&source).await.to_string(), text);
    assert_eq!(log.items(), (0..7).collect::<Vec<_>>());
    quick.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn pictures_escape_labels() {
    let source = silent().stage().label(r#"<"a\b">"#).dispatcher(Partition::hash(2)).spawn();
    let reader = source.subscribe().in_partition(0).await.unwrap();
    let graph = source.graph(SOON).await;
    assert!(graph.to_mermaid().contains(r##"stage0["#lt;#quot;a\b#quot;#gt;<br>producer<br>Partition"]"##));
    assert!(graph.to_dot().contains(r#"stage0 [label="<\"a\\b\">\nproducer\nPartition"]"#));
    drop(reader);
}

#[tokio::test(start_paused = true)]
async fn metrics_have_the_sums_of_the_stages_of_one_label() {
    let source = silent().quiet().stage().label("source").buffer(2, BufferKeep::First).spawn();
    let read = |max, min| source.subscribe().demand(max, min);
    let readers =
        [read(4, 2), read(3, 1)].map(|to| collect().stage().label("reader").subscribe_to(to).spawn());
    let stuck = block();
    let log = stuck.log();
    let stuck = stuck.stage().label("stuck").subscribe_to(read(1, 0)).spawn();
    settle().await;
    queue(&source, 0..8).await;
    until("it is stuck", || !log.batches().is_empty()).await;
    queue(&source, 8..20).await;
    settle().await;

    let graph = graph_of(&source).await;
    let numbers = MetricsBoard::of(|| graph.record_metrics("g"));
    let of = |name: &str, stage: &str| numbers[&format!("gen_stage_stage_{name}{{stages=g,stage={stage}}}")];
    assert_eq!(numbers.len(), 3 * 11);
    let received = readers.iter().map(|reader| reader.counts().received).sum::<u64>();
    assert_eq!(of("received_total", "reader"), received as f64);
    assert_eq!(of("emitted_total", "source"), 20.0);
    let whole = of("sent_total", "source") + of("discarded_total", "source") + of("unsent", "source");
    assert_eq!(whole, 20.0);
    assert_eq!(of("overflowed_total", "source"), of("discarded_total", "source"));
    assert_eq!(
        (of("silent", "stuck"), of("silent", "reader"), of("received_total", "stuck")),
        (1.0, 0.0, 1.0)
    );
    drop(stuck);
}
