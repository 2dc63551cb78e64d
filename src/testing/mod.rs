//! Probes and checks for tests of your own: a source that yields what the test sends, and a sink that takes what the test
//! asks for; checks that what you write for this crate keeps its promises. Needs the feature `testing`.
//!
//! | to test | use |
//! |---|---|
//! | a pipeline, step by step | [`test_source`] and [`test_sink`] |
//! | a function from a flow to a flow | [`check_operator`], [`check_operator_that_panics`] |
//! | a function from a stream to a stream, for [`per_lane`](crate::Flow::per_lane) or alone | [`check_stream`] |
//! | a [`Windowing`](crate::window::Windowing), given to [`Window::custom`](crate::window::Window::custom) | [`check_windowing`] |
//! | a [`Lane`](crate::lane::Lane) | [`check_lane`] |
//! | a [`Dispatcher`](crate::dispatch::Dispatcher) | [`check_dispatcher`] |
//!
//! # Testing your pipeline
//! Put the part that you want to test into a function from a flow to a flow, or from a stream to a stream; see "a flow in
//! a function" on the page of [`Flow`](crate::Flow). Between a [test source](test_source) and a [test sink](test_sink)
//! the test decides what comes when, and how much is wanted. Then it can look at what a program in service depends on:
//! that nothing is read before it is wanted, that a failure ends the flow, that what is given up is dropped.
//!
//! Have the clock paused, by `#[tokio::test(start_paused = true)]` with tokio's feature `test-util`: what waits for time then
//! jumps to it, and a test that waits in vain fails at once. With one thread, which is the default of tests, what
//! happens in which order is the same in every run.
//!
//! ```toml
//! [dev-dependencies]
//! gen_stage = { version = "0.1", features = ["testing"] }
//! tokio = { version = "1", features = ["macros", "rt", "test-util"] }
//! ```
//!
//! A file `tests/clicks.rs`, to begin with:
//! ```
#![doc = include_str!("guide/tests.rs")]
//! ```
//!
//! # A story again
//! Checks tell stories: what is checked is made anew for each, and lives through steps that are drawn at random. A story is
//! drawn from its number alone, so that all runs of a test tell the same. The first broken promise ends the check, with the
//! steps that led to it, and with the number of the story:
//!
//! ```text
//! the adapter breaks its contract: never came: 15; story 0: the source has 0 to 7, the reader reads 2, the source has 8 to 15,
//! the source ends, the reader reads all (this story alone: GEN_STAGE_STORY=0)
//! ```
//!
//! To tell that story alone, as under a debugger, put its number into the environment:
//! `GEN_STAGE_STORY=0 cargo test name_of_the_test`. What is drawn in a story may be another in a later version of this crate.

#![allow(
    clippy::test_attr_in_doctest,
    reason = "the guide shows a file of tests, which runs in tests/testing"
)]

mod check_dispatcher;
mod check_lane;
mod check_operator;
mod check_stream;
mod check_windowing;
mod dispatcher_story;
mod item_order;
mod lane_story;
mod link;
mod operator_story;
mod reader;
mod sink;
mod source;
mod stories;
mod windowing_story;

pub use check_dispatcher::check_dispatcher;
pub use check_lane::check_lane;
pub use check_operator::{NumberFlow, NumberStream, check_operator, check_operator_that_panics};
pub use check_stream::check_stream;
pub use check_windowing::check_windowing;
pub use item_order::ItemOrder;
pub use sink::{SinkCancelled, SinkProbe, TestSink, test_sink};
pub use source::{SourceProbe, TestSource, test_source};

use std::time::Duration;

/// For how long probes wait for what they expect, by tokio's clock, unless they are told otherwise.
const PATIENCE: Duration = Duration::from_secs(1);
