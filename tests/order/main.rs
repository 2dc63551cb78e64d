//! Flows: futures in flight, and the order of the source behind every operator that keeps it.

mod filter_map_async;
mod in_order;
mod map_async;
mod map_blocking;
mod ordered;
#[path = "../support/mod.rs"]
mod support;
mod try_map_async;
