//! Probes for tests of your own pipelines: a source that yields what the test sends, and a sink that takes what the test
//! asks for; and a check of your own dispatchers. Needs the feature `testing`.
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
//! ```
//! use gen_stage::flow::{Flowing, Readable};
//! use gen_stage::prelude::*;
//! use gen_stage::testing::{test_sink, test_source};
//! use std::time::Duration;
//!
//! /// What is tested.
//! fn sums(pairs: Flow<impl Flowing<Item = (u32, u32)>>) -> Flow<impl Readable<Item = u32>> {
//!     pairs.map(|(a, b)| a + b)
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! let (source, mut input) = test_source();
//! let (sink, mut output) = test_sink();
//! let writing = tokio::spawn(sums(source.flow().lanes(1)).forward(sink));
//!
//! input.send((1, 2));
//! output.expect_none_for(Duration::from_secs(1)).await; // nothing was asked for,
//! assert_eq!(input.taken(), 0); // and so nothing was read
//! output.request(2);
//! output.expect_next(3).await;
//!
//! input.expect_demand().await;
//! input.end();
//! output.expect_end().await;
//! assert_eq!(writing.await.unwrap(), Ok(()));
//! # });
//! ```

mod check_dispatcher;
mod link;
mod sink;
mod source;
mod story;

pub use check_dispatcher::check_dispatcher;
pub use sink::{SinkCancelled, SinkProbe, TestSink, test_sink};
pub use source::{SourceProbe, TestSource, test_source};

use std::time::Duration;

/// For how long probes wait for what they expect, by tokio's clock, unless they are told otherwise.
const PATIENCE: Duration = Duration::from_secs(1);
