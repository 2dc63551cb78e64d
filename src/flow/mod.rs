//! Parallel streams: [`Flow`] and its operators.
//!
//! A flow is a description of lanes: sources, then layers of operators. Nothing runs before it is polled; then every
//! lane runs in a task of its own, and the flow is the [`Stream`] of what comes out of the last lanes.
//!
//! ```text
//!               layer 1                  layer 2
//!  source ──┬── map ── filter ──┐   ┌── reduce ──┐
//!           │   (lane 0)        ├─╳─┤  (lane 0)  ├── the reader
//!           └── map ── filter ──┘   └── reduce ──┘
//!       demand                 partition       merge
//! ```
//!
//! Operators of one layer are compiled into one loop per lane. Only between layers do items cross tasks: in batches,
//! and never more than the next layer has [asked for](crate::demand).
//!
//! ```
//! use gen_stage::prelude::*;
//!
//! # tokio_test::block_on(async {
//! let mut last_digits: Vec<(u64, u64)> = futures::stream::iter(1..=100)
//!     .flow() // layer 1: lanes on all cores
//!     .map(|n: u64| n * n)
//!     .filter(|n| n % 2 == 0)
//!     .partition_by(|n| n % 10) // layer 2: each digit has its lane
//!     .count_by(|n| n % 10)
//!     .collect()
//!     .await;
//! last_digits.sort();
//! assert_eq!(last_digits, [(0, 10), (4, 20), (6, 20)]);
//! # });
//! ```
//!
//! # Sources
//! Every `Stream` is a source, and so is every iterator. What other crates have is not made again here:
//!
//! | from | write |
//! |---|---|
//! | an iterator, a range, a `Vec` | [`Flow::from_iter`] |
//! | a function, called again and again | [`Flow::from_iter`]`(std::iter::from_fn(f))` |
//! | an async function with a state: a cursor, the next page | `futures::stream::unfold(state, f).flow()`, or `try_unfold` |
//! | code that yields | `async_stream::stream! { … }.flow()` |
//! | the clock | `IntervalStream::new(tokio::time::interval(period)).flow()` (tokio-stream) |
//! | a channel | `ReceiverStream::new(receiver).flow()` (tokio-stream); see [`ends`](crate::ends#a-channel-as-the-source) |
//! | tokio's `broadcast` | `BroadcastStream::new(receiver).flow()` (tokio-stream): what was missed is an error |
//! | text: a file, a socket, standard input; its lines | [`blocks`](crate::blocks)`(reader).flow()`, and [`flat_map_ok`](Flow::flat_map_ok)`(Block::into_lines)`; all files below a folder: [`files`](crate::files) |
//! | bytes in frames | `FramedRead::new(reader, codec).flow()` (tokio-util) |
//! | several of one kind, one lane each | [`Flow::from_iters`], [`Flow::from_streams`] |
//! | producers that run as stages | [`Flow::from_stages`] |
//! ```
//! use futures::{StreamExt, stream};
//! use gen_stage::prelude::*;
//! use std::time::Duration;
//! use tokio_stream::wrappers::IntervalStream;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
//! // Page after page, until one says that it is the last.
//! async fn page(number: u32) -> (Vec<u32>, Option<u32>) {
//!     (vec![number * 2, number * 2 + 1], Some(number + 1).filter(|next| *next < 3))
//! }
//! let pages = stream::unfold(Some(0), async |next| {
//!     let (items, next) = page(next?).await;
//!     Some((items, next))
//! });
//! let items = pages.flow().lanes(1).flat_map(|items| items);
//! assert_eq!(items.collect::<Vec<_>>().await, [0, 1, 2, 3, 4, 5]);
//!
//! // Once a minute.
//! let ticks = IntervalStream::new(tokio::time::interval(Duration::from_secs(60)));
//! assert_eq!(ticks.take(3).flow().map_async(1, async |_tick| "polled").count().await, 3);
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Operators by purpose
//! | to | use |
//! |---|---|
//! | start | [`.flow()`](crate::StreamFlow::flow), [`from_iter`](Flow::from_iter), [`from_iters`](Flow::from_iters), [`from_streams`](Flow::from_streams), [`from_stages`](Flow::from_stages) |
//! | work item by item | [`map`](Flow::map), [`filter`](Flow::filter), [`reject`](Flow::reject), [`filter_map`](Flow::filter_map), [`flat_map`](Flow::flat_map), [`inspect`](Flow::inspect), [`map_values`](Flow::map_values), [`uniq`](Flow::uniq), [`uniq_by`](Flow::uniq_by), [`dedup`](Flow::dedup), [`dedup_by`](Flow::dedup_by) |
//! | take some of the items, number them | [`take`](Flow::take), [`skip`](Flow::skip), [`take_while`](Flow::take_while), [`skip_while`](Flow::skip_while), [`enumerate`](Flow::enumerate) |
//! | keep a state in each lane | [`scan`](Flow::scan); per key, [`emit_and_reduce`](Flow::emit_and_reduce) |
//! | await something for each item | [`map_async`](Flow::map_async), [`filter_map_async`](Flow::filter_map_async), [`try_map_async`](Flow::try_map_async); one after the other, [`then`](Flow::then) |
//! | block a thread for each item | [`map_blocking`](Flow::map_blocking) |
//! | bring all lanes back into source order | [`ordered`](Flow::ordered) |
//! | work on `Result`s, as a source or a `map` makes them | [`map_ok`](Flow::map_ok), [`flat_map_ok`](Flow::flat_map_ok), [`map_err`](Flow::map_err), [`try_map`](Flow::try_map), [`try_filter_map`](Flow::try_filter_map) |
//! | say what becomes of errors | [`skip_errors`](Flow::skip_errors), [`dead_letters`](Flow::dead_letters), [`Retry`], [`try_collect`](Flow::try_collect), [`try_for_each`](Flow::try_for_each) |
//! | set size and rate | [`batch`](Flow::batch), [`batch_by_weight`](Flow::batch_by_weight), [`within`](Flow::within), [`throttle`](Flow::throttle), [`cost`](Flow::cost) |
//! | hold one rate over several flows, and for what is tried again | [`Throttle`], [`Throttle::acquire`] |
//! | let the source go on while the reader is slow | [`conflate`](Flow::conflate), [`keep_newest`](Flow::keep_newest) |
//! | take the newest item by the clock | [`sample`](Flow::sample), [`debounce`](Flow::debounce) |
//! | work on batches, or with any `Stream` adapter | [`map_batch`](Flow::map_batch), [`per_lane`](Flow::per_lane) |
//! | open the next layer | [`partition`](Flow::partition), [`partition_by`](Flow::partition_by), [`partition_by_ref`](Flow::partition_by_ref), [`partition_with`](Flow::partition_with), [`shuffle`](Flow::shuffle) |
//! | bring flows together | [`merge`](Flow::merge), [`zip`](Flow::zip), [`bounded_join`](Flow::bounded_join), [`window_join`](Flow::window_join), [`bounded_join_ref`](Flow::bounded_join_ref), [`window_join_ref`](Flow::window_join_ref) |
//! | cut into windows | [`window`](Flow::window), [`window_by`](Flow::window_by), and the module [`window`](crate::window) |
//! | bring items together | [`reduce`](Flow::reduce), [`emit_and_reduce`](Flow::emit_and_reduce), [`group_by`](Flow::group_by), [`group_by_key`](Flow::group_by_key), [`count_by`](Flow::count_by), [`sum_by`](Flow::sum_by), [`group_by_ref`](Flow::group_by_ref), [`count_by_ref`](Flow::count_by_ref), [`sum_by_ref`](Flow::sum_by_ref), [`top_by_key`](Flow::top_by_key), [`combine`](Flow::combine) |
//! | say what comes out | [`emit_state`](Flow::emit_state), [`on_trigger`](Flow::on_trigger), [`emit_nothing`](Flow::emit_nothing), [`with_window`](Flow::with_window), [`merge_states`](Flow::merge_states) |
//! | bring lanes together | [`departition`](Flow::departition), [`take_sort`](Flow::take_sort), [`take_sort_by`](Flow::take_sort_by) |
//! | set the layer up | [`lanes`](Flow::lanes), [`demand`](Flow::demand), [`on`](Flow::on), [`on_init`](Flow::on_init) |
//! | have errors and logs say where | [`named`](Flow::named), [`label`](Flow::label) |
//! | see what it is made of | [`describe`](Flow::describe), [`Monitor::topology`], [`FlowHandle::topology`] |
//! | see what it does, and what holds it up | [`monitor`](Flow::monitor), [`Monitor::stats`], [`FlowHandle::stats`], [`FlowStats::bottleneck`] |
//! | finish | [`collect`](Flow::collect), [`for_each`](Flow::for_each), [`for_each_async`](Flow::for_each_async), [`run`](Flow::run), [`forward`](Flow::forward), [`into_sinks`](Flow::into_sinks), [`count`](Flow::count), [`sum`](Flow::sum), [`min_by_key`](Flow::min_by_key), [`max_by_key`](Flow::max_by_key), or [`into_stream`](Flow::into_stream) and any `StreamExt` |
//! | run in the background, shut down | [`start`](Flow::start), [`stop_when`](Flow::stop_when) |
//! | hand to a function, keep in a field, choose by configuration | [`Flowing`], [`InOrder`], [`Readable`]; [`boxed`](Flow::boxed), [`boxed_in_order`](Flow::boxed_in_order) |
//! | pass through stages, into stages | [`through_stages`](Flow::through_stages), [`into_stages`](Flow::into_stages), [`into_stage`](Flow::into_stage) |
//!
//! # What ends parallelism
//! A flow is a `Stream`, so every adapter of `StreamExt` can be called on it. An adapter that [`Flow`] has no method
//! for reads the flow. It runs in the one task that reads, and so does all that is chained after it, even a `map`.
//!
//! | in the chain | what comes after it runs | to keep all lanes at work |
//! |---|---|---|
//! | `chunks`, `step_by`, `fold`, `peekable` and all that [`Flow`] does not have | where the flow is read, item by item | put it before `.flow()`, or at the very end; in a lane by [`per_lane`](Flow::per_lane); or begin a new flow after it: `.chunks(40).flow()` |
//! | [`into_stream`](Flow::into_stream) | the same | it is meant for the end |
//! | [`ordered`](Flow::ordered) | in one lane | do the heavy work before it, or [`shuffle`](Flow::shuffle) after it |
//! | [`zip`](Flow::zip) | in all lanes; what makes the pairs is one task, after both flows were put in order | do the heavy work before or after it |
//! | [`departition`](Flow::departition), [`take_sort`](Flow::take_sort) | in one lane | as `ordered` |
//! | [`conflate`](Flow::conflate), [`keep_newest`](Flow::keep_newest), [`sample`](Flow::sample), [`debounce`](Flow::debounce) | in one lane | `lanes` after it |
//! | [`lanes(1)`](Flow::lanes) | in one lane | leave it out, or `shuffle` after it |
//! | a partition by few keys | in as many lanes as there are keys with items | partition by more keys |
//! | [`collect`](Flow::collect), [`forward`](Flow::forward), `next` | lanes go on in parallel; what they made is read by one task | [`for_each`](Flow::for_each), [`into_sinks`](Flow::into_sinks), [`count`](Flow::count), [`sum`](Flow::sum) run in the lanes |
//! ```
//! use futures::StreamExt;
//! use gen_stage::prelude::*;
//!
//! fn heavy(n: u64) -> u64 {
//!     n * n
//! }
//!
//! # tokio_test::block_on(async {
//! // In one task: `chunks` reads the flow.
//! let one_by_one = Flow::from_iter(0..40).lanes(4).chunks(10).map(|some| some.into_iter().map(heavy).sum::<u64>());
//! // On four lanes.
//! let in_parallel = Flow::from_iter(0..).take(40).lanes(4).map(heavy);
//! assert_eq!(one_by_one.fold(0, async |sum, some| sum + some).await, in_parallel.sum::<u64>().await);
//! # });
//! ```
//!
//! # Time-outs
//! There is no operator for them. A limit of time belongs where it is known what may take too long, and what is there
//! for a future or a `Stream` works as it is:
//!
//! | what may take too long | write |
//! |---|---|
//! | a future | [`tokio::time::timeout`] around it, in [`map_async`](Flow::map_async) and its like |
//! | the next item of the source | `timeout` of tokio-stream on the source, before `.flow()` |
//! | the next item of the flow | the same on the flow, where it is read |
//! | the rest of a batch | [`within`](Flow::within) |
//! | the end of a flow that is shut down | [`FlowHandle::shutdown`] |
//!
//! In a lane, between operators, a silence says nothing: items are shared by demand or by key, so a lane may have none
//! for long while the others are busy.
//! ```
//! use gen_stage::prelude::*;
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering};
//! use tokio::time::{Duration, sleep, timeout};
//! use tokio_stream::StreamExt;
//!
//! # tokio_test::block_on(async {
//! # tokio::time::pause();
//! let second = Duration::from_secs(1);
//! let ask = async |ms| {
//!     sleep(Duration::from_millis(ms)).await;
//!     ms
//! };
//! // A future that takes too long is an error, for `skip_errors`, `dead_letters`, `Retry` or `try_collect`.
//! let late = Arc::new(AtomicU64::new(0));
//! let answers = Flow::from_iter([10, 5000]).map_async(8, move |ms| timeout(second, ask(ms))).skip_errors(&late);
//! assert_eq!(answers.collect::<Vec<u64>>().await, [10]);
//! assert_eq!(late.load(Ordering::Relaxed), 1);
//!
//! // A source that is silent too long.
//! let sensor = tokio_stream::iter([1, 2]).chain(tokio_stream::pending());
//! let readings = sensor.timeout(second).flow().map_ok(|reading| reading * 10);
//! assert!(readings.try_collect::<Vec<i32>>().await.is_err());
//!
//! // A flow of which nothing comes for too long.
//! let hangs = Flow::from_iter([1]).map_async(1, async |_| std::future::pending::<u64>().await);
//! let mut hangs = std::pin::pin!(hangs.timeout(second));
//! assert!(hangs.next().await.unwrap().is_err());
//! # });
//! ```
//!
//! # What may follow what
//! Operators that work item by item follow each other in any order. What brings items together, `reduce`, `group_by`,
//! `count_by`, `sum_by`, `combine`, closes its layer: it is read, or goes into the next layer by `partition` or
//! `shuffle`, and then operators follow again. A `map` right after it does not compile. A `window` is followed by one
//! of these, with operators that work item by item between them if need be.
//!
//! # In a function, in a field, by configuration
//! The type of a flow spells out its operators, and is not meant to be written down. A function names what it needs of
//! a flow, by one bound: [`Flowing`] takes every operator but `ordered`, [`InOrder`] takes that too, and [`Readable`]
//! is what is left after an `emit_state` or its like. For a field, or to choose among flows while the program runs,
//! [`boxed`](Flow::boxed) takes the operators out of the type; more operators can follow it.
//! ```
//! use gen_stage::flow::Boxed;
//! use gen_stage::prelude::*;
//!
//! /// In a function:
//! fn parsed(lines: Flow<impl Flowing<Item = &'static str>>) -> Flow<impl Flowing<Item = i64>> {
//!     lines.filter_map(|line| line.trim().parse().ok())
//! }
//!
//! /// in a field,
//! struct Report {
//!     values: Flow<Boxed<i64>>,
//! }
//!
//! impl Report {
//!     /// by configuration.
//!     fn new(lines: Flow<impl Flowing<Item = &'static str>>, absolute: bool) -> Self {
//!         let values = parsed(lines);
//!         Self { values: if absolute { values.map(i64::abs).boxed() } else { values.boxed() } }
//!     }
//! }
//!
//! # tokio_test::block_on(async {
//! for (absolute, sum) in [(false, 1), (true, 5)] {
//!     let report = Report::new(Flow::from_iter(["3", "x", " -2"]), absolute);
//!     assert_eq!(report.values.map(|n| n * 10).sum::<i64>().await, sum * 10);
//! }
//! # });
//! ```
//!
//! [`Stream`]: futures_core::Stream

// Examples are compiled together, unless their attributes differ: all of the crate in one go take over 2 GB.
#![cfg_attr(doctest, doc(test(attr(allow(unused_mut)))))]

// In the order in which the page of `Flow` shows the methods: rustdoc follows the order of the modules. Blank lines
// keep what is used most in front: rustfmt sorts what stands together.

// Sources.
mod source;

mod from_stages;
mod stream_flow;

// Item by item.
mod map;

mod dedup;
mod filter;
mod filter_map;
mod flat_map;
mod inspect;
mod map_values;
mod uniq;

// Some of the items, by number.
mod take;

mod enumerate;
mod scan;
mod skip;
mod skip_while;
mod take_while;

// Futures.
mod map_async;

mod then;

mod filter_map_async;
mod map_blocking;
mod ordered;

// Results.
mod map_ok;

mod flat_map_ok;
mod map_err;
mod try_filter_map;
mod try_map;
mod try_map_async;

mod dead_letters;
mod retry;
mod skip_errors;

// Size and rate.
mod batch;
mod bucket;
mod throttle;
mod weigh;

// By the reader's pace, and by the clock.
mod conflate;
mod debounce;
mod keep_newest;
mod sample;

// Batches and lanes.
mod map_batch;
mod on_init;
mod per_lane;

// The next layer.
mod partition;
mod shuffle;
mod through_stages;

// Several flows.
mod join;
mod join_ref;

mod merge;
mod zip;

// Windows.
mod window;

// Items brought together.
mod reduce;

mod emit_and_reduce;
mod fold;
mod on_trigger;

mod with_window;

mod group_by;
mod group_by_ref;

mod top_by_key;

mod combine;

// Lanes brought together.
mod departition;
mod take_sort;

// Settings.
mod settings;
mod stop_when;

// The flow.
#[allow(clippy::module_inception, reason = "the type of the module; this file only declares")]
mod flow;
mod monitor;
mod stats;
mod topology;
mod whole;

// Ends.
mod collect;
mod count;
mod for_each_async;
mod forward;
mod into_sinks;
mod into_stream;
mod min_by_key;
mod run;
mod sum;
mod try_collect;
mod try_for_each;

// In the background.
mod start;

mod into_stages;
mod report;

// In functions and fields.
mod bounds;
mod boxed;

// The types of plans and lanes.
pub mod adapters;

// What all are made of.
mod plumbing;
mod top;

pub use bounds::{Flowing, InOrder, Readable};
pub use boxed::{Boxed, BoxedInOrder};
pub use combine::combiner::Combiner;
pub use flow::Flow;
pub use into_stages::handle::StagesHandle;
pub use into_stages::{FlowSetup, IntoStages};
pub use into_stream::FlowStream;
pub use join::mode::{FullOuter, Inner, LeftOuter, RightOuter, Side};
pub use monitor::Monitor;
pub use plumbing::gauge::LaneTimes;
pub use plumbing::place::LayerPart;
pub use report::{FlowEnd, FlowError, FlowReport};
pub use retry::Retry;
pub use start::FlowHandle;
pub use stats::{Bottleneck, BottleneckKind, FlowStats, LaneStats, LayerStats};
pub use stream_flow::StreamFlow;
pub use throttle::rate::Throttle;
pub use top::Top;
pub use topology::{Operator, Topology, TopologyLayer};
