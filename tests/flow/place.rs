//! Where a failure was: each error of a flow says it, and so does the log; also when it was in a stage.

use crate::support::Lines;
use futures::{FutureExt, StreamExt, sink, stream};
use gen_stage::flow::{FlowError, FullOuter, Inner, Throttle};
use gen_stage::prelude::*;
use gen_stage::stage::{self, Output, ProducerHandle, Setup, Upstream, from_iter, from_stream};
use gen_stage::window::Window;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, panic_any};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn broken(n: u32) -> u32 {
    assert_ne!(n, 7, "no sevens");
    n
}

fn numbers() -> std::ops::Range<u32> {
    0..20
}

/// What a flow that has failed says: the file is this one, and of the line it is known only that it is there.
async fn place<P>(flow: Flow<P>) -> String
where
    P: gen_stage::flow::Readable<Item: Send + 'static>,
{
    let error = flow.named("test").start().wait().await.unwrap_err();
    let FlowError::Panicked(panic) = &error else { panic!("{error}") };
    let place = panic.place().expect("it is known").to_owned();
    assert_eq!(error.to_string(), format!("{place} panicked: {}", panic.message()));
    let at = place.find(file!()).unwrap_or_else(|| panic!("{place} is in another file"));
    let line = &place[at + file!().len()..];
    let digits = line[1..].find(|c: char| !c.is_ascii_digit()).unwrap();
    assert!(digits > 0, "{place}");
    format!("{}FILE{}", &place[..at], &line[1 + digits..])
}

#[tokio::test]
async fn an_error_names_the_lane_its_layer_and_the_flow() {
    let one = || Flow::from_iter(numbers()).lanes(1);
    let cases = [
        ("lane 0 of the layer at FILE of the flow `test`", place(one().map(broken)).await),
        ("lane 0 of the layer `map` (FILE) of the flow `test`", place(one().label("map").map(broken)).await),
        (
            "lane 0 of the layer `map` (FILE) of the flow `test`",
            place(one().map(broken).label("map").partition().lanes(2)).await,
        ),
        (
            "lane 0 of the layer `second` (FILE) of the flow `test`",
            place(one().label("first").partition().lanes(1).label("second").map(broken)).await,
        ),
        (
            "source 0 of the layer `two` (FILE) of the flow `test`",
            place(Flow::from_iter(numbers().map(broken)).label("two").lanes(2).map(|n| n)).await,
        ),
        (
            "lane 0 of the layer `shuffled` (FILE) of the flow `test`",
            place(one().shuffle().lanes(1).label("shuffled").map(broken)).await,
        ),
        (
            "lane 0 of the layer `in order` (FILE) of the flow `test`",
            place(one().label("in order").map(broken).ordered()).await,
        ),
        (
            // Both sides of a join are brought together, where it was called, before its lanes.
            "lane 0 of the layer at FILE of the flow `test`",
            place(one().bounded_join(Inner, Flow::from_iter([1]), |n| broken(*n), |n| *n).lanes(1)).await,
        ),
        (
            "lane 0 of the layer `sums` (FILE) of the flow `test`",
            place(
                one()
                    .partition()
                    .lanes(1)
                    .label("sums")
                    .reduce(|| 0, |sum, n| *sum += broken(n))
                    .emit_state(),
            )
            .await,
        ),
        (
            "lane 0 of the layer `words` (FILE) of the flow `test`",
            place(one().label("words").combine(
                10,
                |counts, n| *counts.at_owned(broken(n)) += 1,
                |count: &mut u32, more| *count += more,
            ))
            .await,
        ),
        (
            "lane 0 of the layer `merged` (FILE) of the flow `test`",
            place(one().merge(one()).lanes(1).label("merged").map(broken)).await,
        ),
        (
            "lane 0 of the layer `joined` (FILE) of the flow `test`",
            place(
                one()
                    .bounded_join(FullOuter, one(), |n| *n, |n| *n)
                    .lanes(1)
                    .label("joined")
                    .inspect(|row| _ = broken(row.0.unwrap())),
            )
            .await,
        ),
        (
            "the sink of dead letters of the layer `letters` (FILE) of the flow `test`",
            place(one().label("letters").map(|n| if n == 7 { Err(n) } else { Ok(n) }).dead_letters(
                Box::pin(sink::unfold((), |(), n: u32| async move {
                    broken(n);
                    Ok::<_, std::convert::Infallible>(())
                })),
            ))
            .await,
        ),
        (
            "lane 0 of the layer `asked` (FILE) of the flow `test`",
            place(one().label("asked").map_async(4, |n| async move { broken(n) })).await,
        ),
        (
            "a future of lane 0 of the layer `asked` (FILE) of the flow `test`",
            place(one().label("asked").map_async(4, |n| async move {
                tokio::task::yield_now().await;
                broken(n)
            }))
            .await,
        ),
    ];
    for (expected, found) in cases {
        assert_eq!(found, expected);
    }
}

/// One lane, in a layer of its own, whose label is `it`.
const IT: &str = "lane 0 of the layer `it` (FILE) of the flow `test`";

#[tokio::test]
async fn a_panic_in_whatever_a_layer_is_made_of_names_it() {
    let one = || Flow::from_iter(numbers()).lanes(1).label("it");
    let below = || Flow::from_iter(numbers()).lanes(1).shuffle().lanes(1).label("it");
    let cases = [
        ("stream", place(stream::iter(numbers().map(broken)).flow().lanes(1).label("it").map(|n| n)).await),
        ("filter", place(one().filter(|n| broken(*n) > 0)).await),
        ("reject", place(one().reject(|n| broken(*n) > 99)).await),
        ("filter_map", place(one().filter_map(|n| Some(broken(n)))).await),
        ("flat_map", place(one().flat_map(|n| [broken(n)])).await),
        ("inspect", place(one().inspect(|n| _ = broken(*n))).await),
        ("map_batch", place(below().map_batch(|all| all.into_iter().map(broken).collect::<Vec<_>>())).await),
        ("per_lane", place(one().per_lane(|lane| lane.map(broken))).await),
        ("batch_by_weight", place(one().batch_by_weight(3, |n| u64::from(broken(*n)))).await),
        (
            "throttle",
            place(one().throttle(Throttle::per_second(1_000_000)).cost(|n| u64::from(broken(*n)))).await,
        ),
        ("uniq_by", place(one().uniq_by(|n| broken(*n))).await),
        ("map_ok", place(one().map(Ok::<_, u32>).map_ok(broken)).await),
        ("flat_map_ok", place(one().map(Ok::<_, u32>).flat_map_ok(|n| [broken(n)])).await),
        ("map_err", place(one().map(Err::<u32, _>).map_err(broken)).await),
        ("try_map", place(one().map(Ok::<_, u32>).try_map(|n| Ok(broken(n)))).await),
        ("try_filter_map", place(one().map(Ok::<_, u32>).try_filter_map(|n| Ok(Some(broken(n))))).await),
        ("filter_map_async", place(one().filter_map_async(4, |n| async move { Some(broken(n)) })).await),
        ("key of the partition below", place(one().map(|n| n).partition_by(|n| broken(*n)).lanes(2)).await),
        ("route", place(one().map(|n| n).partition_with(2, |n| Some((broken(*n) % 2) as usize))).await),
        (
            "window",
            place(
                one().window(Window::fixed(MS, |n: &u32| i64::from(broken(*n)))).reduce(Vec::new, Vec::push),
            )
            .await,
        ),
        ("trigger", place(one().reduce(Vec::new, Vec::push).on_trigger(|all, _| [broken(all[7])])).await),
        (
            "merge_states",
            place(
                one()
                    .window(
                        Window::session(10 * MS, |_: &u32| 0, |n| i64::from([0, 15, 8][*n as usize % 3]))
                            .allowed_lateness(100 * MS),
                    )
                    .reduce(Vec::new, Vec::push)
                    .merge_states(|_, _| _ = broken(7)),
            )
            .await,
        ),
        ("group_by", place(one().group_by(|n| broken(*n))).await),
        ("count_by", place(one().count_by(|n| broken(*n))).await),
        ("sum_by", place(one().sum_by(|n| (broken(n), 1_u32))).await),
        ("emit_and_reduce", place(one().emit_and_reduce(|| (), |(), n| [broken(n)]).emit_nothing()).await),
    ];
    for (name, found) in cases {
        assert_eq!(found, IT, "{name}");
    }
}

#[tokio::test]
async fn a_panic_beside_the_lanes_names_what_it_is() {
    let one = || Flow::from_iter(numbers()).lanes(1).label("it");
    let second =
        Flow::from_streams([stream::iter(0..3).boxed(), stream::iter(numbers()).map(broken).boxed()]);
    let cases = [
        (
            "source 1 of the layer `it` (FILE) of the flow `test`",
            place(second.lanes(3).label("it").map(|n| n)).await,
        ),
        (
            "lane 0 of the layer `sums` (FILE) of the flow `test`",
            place(
                one()
                    .combine(3, |table, n| *table.at_owned(n % 5) += 1, |_: &mut u32, _| _ = broken(7))
                    .lanes(1)
                    .label("sums"),
            )
            .await,
        ),
    ];
    for (expected, found) in cases {
        assert_eq!(found, expected);
    }
    // What it calls may have come back before it was looked at first: then it is no future of its own.
    let found = place(one().map_blocking(2, broken)).await;
    assert!(found == IT || found == format!("a future of {IT}"), "{found}");
}

/// What those who look see of a flow that fails while it is being finished.
async fn seen<P, R, F>(mut flow: Flow<P>, finish: impl FnOnce(Flow<P>) -> F) -> String
where
    P: gen_stage::flow::Readable,
    F: Future<Output = R>,
{
    let monitor = flow.monitor();
    // A panic, or an error of the sink, which goes to the caller.
    _ = AssertUnwindSafe(finish(flow.named("test"))).catch_unwind().await;
    let failure = monitor.stats().failure.expect("it has failed");
    let (place, rest) = failure.split_once(&format!("({}:", file!())).unwrap_or_else(|| panic!("{failure}"));
    format!("{place}(FILE{}", &rest[rest.find(')').unwrap()..])
}

#[tokio::test]
async fn whatever_ends_a_flow_is_seen_with_its_place() {
    let one = || Flow::from_iter(numbers()).lanes(1).label("it");
    let panicked = format!("{IT} panicked: ");
    let sink =
        || Box::pin(sink::unfold((), |(), n: u32| async move { if n == 7 { Err(n) } else { Ok(()) } }));
    let sinks = || Box::pin(sink::unfold((), |(), n: u32| async move { Ok::<_, Infallible>(_ = broken(n)) }));
    let cases = [
        ("for_each", &*panicked, seen(one(), |flow| flow.for_each(|n| _ = broken(n))).await),
        (
            "for_each_async",
            &panicked,
            seen(one(), |flow| flow.for_each_async(1, |n| async move { _ = broken(n) })).await,
        ),
        ("count", &panicked, seen(one().map(broken), Flow::count).await),
        ("sum", &panicked, seen(one().map(broken), Flow::sum::<u32>).await),
        ("max_by_key", &panicked, seen(one(), |flow| flow.max_by_key(|n| broken(*n))).await),
        ("collect", &panicked, seen(one().map(broken), Flow::collect::<Vec<_>>).await),
        ("a sink that panics", &panicked, seen(one(), |flow| flow.into_sinks(vec![sinks()])).await),
        (
            "into_sinks",
            "the sink of lane 0 of the layer `it` (FILE) of the flow `test` failed, and its error went to the caller",
            seen(one(), |flow| flow.into_sinks(vec![sink()])).await,
        ),
        (
            "forward",
            "the sink of the layer `it` (FILE) of the flow `test` failed, and its error went to the caller",
            seen(one(), |flow| flow.forward(sink())).await,
        ),
    ];
    for (name, expected, found) in cases {
        assert!(found.starts_with(expected), "{name}: {found}");
    }
}

/// What a flow says that has failed by a stage, or by a panic in another flow.
async fn error_of<P>(flow: Flow<P>) -> String
where
    P: gen_stage::flow::Readable<Item: Send + 'static>,
{
    flow.named("test").start().wait().await.unwrap_err().to_string()
}

fn without_line(text: &str) -> String {
    let (before, rest) = text.split_once(&format!("{}:", file!())).unwrap_or_else(|| panic!("{text}"));
    format!("{before}FILE{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
}

fn one() -> Flow<impl gen_stage::flow::Flowing<Item = u32>> {
    Flow::from_iter(numbers()).lanes(1).map(|n| n)
}

fn seven(n: u32) -> u32 {
    if n == 7 { panic_any("seven") } else { n }
}

/// A producer that fails with an error.
struct Failing;

impl Producer for Failing {
    type Item = u32;
    async fn handle_demand(&mut self, _: usize, _: &mut Output<u32>) -> stage::Result {
        Err("no paper".into())
    }
}

/// A producer-consumer that panics at 7.
struct Middle;

impl ProducerConsumer for Middle {
    type Input = u32;
    type Item = u32;
    async fn handle_items(&mut self, items: Vec<u32>, _: &Upstream, out: &mut Output<u32>) -> stage::Result {
        out.extend(items.into_iter().map(seven));
        Ok(())
    }
}

/// A producer-consumer that passes everything on.
struct Passing;

impl ProducerConsumer for Passing {
    type Input = u32;
    type Item = u32;
    async fn handle_items(&mut self, items: Vec<u32>, _: &Upstream, out: &mut Output<u32>) -> stage::Result {
        out.emit(items);
        Ok(())
    }
}

/// What comes from a producer by way of a stage.
fn read_by_another(producer: &ProducerHandle<u32>) -> Flow<impl gen_stage::flow::Flowing<Item = u32>> {
    Flow::from_stages([Passing.stage().label("passing").subscribe_to(producer.subscribe()).spawn()])
}

#[tokio::test]
async fn a_flow_that_fails_by_a_stage_names_the_stage_once() {
    let streamed = || from_stream(stream::iter(numbers()).map(seven)).stage().label("numbers").spawn();
    let whole = || from_iter(numbers()).stage().label("whole").spawn();
    let middle = || Middle.stage().label("middle").spawn();
    let panicked = "the producer `numbers` panicked: seven";
    let through = "the producer-consumer `middle` panicked: seven";
    let lane = "lane 0 of the layer `it` (FILE) of the flow `test` panicked: ";
    let failing = Failing.stage().label("numbers").spawn();
    let again = Failing.stage().label("numbers").spawn();
    let gone = whole();
    gone.shutdown().await;
    let cases = [
        ("read by a lane", panicked.into(), error_of(Flow::from_stages([streamed()]).lanes(1)).await),
        (
            "read by a task",
            panicked.into(),
            error_of(Flow::from_stages([streamed(), whole()]).lanes(5)).await,
        ),
        (
            "after a partition",
            panicked.into(),
            error_of(Flow::from_stages([streamed()]).partition().lanes(2)).await,
        ),
        ("a stage in between", through.into(), error_of(one().through_stages([middle()]).lanes(1)).await),
        (
            "a lane above the stage",
            format!("{lane}seven"),
            without_line(
                &error_of(one().label("it").map(seven).through_stages([Passing.stage().spawn()])).await,
            ),
        ),
        (
            "an error",
            format!("{lane}the producer `numbers` failed: no paper"),
            without_line(&error_of(Flow::from_stages([failing]).lanes(1).label("it").map(|n| n)).await),
        ),
        (
            "an error that came to the reader of a reader",
            format!("{lane}the producer `numbers` failed: no paper"),
            without_line(&error_of(read_by_another(&again).lanes(1).label("it").map(|n| n)).await),
        ),
        (
            "the end of a stage",
            format!(
                "{lane}a subscription to the producer `whole` ended before it was done: the producer had already ended"
            ),
            without_line(&error_of(Flow::from_stages([gone]).lanes(1).label("it").map(|n| n)).await),
        ),
    ];
    for (what, expected, found) in cases {
        assert_eq!(found, expected, "{what}");
    }
}

#[tokio::test]
async fn a_panic_in_a_flow_that_is_a_stage_names_its_lane_however_far_it_goes() {
    let expected = "lane 0 of the layer `it` (FILE) of the flow `inner` panicked: seven";
    let flow = one().label("it").map(seven).named("inner").into_stage();
    let flow = flow.set_up(Setup::accumulate).await.unwrap();
    let passing = Passing.stage().label("passing").subscribe_to(flow.subscribe()).spawn();
    let outer = Flow::from_stages([passing.clone()]).named("outer").start();
    // The flow has subscribed once it has run.
    while passing.status().await.unwrap().consumers.is_empty() {}
    flow.forward();
    let texts = [
        flow.wait().await.unwrap_err().to_string(),
        passing.wait().await.to_string(),
        outer.wait().await.unwrap_err().to_string(),
    ];
    assert_eq!(texts.map(|text| without_line(&text)), [expected; 3]);
}

#[tokio::test]
async fn a_panic_while_the_lanes_of_a_flow_that_is_a_stage_are_built_says_so() {
    let flow = one().scan(|| -> u64 { panic!("no state") }, |_, n| Some(n)).named("inner").into_stage();
    let flow = flow.await.unwrap();
    let read = flow.subscribe().await.unwrap().fallible().next().await;
    let expected = "the start of the flow panicked: no state";
    assert_eq!(read.unwrap().unwrap_err().to_string(), expected);
    assert_eq!(flow.wait().await.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn the_log_says_which_stage_it_was_and_which_lane_read_it() {
    let lines = Lines::listen();
    let numbers = from_stream(stream::iter(numbers()).map(seven)).stage().label("numbers").spawn();
    let flow = Flow::from_stages([numbers]).lanes(1).label("it").map(|n| n).named("test");
    let payload = AssertUnwindSafe(flow.collect::<Vec<_>>()).catch_unwind().await.unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"seven"), "its reader gets the panic as it was");
    let said = lines.with("a lane of a flow panicked");
    assert_eq!(said.len(), 1, "{said:?}");
    for part in ["ERROR", "the producer `numbers`", "raised_in=", "lane 0 of the layer `it` (", "seven"] {
        assert!(said[0].contains(part), "{part}: {said:?}");
    }
}

#[tokio::test]
async fn a_boxed_flow_keeps_the_names_of_its_layers() {
    let flow = Flow::from_iter(numbers()).lanes(1).label("inner").map(broken).boxed().map(|n| n);
    assert_eq!(place(flow).await, "lane 0 of the layer `inner` (FILE) of the flow `test`");
}

#[tokio::test]
async fn the_first_of_two_names_counts_for_flows_that_become_one() {
    let named = |name| Flow::from_iter(numbers()).lanes(1).map(broken).named(name);
    let error = named("left").merge(named("right")).start().wait().await.unwrap_err().to_string();
    assert!(error.contains("of the flow `left`"), "{error}");
}

#[tokio::test]
async fn whoever_reads_gets_the_panic_as_it_was_and_the_log_says_where() {
    let lines = Lines::listen();
    let flow = Flow::from_iter(numbers()).lanes(1).label("map").map(broken).named("test");
    let read = futures::FutureExt::catch_unwind(AssertUnwindSafe(flow.collect::<Vec<_>>()));
    let payload = read.await.unwrap_err();
    assert!(payload.downcast_ref::<String>().unwrap().contains("no sevens"));
    let said = lines.with("a lane of a flow panicked");
    assert_eq!(said.len(), 1, "{said:?}");
    for part in ["ERROR", "lane 0 of the layer `map` (", "of the flow `test`", "no sevens"] {
        assert!(said[0].contains(part), "{part}: {said:?}");
    }
}

#[tokio::test]
async fn each_task_has_a_span_with_its_place() {
    let lines = Lines::listen();
    let flow =
        Flow::from_iter(numbers()).lanes(1).partition().lanes(2).label("sums").map(|n| n).named("test");
    assert_eq!(flow.count().await, 20);
    let spans = lines.spans();
    let place = |span: &String| {
        let (before, after) = span.split_once(" opened=").unwrap();
        format!("{before} …{}", &after[after.find(" lane=").unwrap()..])
    };
    let mut spans: Vec<_> = spans.iter().map(place).collect();
    spans.sort();
    assert_eq!(
        spans,
        [
            "DEBUG lane flow=\"test\" layer=\"sums\" … lane=0",
            "DEBUG lane flow=\"test\" layer=\"sums\" … lane=1",
            "DEBUG lane flow=\"test\" … lane=0",
        ]
    );
}

#[test]
#[should_panic(expected = "another name")]
fn a_flow_that_is_being_read_takes_no_name() {
    let mut flow = Flow::from_iter(numbers()).map(|n| n);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { futures::StreamExt::next(&mut flow).await });
    let _ = flow.named("late");
}

#[tokio::test(start_paused = true)]
async fn futures_run_in_the_span_of_their_lane_wherever_they_are_polled() {
    let lines = Lines::listen();
    let within = lines.within();
    let flow = Flow::from_iter(0..2u32).lanes(1).label("ask").map_async(2, move |_| {
        let within = within.clone();
        async move {
            let at_first = within();
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            (at_first, within())
        }
    });
    for (at_first, later) in flow.collect::<Vec<_>>().await {
        assert_eq!(at_first, later);
        let [lane] = &later[..] else { panic!("{later:?}") };
        assert!(lane.starts_with("DEBUG lane layer=\"ask\" opened="), "{lane}");
    }
}
