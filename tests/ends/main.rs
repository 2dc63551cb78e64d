//! Flows: how they begin and end: readers, sinks, stages, handles, failures.

mod collect;
mod count;
mod failures;
mod for_each_async;
mod forward;
mod from_stages;
mod into_sinks;
mod into_stages;
mod into_stream;
mod min_by_key;
mod run;
mod start;
mod stop_when;
mod sum;
#[path = "../support/mod.rs"]
mod support;
mod through_stages;
mod try_collect;
mod try_for_each;
