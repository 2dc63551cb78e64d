//! What a flow says it is made of.

use crate::support::stages::double;
use futures::{sink, stream};
use gen_stage::flow::{Inner, Retry, Side, Throttle, Topology};
use gen_stage::prelude::*;
use gen_stage::stage::from_iter;
use gen_stage::window::Window;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The names of what is in each layer, with what opened it first.
fn names(topology: &Topology) -> Vec<Vec<&'static str>> {
    let of_layer = |layer: &gen_stage::flow::TopologyLayer| {
        let operators = layer.operators.iter().chain([&layer.opened_by]);
        assert!(operators.clone().all(|operator| operator.file == file!()), "{layer:?}");
        [layer.opened_by.name].into_iter().chain(layer.operators.iter().map(|one| one.name)).collect()
    };
    topology.layers.iter().map(of_layer).collect()
}

#[test]
fn operators_are_listed_by_the_names_of_their_methods_in_the_order_of_the_calls() {
    let flow = Flow::from_iter(0..9u32)
        .map(|n| n)
        .filter(|n| *n > 0)
        .reject(|n| *n > 7)
        .filter_map(Some)
        .flat_map(|n| [n, n])
        .inspect(|_| {})
        .map_async(2, |n| async move { n })
        .filter_map_async(2, |n| async move { Some(n) })
        .map_blocking(2, |n| n)
        .throttle(Throttle::per_second(9))
        .cost(|n| u64::from(*n))
        .uniq()
        .uniq_by(|n| *n)
        .stop_when(CancellationToken::new())
        .batch(3)
        .within(Duration::from_secs(1))
        .per_lane(|lane| lane);
    let expected = [
        "from_iter",
        "map",
        "filter",
        "reject",
        "filter_map",
        "flat_map",
        "inspect",
        "map_async",
        "filter_map_async",
        "map_blocking",
        "throttle",
        "uniq",
        "uniq_by",
        "stop_when",
        "batch",
        "per_lane",
    ];
    assert_eq!(names(&flow.describe()), [expected]);

    let skipped = Arc::default();
    let results = stream::iter([Ok(1), Err("no")])
        .flow()
        .try_map(|n: u32| Ok(n + 1))
        .try_filter_map(|n| Ok(Some(n)))
        .try_map_async(2, Retry::times(1).wrap(|n: u32| async move { Ok::<_, &str>(n) }))
        .map_ok(|n| n)
        .flat_map_ok(|n| [n])
        .map_err(|error| error)
        .dead_letters(sink::drain())
        .shuffle()
        .map(Ok::<u32, ()>)
        .skip_errors(&skipped);
    let expected = [
        &[
            "flow",
            "try_map",
            "try_filter_map",
            "try_map_async",
            "map_ok",
            "flat_map_ok",
            "map_err",
            "dead_letters",
        ][..],
        &["shuffle", "map", "skip_errors"],
    ];
    assert_eq!(names(&results.describe()), expected);
}

#[test]
fn what_brings_items_together_is_listed_too() {
    let windows = Flow::from_iters([0..3u64, 4..6])
        .map_batch(|batch| batch)
        .partition_by_ref(|n| n)
        .on_init(|_, _| {})
        .window(Window::fixed(Duration::from_secs(1), |n: &u64| *n))
        .count_by(|n| *n)
        .on_trigger(|counts, _| std::mem::take(counts))
        .partition_with(2, |_| Some(0))
        .reduce(|| 0, |sum, (n, count)| *sum += n * count)
        .emit_state();
    let expected = [
        &["from_iters", "map_batch"][..],
        &["partition_by_ref", "on_init", "window", "count_by", "on_trigger"],
        &["partition_with", "reduce", "emit_state"],
    ];
    assert_eq!(names(&windows.describe()), expected);
    let lanes: Vec<_> = windows.describe().layers.iter().map(|layer| layer.lanes).collect();
    assert_eq!(lanes, [None, None, Some(2)]);

    let ordered = Flow::from_iter(0..3u32).map(|n| n).ordered();
    assert_eq!(names(&ordered.describe()), [["from_iter", "map", "ordered"]]);
    let sorted = Flow::from_iter(0..3u32).sum_by(|n| (n, 1u32)).take_sort(2);
    assert_eq!(names(&sorted.describe()), [["from_iter", "sum_by", "take_sort"]]);
}

#[test]
fn flows_that_become_one_keep_their_layers_and_both_feed_the_new_one() {
    let evens = || Flow::from_iter(0..3u32).label("evens").map(|n| n * 2);
    let odds = Flow::from_streams([stream::iter(0..3u32)]).shuffle().label("odds").map(|n| n * 2 + 1);
    let merged = evens().merge(odds).label("all").lanes(2).named("numbers");
    let topology = merged.describe();
    let expected = [&["from_iter", "map"][..], &["from_streams"], &["shuffle", "map"], &["merge"]];
    assert_eq!(names(&topology), expected);
    let fed_by: Vec<_> = topology.layers.iter().map(|layer| &layer.fed_by[..]).collect();
    assert_eq!(fed_by, [&[][..], &[], &[1], &[0, 2]]);
    let text = topology.to_string();
    assert!(text.starts_with("the flow `numbers`\nthe layer `evens` ("), "{text}");
    assert!(text.contains(": merge of the layer `evens` ("), "{text}");
    assert!(text.contains(") and the layer `odds` ("), "{text}");
    assert!(text.ends_with("), 2 lanes"), "{text}");

    let joined = evens().bounded_join(Inner, evens(), |n| *n, |n| *n).map(|pair| pair);
    assert_eq!(names(&joined.describe()).last().unwrap(), &["bounded_join", "map"]);
    assert_eq!(joined.describe().layers.last().unwrap().fed_by, [0, 1]);
    let joined = evens().bounded_join_ref(Inner, evens(), |n| n, |n| n);
    assert_eq!(names(&joined.describe()).last().unwrap(), &["bounded_join_ref"]);
    assert_eq!(joined.describe().layers.last().unwrap().fed_by, [0, 1]);
}

#[tokio::test]
async fn a_flow_that_runs_is_made_of_what_it_was_described_by() {
    let stages = [from_iter(0..10u64).stage().label("numbers").spawn()];
    let doubled = double().stage().label("double").stop_when_alone().spawn();
    let mut flow = Flow::from_stages(stages)
        .label("in")
        .lanes(1)
        .map(|n| n)
        .through_stages([doubled])
        .label("doubled")
        .lanes(1)
        .demand(10, 5)
        .boxed()
        .filter(|n| *n > 0)
        .named("numbers");
    let monitor = flow.monitor();
    let described = flow.describe();
    assert_eq!(names(&described), [["from_stages", "map"], ["through_stages", "filter"]]);
    let of_stages: Vec<_> = described.layers.iter().map(|layer| &*layer.stages[0]).collect();
    assert_eq!(of_stages, ["numbers", "double"]);
    let text = described.to_string();
    assert!(text.contains(": from_stages, stage `numbers`, 1 lane\n"), "{text}");
    assert!(described.to_mermaid().contains(r#"["doubled<br>stage `double`<br>filter"]"#));
    assert_eq!(flow.collect::<Vec<_>>().await.len(), 18);
    assert_eq!(monitor.topology().to_string(), described.to_string());
    let stats = monitor.stats();
    let of_lanes = |label| {
        let layer = stats.layers.iter().find(|layer| {
            layer.label.as_deref() == Some(label) && layer.part == gen_stage::flow::LayerPart::Lane
        });
        layer.unwrap().operators.iter().map(|operator| operator.name).collect::<Vec<_>>()
    };
    assert_eq!((of_lanes("in"), of_lanes("doubled")), (vec!["map"], vec!["filter"]));

    let mut flow = Flow::from_iter(0..3u32).lanes(1);
    let monitor = flow.monitor();
    flow.for_each(|_| {}).await;
    assert_eq!(names(&monitor.topology()), [["from_iter", "for_each"]]);
}

#[tokio::test]
async fn the_other_operators_are_listed_by_their_names_too() {
    let second = || Window::fixed(Duration::from_secs(1), |n: &u64| *n);
    let pairs = || Flow::from_iter(0..9u64).map(|n| (n, n));
    let cases = [
        (names(&pairs().map_values(|n| n).describe()), vec!["from_iter", "map", "map_values"]),
        (names(&pairs().group_by(|(n, _)| *n).describe()), vec!["from_iter", "map", "group_by"]),
        (names(&pairs().group_by_key().describe()), vec!["from_iter", "map", "group_by_key"]),
        (
            names(&Flow::from_iter(0..9u64).batch_by_weight(5, |n| *n).describe()),
            vec!["from_iter", "batch_by_weight"],
        ),
        (
            names(&Flow::from_iter(0..9u64).emit_and_reduce(|| 0, |_, n| Some(n)).emit_nothing().describe()),
            vec!["from_iter", "emit_and_reduce", "emit_nothing"],
        ),
        (
            names(
                &Flow::from_iter(0..9u64)
                    .window(second())
                    .reduce(|| 0, |sum: &mut u64, n| *sum += n)
                    .emit_state()
                    .departition(|| 0, |all: &mut u64, n| *all += n, |all, _| all)
                    .describe(),
            ),
            vec!["from_iter", "window", "reduce", "emit_state", "departition"],
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, [expected]);
    }

    let words = || Flow::from_iter(0..9u64).partition_by(|n| *n);
    let either = || {
        Window::fixed(Duration::from_secs(1), |side: &Side<u64, u64>| match side {
            Side::Left(n) | Side::Right(n) => *n,
        })
    };
    let joined = words().window_join(Inner, words(), either(), |n| *n, |n| *n);
    let expected: [&[&str]; 5] =
        [&["from_iter"], &["partition_by"], &["from_iter"], &["partition_by"], &["window_join"]];
    assert_eq!(names(&joined.describe()), expected);
    let joined = words().window_join_ref(Inner, words(), either(), |n| n, |n| n);
    assert_eq!(names(&joined.describe()).last().unwrap(), &["window_join_ref"]);

    let mut each = Flow::from_iter(0..9u64).partition().lanes(2);
    let monitor = each.monitor();
    each.for_each_async(2, |_| async {}).await;
    assert_eq!(names(&monitor.topology()), [vec!["from_iter"], vec!["partition", "for_each_async"]]);

    let mut written = Flow::from_iter(0..9u64);
    let monitor = written.monitor();
    written.into_sinks(vec![sink::drain(), sink::drain()]).await.unwrap();
    assert_eq!(monitor.topology().layers[0].lanes, Some(2));
}

#[test]
fn labels_with_quotes_are_drawn_as_they_are() {
    let flow = Flow::from_iter(0..3u32).label(r#"say "hi" \o/"#).map(|n| n);
    assert!(flow.describe().to_mermaid().contains(r#"["say #quot;hi#quot; \o/<br>map"]"#));
    assert!(flow.describe().to_dot().contains(r#"[label="say \"hi\" \\o/\nmap"]"#));
}
