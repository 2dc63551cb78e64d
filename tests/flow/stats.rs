//! What a flow says of itself while it runs, and after.

use crate::support::MetricsBoard;
use futures::{StreamExt, sink, stream};
use gen_stage::flow::{
    BottleneckKind, FlowStats, Inner, LaneStats, LayerPart, LayerStats, Monitor, Readable,
};
use gen_stage::prelude::*;
use gen_stage::window::Window;
use std::time::Duration;
use tokio::time::sleep;

const MS: Duration = Duration::from_millis(1);

/// Reads a flow to its end, and returns what it says after that.
async fn after<P>(mut flow: Flow<P>) -> FlowStats
where
    P: Readable<Item: Send + 'static>,
{
    let monitor = flow.monitor();
    assert!(monitor.stats().layers.is_empty(), "it has not started");
    let read = flow.collect::<Vec<_>>().await.len();
    let stats = monitor.stats();
    assert_eq!(stats.read, read as u64);
    stats
}

/// Nothing is lost between any two layers, and all tasks have ended.
fn assert_adds_up(name: &str, stats: &FlowStats) {
    let sum = |layer: &LayerStats, of: fn(&LaneStats) -> u64| layer.lanes.iter().map(of).sum::<u64>();
    for (at, layer) in stats.layers.iter().enumerate() {
        let feeding = stats.layers.iter().filter(|above| above.feeds.contains(&at));
        let fed: u64 = feeding.map(|above| sum(above, |lane| lane.sent)).sum();
        assert_eq!(fed, sum(layer, |lane| lane.taken + lane.discarded), "{name}, into {layer}:\n{stats}");
        assert!(
            layer.lanes.iter().all(|lane| lane.ended && lane.waiting + lane.open_demand == 0),
            "{name}:\n{stats}"
        );
        let targets = layer.feeds.len() + usize::from(layer.is_read);
        assert_eq!(targets, 1, "{name}, out of {layer}:\n{stats}");
    }
    let read: u64 =
        stats.layers.iter().filter(|layer| layer.is_read).map(|layer| sum(layer, |lane| lane.sent)).sum();
    assert_eq!(read, stats.read, "{name}:\n{stats}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_was_taken_once_the_flow_has_ended() {
    let numbers = || Flow::from_iter(0..5000u32);
    let cases = [
        ("one lane", after(numbers().lanes(1)).await),
        ("lanes", after(numbers().lanes(3).filter(|n| n % 2 == 0)).await),
        ("sources", after(Flow::from_iters([0..70u32, 0..50, 0..9]).lanes(2).map(|n| n)).await),
        ("partition", after(numbers().lanes(2).partition().lanes(3).map(|n| n)).await),
        ("reduced", after(numbers().partition_by(|n| n % 7).lanes(3).count_by(|n| n % 7)).await),
        ("ordered", after(numbers().lanes(3).map_async(4, |n| async move { n }).ordered()).await),
        ("ordered and shuffled", after(numbers().lanes(3).map(|n| n).ordered().shuffle().lanes(2)).await),
        ("merged", after(numbers().lanes(2).merge(numbers().lanes(1)).lanes(5)).await),
        ("merged as they are", after(numbers().lanes(2).merge(numbers().lanes(3)).map(|n| n)).await),
        ("ordered, merged", after(numbers().lanes(3).map(|n| n).ordered().merge(numbers().lanes(2))).await),
        (
            "merged twice",
            after(numbers().lanes(2).merge(numbers().lanes(1)).lanes(4).merge(numbers().lanes(2))).await,
        ),
        (
            "sorted",
            after(
                numbers()
                    .lanes(3)
                    .reduce(Vec::new, |all: &mut Vec<u32>, n| all.push(n))
                    .emit_state()
                    .take_sort(9),
            )
            .await,
        ),
        ("joined", after(numbers().bounded_join(Inner, numbers(), |n: &u32| *n, |n: &u32| *n)).await),
    ];
    for (name, stats) in &cases {
        assert_adds_up(name, stats);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_while_the_flow_starts_sees_what_is_there_by_then() {
    for _ in 0..50 {
        let mut flow = Flow::from_iter(0..100u32).lanes(4).partition().lanes(4).map(|n| n);
        let monitor = flow.monitor();
        let looking = tokio::task::spawn_blocking(move || {
            let mut most = 0;
            while most < 100 {
                most = monitor.stats().read;
            }
            most
        });
        assert_eq!(flow.collect::<Vec<_>>().await.len(), 100);
        assert_eq!(looking.await.unwrap(), 100);
    }
}

#[tokio::test]
async fn layers_come_in_the_order_in_which_they_feed_each_other() {
    let flow = Flow::from_iter(0..100).label("in").lanes(2).partition().lanes(3).label("out").map(|n: u32| n);
    let stats = after(flow).await;
    let layers: Vec<_> = stats
        .layers
        .iter()
        .map(|layer| (layer.label.as_deref(), layer.part, layer.lanes.len(), &layer.feeds[..], layer.is_read))
        .collect();
    assert_eq!(
        layers,
        [
            (Some("in"), LayerPart::Source, 1, &[1][..], false),
            (Some("in"), LayerPart::Lane, 2, &[2], false),
            (Some("out"), LayerPart::Lane, 3, &[], true),
        ]
    );
    assert!(stats.layers.iter().all(|layer| layer.file == file!()));
    let text = stats.to_string();
    assert!(text.contains(&format!("the sources of the layer `in` ({}:", file!())), "{text}");
    assert_eq!(text.matches("ended").count(), 6, "{text}");
    assert!(text.ends_with("read 100, discarded 0, late 0"), "{text}");
}

#[tokio::test]
async fn what_a_reader_that_leaves_did_not_take_is_discarded_and_counted() {
    let mut flow = Flow::from_iter(0..).lanes(1).map(|n: u64| n);
    let monitor = flow.monitor();
    assert_eq!(flow.by_ref().take(10).count().await, 10);
    drop(flow);
    tokio::task::yield_now().await;
    let stats = monitor.stats();
    assert_eq!(stats.layers[0].lanes[0].sent, stats.read + stats.discarded);
    assert!(stats.read >= 10 && stats.discarded > 0, "{stats}");
}

/// What holds a flow up, in 100 ms of the paused clock, after 100 ms to get going.
async fn bottleneck(monitor: &Monitor) -> (BottleneckKind, Option<String>, Option<usize>, String) {
    sleep(100 * MS).await;
    assert!(monitor.stats().bottleneck().is_none(), "the first look starts the clock");
    sleep(100 * MS).await;
    let stats = monitor.stats();
    let found = stats.bottleneck().expect("it was looked at before");
    let label = found.layer.and_then(|layer| stats.layers[layer].label.as_deref().map(String::from));
    (found.kind, label, found.lane, found.to_string())
}

async fn slow<T>(item: T) -> T {
    sleep(MS).await;
    item
}

#[tokio::test(start_paused = true)]
async fn a_slow_operator_in_the_middle_holds_the_flow_up() {
    let mut flow = Flow::from_iter(0u64..)
        .lanes(2)
        .label("in")
        .shuffle()
        .lanes(2)
        .label("slow")
        .demand(8, 4)
        .map_async(2, slow)
        .shuffle()
        .lanes(2)
        .label("out")
        .map(|n| n);
    let monitor = flow.monitor();
    let reading = tokio::spawn(flow.for_each(|_| {}));
    let (kind, label, lane, text) = bottleneck(&monitor).await;
    assert_eq!((kind, label.as_deref(), lane), (BottleneckKind::Layer, Some("slow"), None), "{text}");
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn one_lane_that_has_most_of_the_keys_holds_the_flow_up() {
    let mut flow = Flow::from_iter(0u64..)
        .lanes(1)
        .label("in")
        .partition_with(3, |n| {
            Some(if n % 10 == 0 {
                0
            } else if n % 10 == 1 {
                1
            } else {
                2
            })
        })
        .label("by key")
        .demand(20, 10)
        .map_async(1, slow);
    let monitor = flow.monitor();
    let reading = tokio::spawn(flow.for_each(|_| {}));
    let (kind, label, lane, text) = bottleneck(&monitor).await;
    assert_eq!((kind, label.as_deref(), lane), (BottleneckKind::Lane, Some("by key"), Some(2)), "{text}");
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn a_slow_sink_holds_the_flow_up() {
    let slow_sink = || {
        Box::pin(sink::unfold((), |(), item: u64| async move {
            slow(item).await;
            Ok::<_, ()>(())
        }))
    };
    let mut flow = Flow::from_iter(0u64..).lanes(1).label("in").partition().lanes(2).label("out").map(|n| n);
    let monitor = flow.monitor();
    let writing = tokio::spawn(flow.into_sinks(vec![slow_sink(), slow_sink()]));
    let (kind, label, _, text) = bottleneck(&monitor).await;
    assert_eq!((kind, label.as_deref()), (BottleneckKind::Sink, Some("out")), "{text}");
    assert!(text.starts_with("the sink of the layer `out` ("), "{text}");
    writing.abort();
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_holds_the_flow_up() {
    let mut flow = Flow::from_iter(0u64..).lanes(2).label("in").partition().lanes(2).label("out").map(|n| n);
    let monitor = flow.monitor();
    let reading = tokio::spawn(async move {
        while let Some(item) = flow.next().await {
            slow(item).await;
        }
    });
    let (kind, label, _, text) = bottleneck(&monitor).await;
    assert_eq!((kind, label), (BottleneckKind::Reader, None), "{text}");
    assert_eq!(text, "the reader of the flow: what feeds it waits for it 100 % of the time");
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn a_slow_source_holds_the_flow_up() {
    let source = Box::pin(stream::iter(0u64..).then(slow));
    let mut flow = source.flow().label("in").lanes(2).map(|n| n).partition().lanes(2).label("out").map(|n| n);
    let monitor = flow.monitor();
    let reading = tokio::spawn(flow.for_each(|_| {}));
    let (kind, label, _, text) = bottleneck(&monitor).await;
    assert_eq!((kind, label.as_deref()), (BottleneckKind::Source, Some("in")), "{text}");
    assert!(text.ends_with("): the rest waits for its source, or for what it awaits"), "{text}");
    reading.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_layer_that_runs_its_source_itself_holds_the_flow_up() {
    let busy = |n: u64| (0..200).fold(n, |sum, more| std::hint::black_box(sum.wrapping_add(more)));
    let mut flow = Flow::from_iters([0..u64::MAX, 0..u64::MAX]).lanes(2).label("busy").map(busy);
    let monitor = flow.monitor();
    let reading = tokio::spawn(flow.for_each(|_| {}));
    let mut stats = monitor.stats();
    while stats.layers.iter().all(|layer| layer.busy() < 0.5) {
        tokio::task::yield_now().await;
        stats = monitor.stats();
    }
    let found = stats.bottleneck().expect("it was looked at before");
    assert_eq!((found.kind, found.layer), (BottleneckKind::Layer, Some(0)), "{found}");
    assert!(found.to_string().ends_with("): it is busy, and the rest waits for it"), "{found}");
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn a_slow_sink_of_dead_letters_is_not_blamed_while_no_error_waits_for_it() {
    let never_ready = sink::unfold((), |(), _: String| std::future::pending::<Result<(), ()>>());
    let mut flow = Flow::from_iter(0u64..)
        .lanes(1)
        .label("in")
        .shuffle()
        .lanes(2)
        .label("slow")
        .demand(8, 4)
        .map(Ok::<u64, String>)
        .dead_letters(Box::pin(never_ready))
        .map_async(2, slow);
    let monitor = flow.monitor();
    let reading = tokio::spawn(flow.for_each(|_| {}));
    let (kind, label, _, text) = bottleneck(&monitor).await;
    assert_eq!((kind, label.as_deref()), (BottleneckKind::Layer, Some("slow")), "{text}");
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_a_flow_through_stages_which_are_not_seen() {
    let stage = crate::support::stages::identity().stage().spawn();
    let mut flow = Flow::from_iter(0u64..100).lanes(1).map(|n| n).through_stages([stage]).lanes(1).map(|n| n);
    let monitor = flow.monitor();
    let reading = tokio::spawn(async move {
        while let Some(item) = flow.next().await {
            slow(item).await;
        }
    });
    sleep(10 * MS).await;
    let _ = monitor.stats();
    sleep(10 * MS).await;
    let stats = monitor.stats();
    assert!(stats.layers.iter().any(|layer| layer.part == LayerPart::Subscribing), "{stats}");
    assert!(stats.bottleneck().is_none(), "{stats}");
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn a_layer_shows_the_futures_that_run() {
    let mut flow = Flow::from_iter(0..10u32).lanes(2).map(|n| n).map_async(3, |n| async move {
        sleep(100 * MS).await;
        n
    });
    let monitor = flow.monitor();
    let reader = tokio::spawn(flow.collect::<Vec<_>>());
    sleep(50 * MS).await;
    let stats = monitor.stats();
    let layer = stats.layers.iter().find(|layer| layer.part == LayerPart::Lane).unwrap();
    assert_eq!(layer.lanes.iter().map(|lane| lane.futures).sum::<u64>(), 3, "{stats}");
    assert!(stats.to_string().contains(" futures"), "{stats}");
    assert_eq!(reader.await.unwrap().len(), 10);
    assert!(monitor.stats().layers.iter().flat_map(|layer| &layer.lanes).all(|lane| lane.futures == 0));
}

#[tokio::test(start_paused = true)]
async fn a_layer_shows_its_open_windows_and_the_watermark_of_the_lane_that_is_furthest_back() {
    let seconds = Window::fixed(1000 * MS, |(_, at): &(usize, u64)| *at).allowed_lateness(2000 * MS);
    let items = [(0, 100), (0, 1100), (0, 5000), (1, 200), (1, 2400)];
    let mut flow = stream::iter(items)
        .chain(stream::pending())
        .flow()
        .lanes(1)
        .partition_with(2, |(lane, _): &(usize, u64)| Some(*lane))
        .window(seconds)
        .reduce(|| 0u64, |n, _| *n += 1)
        .emit_state();
    let monitor = flow.monitor();
    let reader = tokio::spawn(async move { while flow.next().await.is_some() {} });
    sleep(50 * MS).await;
    let stats = monitor.stats();
    let layer = stats.layers.last().unwrap();
    let lanes: Vec<_> = layer.lanes.iter().map(|lane| (lane.windows, lane.watermark)).collect();
    assert_eq!(lanes, [(1, Some(5000)), (2, Some(2400))], "{stats}");
    assert_eq!(layer.watermark(), Some(2400));
    assert!(stats.to_string().contains("2 windows  watermark 2400"), "{stats}");
    reader.abort();
}

#[tokio::test]
async fn a_flow_that_failed_says_why_and_where() {
    let mut flow = Flow::from_iter([2, 1, 0]).lanes(1).label("divide").map(|n| 2 / n);
    let monitor = flow.monitor();
    assert_eq!(monitor.stats().failure, None);
    let read = tokio::spawn(flow.collect::<Vec<u32>>()).await;
    assert!(read.unwrap_err().is_panic());
    let failure = monitor.stats().failure.unwrap();
    assert!(failure.starts_with("lane 0 of the layer `divide` (tests/flow/stats.rs:"), "{failure}");
    assert!(failure.ends_with(") panicked: attempt to divide by zero"), "{failure}");
    assert!(monitor.stats().to_string().ends_with(&format!("failed: {failure}")));

    let handle = Flow::from_iter(0..).lanes(1).map(|n: u64| 7 / (50 - n)).start();
    let error = handle.wait().await.unwrap_err();
    assert_eq!(*handle.stats().failure.unwrap(), *error.to_string());
}

#[tokio::test(start_paused = true)]
async fn its_numbers_go_to_metrics_under_their_names() {
    let mut flow = Flow::from_iter(0..7u64)
        .label("in")
        .lanes(1)
        .partition_with(1, |_| Some(0))
        .window(Window::fixed(1000 * MS, |n: &u64| *n))
        .reduce(|| 0u64, |n, _| *n += 1)
        .emit_state();
    let monitor = flow.monitor();
    assert!(MetricsBoard::of(|| monitor.stats().record_metrics("f")).values().all(|number| *number == 0.0));
    assert_eq!(flow.by_ref().collect::<Vec<_>>().await, [7]);
    let stats = monitor.stats();
    let numbers = MetricsBoard::of(|| stats.record_metrics("f"));
    let below = format!("layer={}:{},part=lane,lane=0", file!(), stats.layers[1].line);
    let expected = [
        ("gen_stage_flow_discarded_total{flow=f}".to_owned(), 0.0),
        ("gen_stage_flow_failed{flow=f}".into(), 0.0),
        ("gen_stage_flow_late_total{flow=f}".into(), 0.0),
        ("gen_stage_flow_read_total{flow=f}".into(), 1.0),
        ("gen_stage_flow_replaced_total{flow=f}".into(), 0.0),
        ("gen_stage_flow_sent_total{flow=f,layer=in,part=lane,lane=0}".into(), 7.0),
        (format!("gen_stage_flow_taken_total{{flow=f,{below}}}"), 7.0),
        (format!("gen_stage_flow_watermark_milliseconds{{flow=f,{below}}}"), 6.0),
        (format!("gen_stage_flow_waiting{{flow=f,{below}}}"), 0.0),
    ];
    for (name, number) in expected {
        assert_eq!(numbers.get(&name), Some(&number), "{name} of {numbers:#?}");
    }
    // Nine numbers for each lane, one watermark, and five for the flow.
    assert_eq!(numbers.len(), 2 * 9 + 1 + 5, "{numbers:#?}");
}

#[tokio::test]
async fn a_flow_that_was_aborted_has_not_failed() {
    let endless = || {
        Flow::from_iter(0..).lanes(1).map_async(1, |n: u64| async move {
            sleep(MS).await;
            n
        })
    };
    let handle = endless().start();
    let monitor = handle.monitor();
    handle.abort();
    assert!(handle.wait().await.is_err());
    assert_eq!(monitor.stats().failure, None);
    let handle = endless().start();
    let monitor = handle.monitor();
    drop(handle);
    tokio::task::yield_now().await;
    assert_eq!(monitor.stats().failure, None);
}

#[test]
fn a_flow_whose_runtime_is_gone_says_so_to_those_who_look() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let flow = stream::pending::<u32>().flow().lanes(1).map(|n| n).on(runtime.handle().clone()).start();
    drop(runtime);
    let error = futures::executor::block_on(flow.wait()).unwrap_err();
    assert_eq!(*flow.stats().failure.unwrap(), *error.to_string());
}

#[tokio::test]
async fn a_flow_that_cannot_start_says_why() {
    let mut flow = Flow::from_iter(0..3u32).lanes(1).per_lane(|lane| {
        assert!(std::env::var_os("GEN_STAGE_HAS_NO_SUCH_LANE").is_some(), "no such lane");
        lane
    });
    let monitor = flow.monitor();
    assert!(tokio::spawn(flow.collect::<Vec<_>>()).await.unwrap_err().is_panic());
    let failure = monitor.stats().failure.unwrap();
    assert!(failure.starts_with("the start of the flow panicked: "), "{failure}");
    assert!(failure.contains("no such lane"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn what_lanes_have_is_shown_at_the_lanes_where_others_of_the_layer_feed_them() {
    let numbers = || Flow::from_iter(0..30u32).lanes(1).map(|n| n);
    let mut flow = numbers().merge(numbers()).lanes(3).map_async(6, |n| async move {
        sleep(100 * MS).await;
        n
    });
    let monitor = flow.monitor();
    let reader = tokio::spawn(flow.collect::<Vec<_>>());
    sleep(50 * MS).await;
    let stats = monitor.stats();
    let futures = |layer: &LayerStats| layer.lanes.iter().map(|lane| lane.futures).sum::<u64>();
    let (last, others) = stats.layers.split_last().unwrap();
    assert_eq!((last.lanes.len(), futures(last)), (3, 6), "{stats}");
    assert_eq!(others.iter().map(futures).sum::<u64>(), 0, "{stats}");
    reader.abort();
}
