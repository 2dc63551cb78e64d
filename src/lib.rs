//! Streams with demand: Elixir's GenStage, Flow and DynamicSupervisor, on `futures` and tokio.
//!
//! **Work that runs in tasks keeps being driven, on all cores, whatever its reader is doing; and never more than was
//! asked for is in flight.**
//!
//! A [`Flow`] is a parallel stream, made by [`.flow()`](StreamFlow::flow) on any `Stream`. [Stages](stage) are
//! producers and consumers whose subscriptions come and go while they run. [Supervisors](supervisor) run a task for
//! each item, and watch it. All three are plain streams and sinks, and work with every other crate for those.
//!
//! ```
//! use gen_stage::prelude::*;
//! use std::collections::HashMap;
//!
//! #[tokio::main]
//! async fn main() {
//!     let lines = ["the quick brown fox", "jumps over the lazy dog"];
//!
//!     let counts: HashMap<String, u64> = futures::stream::iter(lines)
//!         .flow() // lanes on all cores
//!         .flat_map(|line| line.split(' ').map(String::from))
//!         .partition() // equal words meet in one lane
//!         .sum_by(|word| (word, 1))
//!         .collect() // or read it: a flow is a Stream
//!         .await;
//!
//!     assert_eq!(counts["the"], 2);
//! }
//! ```
//!
//! # Where to look
//!
//! | to | look at |
//! |---|---|
//! | work on the items of a stream in parallel | [`flow`]: operators by purpose, and [what ends parallelism](flow#what-ends-parallelism) |
//! | await something for each item | [`Flow::map_async`], [`Flow::ordered`] |
//! | count, sum, group by key | [`Flow::partition_by`], [`Flow::count_by`], [`Flow::combine`] |
//! | cut a stream into windows of time or number | [`window`] |
//! | let consumers come and go, or send everything to all of them | [`stage`], its [guide](stage::guide), [`dispatch`] |
//! | run a task for each item, restart those that fail | [`supervisor`] |
//! | run in the background and end in good order | [`Flow::start`], [`ends`] |
//! | say how much may be in flight | [`demand`] |
//! | write a source, a lane or an edge by hand | [`lane`], [`edge`] |
//! | read text in blocks of whole lines | [`blocks`] |
//! | read all files below a folder, write a file whole or not at all | [`files`] |
//! | see what a flow does, and what holds it up | [`Flow::monitor`], [`flow::FlowStats`] |
//! | see what is logged, and the spans that your code runs in | [`logs`] |
//! | test a pipeline of your own | the module `testing`, with the feature of that name |
//! | get from a task to the operator, and to a program to copy | [`choosing`] |
//! | find here what you know from elsewhere | [`coming_from`] |
//!
//! # What tokio needs
//! A runtime with the feature `rt-multi-thread` runs lanes on all cores; a current-thread one runs them in turn. To
//! read a flow outside of tokio, name a runtime with [`Flow::on`]. What goes by the clock needs `enable_time`, which
//! `#[tokio::main]` has.
//!
//! # Compile times
//! The type of a flow spells out its operators. Where you do not need the full type, as in tests, [`Flow::boxed`]
//! erases it. With full debug information, test binaries of many flows grow large; line tables are enough for a
//! backtrace:
//!
//! ```toml
//! [profile.dev]
//! debug = "line-tables-only"
//! ```

#![forbid(unsafe_code)]

#[macro_use]
mod macros;

mod backoff;
pub mod blocks;
pub mod choosing;
pub mod coming_from;
mod coop;
pub mod demand;
pub mod dispatch;
pub mod edge;
pub mod ends;
mod failure;
pub mod files;
pub mod flow;
pub mod lane;
pub mod logs;
mod meter;
mod picture;
mod pieces;
pub mod prelude;
mod reduce;
mod sealed;
mod span;
pub mod stage;
pub mod supervisor;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
pub mod window;

pub use backoff::Backoff;
pub use demand::{Demand, DemandError};
pub use flow::{Flow, StreamFlow};

/// What the front page of the repository shows is compiled, and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
