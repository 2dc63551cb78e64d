//! From `buffer_unordered`, or a `JoinSet` with a semaphore: their calls, and the flows that do the same.
//!
//! | there | here |
//! |---|---|
//! | `stream.map(f).buffer_unordered(n)` | `stream.flow().map_async(n, f)`: [`map_async`](crate::Flow::map_async) |
//! | `stream.map(f).buffered(n)` | `stream.flow().map_async(n, f).ordered()`: [`ordered`](crate::Flow::ordered) |
//! | `stream.then(f)` | `stream.flow().lanes(1).then(f)`: [`then`](crate::Flow::then); with more lanes, one future in each |
//! | `take`, `skip`, `take_while`, `skip_while`, `enumerate`, `scan`, `zip` | the same, over all lanes: [`take`](crate::Flow::take) and so on, exact right after the source and after [`ordered`](crate::Flow::ordered) |
//! | `stream.for_each_concurrent(n, f)` | `stream.flow().for_each_async(n, f)`: [`for_each_async`](crate::Flow::for_each_async) |
//! | `try_buffer_unordered(n)` | [`try_map_async`](crate::Flow::try_map_async), and [`try_collect`](crate::Flow::try_collect) at the end |
//! | `filter_map` with a future | [`filter_map_async`](crate::Flow::filter_map_async) |
//! | `JoinSet`, with a `Semaphore` of `n` permits | `map_async(n, f)`; [`supervised`](crate::supervisor::StreamSupervised::supervised) where each task may fail by itself |
//! | `select_all` of many streams | [`Flow::from_streams`](crate::Flow::from_streams) |
//! | `tokio::time::timeout` around each future | the same, in `f` |
//!
//! # What differs
//! - **Futures are driven whether or not the result is read.** A `buffer_unordered` stands still while its reader is
//!   busy: connections time out in the middle. Here lanes drive them in tasks of their own.
//! - **So they are `Send + 'static`**, and `f` is `Clone`: it runs in each lane. What they share is in an `Arc`.
//! - **`n` counts over all lanes**: at most `n` futures exist at any time.
//! - **Results wait, and are bounded**: at most [`max_demand`](crate::Flow::demand) of them per lane, 1000 unless set;
//!   at that number no new future is begun.
//! - **A panic in a future ends the flow** with that panic, as it would end the task that polls a `buffer_unordered`.
//! - Dropping the flow drops all futures, there and here.
//!
//! # Examples
//! ```
//! use futures::{StreamExt, stream};
//! use gen_stage::prelude::*;
//!
//! async fn fetch(page: u32) -> String {
//!     tokio::task::yield_now().await;
//!     format!("page {page}")
//! }
//!
//! # tokio_test::block_on(async {
//! let before: Vec<String> = stream::iter(1..=3).map(fetch).buffered(8).collect().await;
//! let after: Vec<String> = stream::iter(1..=3).flow().map_async(8, fetch).ordered().collect().await;
//! assert_eq!(before, after);
//! # });
//! ```
