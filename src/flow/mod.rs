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
//! | work item by item | [`map`](Flow::map), [`filter`](Flow::filter), [`reject`](Flow::reject), [`filter_map`](Flow::filter_map), [`flat_map`](Flow::flat_map), [`inspect`](Flow::inspect) |
//! | work on batches, or with any `Stream` adapter | [`map_batch`](Flow::map_batch), [`per_lane`](Flow::per_lane) |
//! | open the next layer | [`partition`](Flow::partition), [`partition_by`](Flow::partition_by), [`partition_by_ref`](Flow::partition_by_ref), [`partition_with`](Flow::partition_with), [`shuffle`](Flow::shuffle) |
//! | bring items together | [`reduce`](Flow::reduce), [`emit_state`](Flow::emit_state), [`combine`](Flow::combine) |
//! | set the layer up | [`lanes`](Flow::lanes), [`demand`](Flow::demand), [`on`](Flow::on), [`on_init`](Flow::on_init) |
//! | finish | [`collect`](Flow::collect), [`for_each`](Flow::for_each), [`run`](Flow::run), [`forward`](Flow::forward), or any `StreamExt` |
//! | run in the background, shut down | [`start`](Flow::start), [`stop_when`](Flow::stop_when) |
//! | pass through stages, into stages | [`through_stages`](Flow::through_stages), [`into_stages`](Flow::into_stages), [`into_stage`](Flow::into_stage) |
//!
//! [`Stream`]: futures_core::Stream

mod collect;
mod combine;
mod combiner;
mod driver;
mod exchange;
mod filter;
mod filter_map;
mod flat_map;
#[allow(clippy::module_inception, reason = "the type of the module; this file only declares")]
mod flow;
mod forward;
mod from_stages;
mod inspect;
mod into_stages;
mod map;
mod map_batch;
mod on_init;
mod outlet;
mod partition;
mod per_lane;
mod plan;
mod reduce;
mod report;
mod run;
mod settings;
mod shuffle;
mod shutdown;
mod source;
mod stages_handle;
mod start;
mod step;
mod stop_when;
mod stream_flow;
mod tasks;
mod through_stages;

pub use combine::{Combine, Merging};
pub use combiner::Combiner;
pub use exchange::{Exchange, Partition, Shuffle};
pub use filter::{Filter, Reject};
pub use filter_map::FilterMap;
pub use flat_map::FlatMap;
pub use flow::Flow;
pub use from_stages::FromStage;
pub use inspect::Inspect;
pub use into_stages::{FlowSetup, IntoStages};
pub use map::Map;
pub use map_batch::Batches;
pub use on_init::OnInit;
pub use per_lane::PerLane;
pub use plan::{LayerStart, Layered, OpenLayer, Plan};
pub use reduce::{EmitState, Reduce, ReduceLane};
pub use report::{FlowEnd, FlowError, FlowReport};
pub use source::{Source, SourceLane};
pub use stages_handle::StagesHandle;
pub use start::FlowHandle;
pub use step::{Step, Stepped};
pub use stop_when::StopWhen;
pub use stream_flow::StreamFlow;
pub use through_stages::ThroughStages;
