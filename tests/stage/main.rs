//! Stages: what they keep to, as streams and sinks, and what becomes of them when something goes wrong.

mod failures;
mod rules;
mod streams;
#[path = "../support/mod.rs"]
mod support;
