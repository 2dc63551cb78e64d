//! From a task to what does it: a flow, a stage or a supervisor, then the operator, then a program to copy.
//!
//! # Flow, stage or supervisor
//!
//! | what you have | take |
//! |---|---|
//! | one stream of items, and the same work for each of them | a [flow](crate::flow) |
//! | several readers of the same items, or readers that come and go while it runs | [stages](crate::stage) |
//! | work that keeps a state of its own, and is asked for it while it runs | a [stage](crate::stage) |
//! | a job for each item, which may fail alone, be tried again, or be stopped alone | a [`DynamicSupervisor`](crate::supervisor::DynamicSupervisor) |
//! | a job for each item, with a result that is wanted | [`supervised`](crate::supervisor::StreamSupervised::supervised); [`map_async`](crate::Flow::map_async) if a panic in one of them is to end all |
//!
//! They go together: a flow [reads stages](crate::Flow::from_stages), [becomes one](crate::Flow::into_stage), or
//! [passes through some](crate::Flow::through_stages); a supervisor is a `Sink` for any stream, also for a flow.
//!
//! Two tasks need none of them. A few futures at a time in one task are `buffer_unordered` of `futures`. A slice in
//! memory, with work that never waits, is for rayon.
//!
//! # The same work for each item
//! What the work does says which operator it is. All of them run on every lane, and a lane is a task.
//!
//! | the work | operator |
//! |---|---|
//! | computes | [`map`](crate::Flow::map), [`filter_map`](crate::Flow::filter_map), [`flat_map`](crate::Flow::flat_map) |
//! | awaits | [`map_async`](crate::Flow::map_async), with a bound on how many are in flight; [`then`](crate::Flow::then), one after the other in each lane |
//! | blocks its thread: a database without async, a system call, long compression | [`map_blocking`](crate::Flow::map_blocking) |
//! | may fail | [`try_map`](crate::Flow::try_map), [`try_map_async`](crate::Flow::try_map_async), and then [`try_collect`](crate::Flow::try_collect), [`dead_letters`](crate::Flow::dead_letters) or [`skip_errors`](crate::Flow::skip_errors) |
//! | is on the values of results, while errors pass through | [`map_ok`](crate::Flow::map_ok), [`flat_map_ok`](crate::Flow::flat_map_ok) |
//! | may fail, and succeed when it is tried again | [`Retry`](crate::flow::Retry), with [`Throttle::acquire`](crate::flow::Throttle::acquire) if attempts are to keep a rate |
//! | goes by the sequence of the items | [`take`](crate::Flow::take), [`skip`](crate::Flow::skip), [`take_while`](crate::Flow::take_while), [`enumerate`](crate::Flow::enumerate), [`scan`](crate::Flow::scan), [`dedup`](crate::Flow::dedup), [`zip`](crate::Flow::zip) |
//! | is an adapter of another crate | [`per_lane`](crate::Flow::per_lane) |
//! | is on the lines of a text | [`unread_blocks_of`](crate::files::unread_blocks_of) for files, [`from_read`](crate::blocks::from_read) or [`blocks`](crate::blocks::blocks) for what else is read, and [`Block::lines`](crate::blocks::Block::lines) in a `map_ok`; a flow of lines by [`flat_map_ok`](crate::Flow::flat_map_ok)`(Block::into_lines)`. Not `BufRead::lines`: see [`blocks`](crate::blocks#lines) |
//! ```
//! use gen_stage::prelude::*;
//!
//! async fn price_of(article: u32) -> Result<u64, String> {
//!     if article == 3 { Err(format!("no article {article}")) } else { Ok(u64::from(article) * 100) }
//! }
//!
//! # tokio_test::block_on(async {
//! let failed = std::sync::Arc::default();
//! let prices = Flow::from_iter(1..=4)
//!     .map_async(8, price_of) // at most 8 at a time
//!     .skip_errors(&failed)
//!     .map(|cents| cents / 100);
//! assert_eq!(prices.sum::<u64>().await, 1 + 2 + 4);
//! assert_eq!(failed.load(std::sync::atomic::Ordering::Relaxed), 1);
//! # });
//! ```
//!
//! # In which order
//! Items come out as lanes are done with them, unless their order is kept:
//!
//! | the order matters to | take |
//! |---|---|
//! | the reader | [`ordered`](crate::Flow::ordered): all of the work runs in parallel, and comes out as it went in |
//! | each user, account or device, and not across them | [`partition_by`](crate::Flow::partition_by) right after the source, and the work after that |
//! | everything, at every step | [`lanes(1)`](crate::Flow::lanes), and `map_async` followed by `ordered` if the work awaits |
//! ```
//! use gen_stage::prelude::*;
//!
//! # tokio_test::block_on(async {
//! let pages = Flow::from_iter(1..=4).map_async(4, async |page: u32| format!("page {page}")).ordered();
//! assert_eq!(pages.collect::<Vec<_>>().await, ["page 1", "page 2", "page 3", "page 4"]);
//! # });
//! ```
//!
//! # By key
//!
//! | what is wanted for each key | operator |
//! |---|---|
//! | a number or a sum | [`count_by`](crate::Flow::count_by), [`sum_by`](crate::Flow::sum_by), after [`partition_by`](crate::Flow::partition_by) |
//! | the same, with few keys or large items | [`combine`](crate::Flow::combine), which brings together before anything crosses to another task |
//! | all items | [`group_by`](crate::Flow::group_by) |
//! | a state of your own | [`reduce`](crate::Flow::reduce) with a map in it; [`emit_and_reduce`](crate::Flow::emit_and_reduce) if each item is to give something at once |
//! | each item once | [`uniq_by`](crate::Flow::uniq_by); [`dedup_by`](crate::Flow::dedup_by) if equal ones follow each other |
//! | the greatest, whatever the key | [`top_by_key`](crate::Flow::top_by_key) |
//! | the items of another flow with the same key | [`bounded_join`](crate::Flow::bounded_join), or [`window_join`](crate::Flow::window_join) without an end |
//! ```
//! use gen_stage::prelude::*;
//!
//! # tokio_test::block_on(async {
//! let visits = Flow::from_iter([("anna", "/"), ("bert", "/"), ("anna", "/about")]);
//! let mut pages: Vec<(&str, u64)> =
//!     visits.partition_by(|(user, _page)| *user).count_by(|(user, _page)| *user).collect().await;
//! pages.sort();
//! assert_eq!(pages, [("anna", 2), ("bert", 1)]);
//! # });
//! ```
//!
//! # By time
//! A stream without an end is brought together in [windows](crate::window): of a length of time, by the clock or by a
//! time that items carry; of a number of items; or of as long as a user is active.
//! [`with_window`](crate::Flow::with_window) names the window beside its result.
//! ```
//! use gen_stage::prelude::*;
//! use std::time::Duration;
//!
//! # tokio_test::block_on(async {
//! let minute = Window::fixed(Duration::from_secs(60), |(at, _bytes): &(i64, u64)| *at);
//! let bytes = Flow::from_iter([(0, 10), (59_999, 5), (60_000, 1)])
//!     .lanes(1)
//!     .window(minute)
//!     .reduce(|| 0, |sum, (_at, bytes)| *sum += bytes)
//!     .emit_state()
//!     .with_window();
//! let bytes: Vec<_> = bytes.collect().await;
//! assert_eq!(bytes.iter().map(|(window, sum)| (window.start, *sum)).collect::<Vec<_>>(), [(0, 15), (60_000, 1)]);
//! # });
//! ```
//!
//! # How fast, and how much at a time
//!
//! | to limit | set |
//! |---|---|
//! | what is on its way between two tasks | [`demand`](crate::Flow::demand): 1000 items unless set; few if each takes long |
//! | futures in flight | the number given to [`map_async`](crate::Flow::map_async) |
//! | how many items pass in a second | [`throttle`](crate::Flow::throttle), with [`cost`](crate::Flow::cost) if they count differently |
//! | what a database gets in one go | [`batch`](crate::Flow::batch), [`within`](crate::Flow::within) a time |
//! | what a server accepts | a bounded channel as the source: what does not fit is refused at the door |
//! | what a slow reader gets | [`keep_newest`](crate::Flow::keep_newest), [`conflate`](crate::Flow::conflate), [`sample`](crate::Flow::sample), [`debounce`](crate::Flow::debounce): the source goes on, and the reader gets less |
//!
//! # Several readers
//! A stage gives each item to one of its readers, to all, or to the one that its key says: the
//! [dispatcher](crate::dispatch) decides. Readers subscribe at any time, and leave at any time. The slowest sets the
//! pace, unless it subscribes with [`keep_newest`](crate::stage::Subscribe::keep_newest): then it loses items, and
//! holds up none.
//! ```
//! use futures::StreamExt;
//! use gen_stage::dispatch::Broadcast;
//! use gen_stage::stage::{Producer, from_iter};
//!
//! # tokio_test::block_on(async {
//! let prices = from_iter([10, 12, 11]).stage().dispatcher(Broadcast::new()).accumulate().spawn();
//! let (shop, chart) = (prices.subscribe().await?, prices.subscribe().await?);
//! prices.forward(); // both are there: none misses the first price
//! let (shop, chart) = futures::join!(shop.collect::<Vec<_>>(), chart.collect::<Vec<_>>());
//! assert_eq!((shop, chart), (vec![10, 12, 11], vec![10, 12, 11]));
//! # Ok::<(), gen_stage::stage::SubscribeError>(())
//! # }).unwrap();
//! ```
//!
//! # A job for each item
//! ```
//! use futures::{SinkExt, StreamExt, stream};
//! use gen_stage::supervisor::DynamicSupervisor;
//!
//! # tokio_test::block_on(async {
//! let mails = stream::iter(["anna", "bert"]);
//! let mut sending = DynamicSupervisor::new(|to: &str| async move { assert!(!to.is_empty()) }).max_children(100);
//! sending.send_all(&mut mails.map(Ok)).await.unwrap();
//! sending.close().await.unwrap();
//! # });
//! ```
//! See [`supervisor`](crate::supervisor) for restarts, deadlines, events and reports.
//!
//! # To the end
//! [`start`](crate::Flow::start) runs a flow in the background. Its handle, like those of stages and supervisors,
//! drains it, shuts it down or aborts it: [`ends`](crate::ends) has all words in one table, and what to do about
//! channels. [`stop_when`](crate::Flow::stop_when) ends it by a token, for Ctrl-C.
//!
//! # Programs to copy
//! Each is one file with its test, in the folder `programs` of the repository:
//!
//! | task | program |
//! |---|---|
//! | take items from outside, write them in batches, lose none at Ctrl-C | `ingest_service` |
//! | fetch a list of pages at a rate, with retries and dead letters | `rate_limited_crawler` |
//! | tell all that connect what changes, slow and late readers too | `price_hub` |
//! | make a table of files of any size, on all cores | `log_analytics` |
//! | follow what users do while they do it | `live_sessions` |
//!
//! Shorter ones, each for one thing, are in `examples`; the README lists them.
//!
//! # And then
//! See it run by a [monitor](crate::Flow::monitor). Test it with the module `testing`, of the feature of that name.
//! What you know from elsewhere has its own pages: [`coming_from`](crate::coming_from).
