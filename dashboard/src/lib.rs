//! A page in the browser that shows what flows, supervisors and stages of [`gen_stage`] are doing.
//!
//! ```
//! use gen_stage::prelude::*;
//! use gen_stage_dashboard::Dashboard;
//!
//! # tokio_test::block_on(async {
//! let mut words = Flow::from_iter(["a", "b", "a"])
//!     .label("split")
//!     .partition()
//!     .label("count")
//!     .count_by(|word| *word);
//!
//! let dashboard = Dashboard::new().watch("words", &words.monitor());
//! let dashboard = dashboard.bind(([127, 0, 0, 1], 0)).await?; // or at Dashboard::LOOPBACK
//! println!("look at http://{}", dashboard.local_addr());
//! let serving = tokio::spawn(dashboard.serve());
//! assert_eq!(words.collect::<Vec<_>>().await.len(), 2);
//! serving.abort();
//! # Ok::<(), gen_stage_dashboard::DashboardError>(())
//! # }).unwrap();
//! ```
//!
//! For each flow: its layers as a graph, what each has taken and sent, how fast, what it does with its time, and what holds
//! the flow up, in words. For each supervisor: what became of its children, and what those do that are there. For
//! stages: all that they are connected to as a graph, and of each subscription how fast items go, what is asked, and
//! what is queued and dropped.
//!
//! # Cost
//! While nobody looks, nothing is read, and lanes are not timed before the first look. All who look share one reading per
//! [interval](Dashboard::every). Who is slow to read gets the newest; nothing queues up. A stage is asked once per
//! reading, and answers between two callbacks; one that does not answer holds a reading up for half an interval at most,
//! and for 2 s at most.
//!
//! # Safety
//! It only looks, and answers nothing but `GET` and `HEAD`. It has **no login**: keep it on [`Dashboard::LOOPBACK`], or
//! behind a proxy that asks for one. Requests by the name of another host are [refused](Dashboard::host). The page loads
//! nothing from elsewhere, and its `Content-Security-Policy` keeps browsers from doing so.
//!
//! # JSON
//! What the page shows comes as JSON: once from `/api`, and once per interval, from now on, as server-sent events from
//! `/events`. Fields may be added; those that are here stay as they are.
//!
//! | of all | |
//! |---|---|
//! | `reading` | how often was read so far, 1 for the first |
//! | `at_ms` | when, in milliseconds since 1970 |
//! | `every_ms` | [how often](Dashboard::every) it is read, while somebody looks |
//! | `flows`, `supervisors`, `graphs` | in the order in which they are watched |
//!
//! | of a flow | |
//! |---|---|
//! | `name` | under which it is watched |
//! | `state` | `planned` until it has started, `running`, `ended` when all lanes have, or `failed` |
//! | `window_ms` | for how long rates and shares are: up to 10 s or two intervals; 0 if there is nothing to compare with |
//! | `read`, `read_per_second` | items that the reader has taken |
//! | `discarded`, `late`, `replaced` | as in [`FlowStats`](gen_stage::flow::FlowStats) |
//! | `failure` | `null`, or why it failed, and where |
//! | `bottleneck` | `null`, or the [`Bottleneck`](gen_stage::flow::Bottleneck) of the window, of the whole time when the flow has ended: `text`, `kind` (`source`, `layer`, `lane`, `sink`, `reader`), `layer`, `lane`, `waited` |
//! | `layers` | as below; what feeds others comes first |
//!
//! | of a layer | |
//! |---|---|
//! | `name` | its label, or its file and line |
//! | `label`, `file`, `line` | `label` may be `null` |
//! | `part` | what its lanes are: `lane`, `source`, `dead-letter sink`, `subscription` |
//! | `operators` | the names of its operators, in their order |
//! | `feeds` | the numbers of the layers that it sends its items to |
//! | `is_read` | whether the reader takes its items |
//! | `ended` | how many of its lanes have |
//! | `all` | like a lane: the sums of counts and rates, the means of shares, the [watermark](gen_stage::flow::LayerStats::watermark) of the layer |
//! | `lanes` | as below |
//!
//! | of a lane | |
//! |---|---|
//! | `taken`, `sent`, `waiting`, `open_demand`, `discarded`, `futures`, `windows`, `watermark`, `ended` | as in [`LaneStats`](gen_stage::flow::LaneStats) |
//! | `taken_per_second`, `sent_per_second` | `null` if there is nothing to compare with |
//! | `shares` | `null` before there is time to tell of, or `busy`, `idle` and `back_pressured`, 0 to 1 each; of the whole time if it ended before the window |
//!
//! | of a supervisor | |
//! |---|---|
//! | `name` | under which it is watched |
//! | `state`, `end` | `running` and `null`, or `ended` and why |
//! | `counts` | the [`ChildCounts`](gen_stage::supervisor::ChildCounts), field by field |
//! | `children` | the first 100: `id`, `label` or `null`, `state` (`running`, `restarting`, `stopping`), `restarts`, `age_ms` |
//! | `more` | how many children are not listed |
//!
//! | of a graph of stages | |
//! |---|---|
//! | `name` | under which it is watched |
//! | `state` | `running` while one of its stages is, else `silent` while one is; `ended` when all have |
//! | `window_ms` | for how long rates are: up to 10 s or two intervals, of what is newer since it was first seen; 0 if there is nothing to compare with |
//! | `stages` | as below; what feeds others comes first, as far as they are not in a circle |
//! | `subscriptions` | as below, in the order of the stages that send |
//!
//! | of a stage | |
//! |---|---|
//! | `id` | the number of the stage, as in logs: `#1` |
//! | `label` | its name in logs |
//! | `kind` | `producer`, `producer-consumer`, `consumer` |
//! | `dispatcher` | the name of its type; `null` for a consumer |
//! | `state`, `end` | `running`, or `silent` if it did not answer in time, each with `null`; or `ended` and why: `null` while it is ending |
//! | `counts` | the [`Counts`](gen_stage::stage::Counts), field by field, whatever its state |
//! | `received_per_second`, `emitted_per_second` | `null` if there is nothing to compare with |
//! | `unsent` | items that it holds and has not sent: [`GraphStage::unsent`](gen_stage::stage::GraphStage::unsent); `null` unless it is running |
//! | `waiting` | items received and not yet handled, as in [`Status`](gen_stage::stage::Status); `null` unless it is running |
//! | `accumulates` | whether it is set to hold demand back; `null` unless it is running |
//!
//! | of a subscription | |
//! |---|---|
//! | `id` | its number, as in logs: `#1` |
//! | `from`, `to` | the numbers of the stages that send and read; `to` is `null` if it is read as a stream |
//! | `min_demand`, `max_demand` | the bounds of its demand |
//! | `mode` | `automatic`, or `manual` where the code of the reader asks |
//! | `cancel` | what the end of the stage that sends means for the reader: `permanent`, `transient`, `temporary` |
//! | `demand`, `sent`, `taken`, `undelivered`, `dropped` | as in [`GraphSubscription`](gen_stage::stage::GraphSubscription) |
//! | `on_their_way` | items that were sent, and neither taken nor dropped yet |
//! | `sent_per_second`, `taken_per_second` | `null` if there is nothing to compare with |
//! | `left_out`, `queued`, `lag` | as in [`ConsumerStatus`](gen_stage::stage::ConsumerStatus); `null` unless the stage that sends is running |
//!
//! ```
//! use gen_stage::prelude::*;
//! use gen_stage::stage::from_iter;
//! use gen_stage::supervisor::DynamicSupervisor;
//! use gen_stage_dashboard::Dashboard;
//! use serde_json::{Value, json};
//!
//! # tokio_test::block_on(async {
//! let mut numbers = Flow::from_iter(0..6)
//!     .lanes(1)
//!     .label("numbers")
//!     .partition()
//!     .lanes(1)
//!     .label("even")
//!     .filter(|n: &u32| n % 2 == 0);
//! let monitor = numbers.monitor();
//! numbers.collect::<Vec<_>>().await;
//! let jobs = DynamicSupervisor::new(|_: u32| std::future::pending::<()>()).label_by(|n| format!("job {n}"));
//! let jobs = jobs.into_handle();
//! jobs.start_child(7).unwrap();
//!
//! let letters = from_iter(["a", "b", "c"]).stage().label("letters").spawn();
//! let mut reader = letters.subscribe().demand(2, 1).await.unwrap();
//! assert_eq!(reader.next_batch().await, Some(vec!["a"]));
//!
//! let dashboard = Dashboard::new()
//!     .watch("numbers", &monitor)
//!     .watch_supervisor("jobs", &jobs)
//!     .watch_stages("spelling", [letters.stage_ref()])
//!     .bind(([127, 0, 0, 1], 0))
//!     .await?;
//! let snapshot: Value = serde_json::from_str(&dashboard.json().await).unwrap();
//!
//! let (flow, jobs) = (&snapshot["flows"][0], &snapshot["supervisors"][0]);
//! let lane = |taken, sent| {
//!     json!({
//!         "taken": taken, "sent": sent, "waiting": 0, "open_demand": 0, "discarded": 0, "ended": true,
//!         "futures": 0, "windows": 0, "watermark": null,
//!         "taken_per_second": null, "sent_per_second": null, "shares": null,
//!     })
//! };
//! let layer = |label, line: &Value, operators: &[&str], lane: Value, feeds: &[usize], is_read| {
//!     json!({
//!         "name": label, "label": label, "file": file!(), "line": line, "part": "lane",
//!         "operators": operators, "feeds": feeds, "is_read": is_read, "ended": 1, "all": lane, "lanes": [lane],
//!     })
//! };
//! let lines = [&flow["layers"][0]["line"], &flow["layers"][1]["line"]];
//! let expected = json!({
//!     "name": "numbers", "state": "ended", "window_ms": 0, "read": 3, "read_per_second": null,
//!     "discarded": 0, "late": 0, "replaced": 0, "failure": null, "bottleneck": null,
//!     "layers": [
//!         layer("numbers", lines[0], &[], lane(0, 6), &[1], false),
//!         layer("even", lines[1], &["filter"], lane(6, 3), &[], true),
//!     ],
//! });
//! assert_eq!(*flow, expected);
//! let age = &jobs["children"][0]["age_ms"];
//! let expected = json!({
//!     "name": "jobs", "state": "running", "end": null,
//!     "counts": {
//!         "alive": 1, "active": 1, "restarting": 0, "started": 1, "completed": 0, "stopped": 0, "failed": 0,
//!         "panicked": 0, "aborted": 0, "not_restarted": 0, "ignored": 0, "not_started": 0, "refused": 0, "unread": 0,
//!         "restarts": 0,
//!     },
//!     "children": [{ "id": 1, "label": "job 7", "state": "running", "restarts": 0, "age_ms": age }],
//!     "more": 0,
//! });
//! assert_eq!(*jobs, expected);
//! let expected = json!({
//!     "name": "spelling", "state": "running", "window_ms": 0,
//!     "stages": [{
//!         "id": letters.id().to_string(), "label": "letters", "kind": "producer", "dispatcher": "ByDemand",
//!         "state": "running", "end": null,
//!         "counts": {
//!             "received": 0, "emitted": 2, "sent": 2, "taken": 1, "undelivered": 0, "discarded": 0, "overflowed": 0,
//!         },
//!         "received_per_second": null, "emitted_per_second": null, "unsent": 0, "waiting": 0, "accumulates": false,
//!     }],
//!     "subscriptions": [{
//!         "id": reader.id().to_string(), "from": 0, "to": null, "min_demand": 1, "max_demand": 2,
//!         "mode": "automatic", "cancel": "permanent", "demand": 0, "sent": 2, "taken": 1, "undelivered": 0,
//!         "on_their_way": 1, "sent_per_second": null, "taken_per_second": null,
//!         "dropped": 0, "left_out": 0, "queued": 0, "lag": 0,
//!     }],
//! });
//! assert_eq!(snapshot["graphs"][0], expected);
//! assert_eq!((&snapshot["reading"], &snapshot["every_ms"]), (&json!(1), &json!(1000)));
//! # Ok::<(), gen_stage_dashboard::DashboardError>(())
//! # }).unwrap();
//! ```

mod bound;
mod dashboard;
mod error;
mod flow_view;
mod graph_history;
mod graph_view;
mod history;
mod sampler;
mod samples;
mod server;
mod supervisor_view;
mod walks;
mod watched;

pub use bound::BoundDashboard;
pub use dashboard::Dashboard;
pub use error::DashboardError;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
