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
//! | to | use |
//! |---|---|
//! | start | [`.flow()`](crate::StreamFlow::flow), [`from_iter`](Flow::from_iter), [`from_iters`](Flow::from_iters), [`from_streams`](Flow::from_streams), [`from_stages`](Flow::from_stages) |
//! | work item by item | [`map`](Flow::map), [`filter`](Flow::filter), [`reject`](Flow::reject), [`filter_map`](Flow::filter_map), [`flat_map`](Flow::flat_map), [`inspect`](Flow::inspect), [`map_values`](Flow::map_values), [`uniq`](Flow::uniq), [`uniq_by`](Flow::uniq_by) |
//! | await something for each item | [`map_async`](Flow::map_async), [`filter_map_async`](Flow::filter_map_async), [`try_map_async`](Flow::try_map_async) |
//! | bring all lanes back into source order | [`ordered`](Flow::ordered) |
//! | work on `Result`s, as a source or a `map` makes them | [`map_ok`](Flow::map_ok), [`map_err`](Flow::map_err), [`try_map`](Flow::try_map), [`try_filter_map`](Flow::try_filter_map) |
//! | say what becomes of errors | [`skip_errors`](Flow::skip_errors), [`dead_letters`](Flow::dead_letters), [`Retry`], [`try_collect`](Flow::try_collect), [`try_for_each`](Flow::try_for_each) |
//! | set size and rate | [`batch`](Flow::batch), [`batch_by_weight`](Flow::batch_by_weight), [`within`](Flow::within), [`throttle`](Flow::throttle), [`cost`](Flow::cost) |
//! | work on batches, or with any `Stream` adapter | [`map_batch`](Flow::map_batch), [`per_lane`](Flow::per_lane) |
//! | open the next layer | [`partition`](Flow::partition), [`partition_by`](Flow::partition_by), [`partition_by_ref`](Flow::partition_by_ref), [`partition_with`](Flow::partition_with), [`shuffle`](Flow::shuffle) |
//! | bring flows together | [`merge`](Flow::merge), [`bounded_join`](Flow::bounded_join), [`window_join`](Flow::window_join) |
//! | cut into windows | [`window`](Flow::window), and the module [`window`](crate::window) |
//! | bring items together | [`reduce`](Flow::reduce), [`emit_and_reduce`](Flow::emit_and_reduce), [`group_by`](Flow::group_by), [`group_by_key`](Flow::group_by_key), [`count_by`](Flow::count_by), [`sum_by`](Flow::sum_by), [`combine`](Flow::combine) |
//! | say what comes out | [`emit_state`](Flow::emit_state), [`on_trigger`](Flow::on_trigger), [`emit_nothing`](Flow::emit_nothing), [`merge_states`](Flow::merge_states) |
//! | bring lanes together | [`departition`](Flow::departition), [`take_sort`](Flow::take_sort), [`take_sort_by`](Flow::take_sort_by) |
//! | set the layer up | [`lanes`](Flow::lanes), [`demand`](Flow::demand), [`on`](Flow::on), [`on_init`](Flow::on_init) |
//! | finish | [`collect`](Flow::collect), [`for_each`](Flow::for_each), [`for_each_async`](Flow::for_each_async), [`run`](Flow::run), [`forward`](Flow::forward), [`into_sinks`](Flow::into_sinks), [`count`](Flow::count), [`sum`](Flow::sum), [`min_by_key`](Flow::min_by_key), [`max_by_key`](Flow::max_by_key), or [`into_stream`](Flow::into_stream) and any `StreamExt` |
//! | run in the background, shut down | [`start`](Flow::start), [`stop_when`](Flow::stop_when) |
//! | hand to a function, keep in a field, choose by configuration | [`Flowing`], [`InOrder`], [`Readable`]; [`boxed`](Flow::boxed), [`boxed_in_order`](Flow::boxed_in_order) |
//! | pass through stages, into stages | [`through_stages`](Flow::through_stages), [`into_stages`](Flow::into_stages), [`into_stage`](Flow::into_stage) |
//!
//! # In a function, in a field, by configuration
//! The type of a flow spells out its operators, and nobody writes it down. A function names what it needs of a flow, by
//! one bound: [`Flowing`] takes every operator, [`InOrder`] takes `ordered` too, and [`Readable`] is what is left behind a
//! `reduce`. For a field, or to choose among flows while the program runs, [`boxed`](Flow::boxed) takes the operators out
//! of the type; more can be put behind it.
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

mod batch;
mod bounds;
mod boxed;
mod bucket;
mod collect;
mod combine;
mod combiner;
mod count;
mod dead_letters;
mod departed;
mod departition;
mod driver;
mod emit_and_reduce;
mod envelope;
mod exchange;
mod filter;
mod filter_map;
mod filter_map_async;
mod flat_map;
#[allow(clippy::module_inception, reason = "the type of the module; this file only declares")]
mod flow;
mod fold;
mod for_each_async;
mod forward;
mod from_stages;
mod group_by;
mod inspect;
mod into_sinks;
mod into_stages;
mod into_stream;
mod jobs;
mod join;
mod join_table;
mod joined;
mod limit;
mod map;
mod map_async;
mod map_async_ordered;
mod map_batch;
mod map_err;
mod map_ok;
mod map_values;
mod merge;
mod min_by_key;
mod on_init;
mod on_trigger;
mod ordered;
mod outlet;
mod partition;
mod per_lane;
mod plan;
mod reduce;
mod report;
mod reporting;
mod retry;
mod run;
mod sequence;
mod settings;
mod shuffle;
mod shutdown;
mod sink_driver;
mod skip_errors;
mod source;
mod stages_handle;
mod start;
mod step;
mod stop_when;
mod stream_flow;
mod sum;
mod take_sort;
mod tasks;
mod throttle;
mod through_stages;
mod try_collect;
mod try_filter_map;
mod try_for_each;
mod try_map;
mod try_map_async;
mod uniq;
mod weigh;
mod window;

pub use batch::{Batch, BatchLane};
pub use bounds::{Flowing, InOrder, Open, OpenLayer, Plain, Readable, Reduces, Reducible};
pub use boxed::{Boxed, BoxedInOrder, BoxedLane};
pub use combine::{Combine, Merging};
pub use combiner::Combiner;
pub use dead_letters::{DeadLetters, DeadLettersLane};
pub use departed::{Departed, Ending, Gather, Piece, Pieces, PiecesOf};
pub use departition::{ByFns, Departition};
pub use envelope::{Bare, ClosedLayer, Envelope, Gathers, InWindow, Numbered};
pub use exchange::{Exchange, Partition, Shuffle};
pub use filter::{Filter, Reject};
pub use filter_map::FilterMap;
pub use filter_map_async::Present;
pub use flat_map::{ByFn, Expand, FlatMap, FlatMapLane};
pub use flow::Flow;
pub use from_stages::FromStage;
pub use group_by::{Grouping, GroupingPairs, Pair, PairWith1, Pairs, Summing};
pub use inspect::Inspect;
pub use into_stages::{FlowSetup, IntoStages};
pub use into_stream::FlowStream;
pub use join::{BySide, IntoLeft, IntoRight, Join, Rows, Sides};
pub use joined::{FullOuter, Inner, JoinMode, Joined, Keys, LeftOuter, RightOuter, Side};
pub use map::Map;
pub use map_async::{AsyncLane, MapAsync};
pub use map_async_ordered::AsyncLaneInOrder;
pub use map_batch::Batches;
pub use map_err::MapErr;
pub use map_ok::MapOk;
pub use map_values::MapValues;
pub use merge::{Merge, MergeLane};
pub use on_init::OnInit;
pub use ordered::{Ordered, OrderedLane};
pub use per_lane::PerLane;
pub use plan::{Build, LayerStart, Layered, Plan};
pub use reduce::Reduce;
pub use report::{FlowEnd, FlowError, FlowReport};
pub use retry::{AnyError, Retry, RetryWhen, Retrying, When};
pub use sequence::{Enumerated, Expanded, Tagged};
pub use skip_errors::SkipErrors;
pub use source::{Source, SourceLane};
pub use stages_handle::StagesHandle;
pub use start::FlowHandle;
pub use step::{Step, Stepped, SteppedLane};
pub use stop_when::StopWhen;
pub use stream_flow::StreamFlow;
pub use take_sort::{Least, LeastOfAll};
pub use throttle::{Throttle, Throttled, ThrottledLane};
pub use through_stages::ThroughStages;
pub use try_filter_map::TryFilterMap;
pub use try_map::TryMap;
pub use try_map_async::TryJob;
pub use uniq::{Uniq, UniqBy};
pub use weigh::{OneEach, Weigh, WeighedBy};
pub use window::InWindows;
