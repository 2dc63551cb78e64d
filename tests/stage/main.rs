//! Stages: what they keep to, as streams and sinks, and what becomes of them when something goes wrong.

mod address;
mod driver;
mod failures;
mod from_sink;
mod graph;
mod handle;
mod into_sink;
mod keeping;
mod reading;
mod rules;
mod shared_batch;
mod sources;
mod status;
mod subscribing;
#[path = "../support/mod.rs"]
mod support;
