//! Flows: a module for each operator of a lane.

mod batch;
mod boxed;
mod dead_letters;
mod dedup;
mod enumerate;
mod filter;
mod filter_map;
mod flat_map;
mod flat_map_ok;
mod inspect;
mod map;
mod map_batch;
mod map_err;
mod map_ok;
mod map_values;
mod on_init;
mod per_lane;
mod place;
mod retry;
mod scan;
mod skip;
mod skip_errors;
mod stats;
#[path = "../support/mod.rs"]
mod support;
mod take;
mod take_while;
mod then;
mod throttle;
mod topology;
mod try_filter_map;
mod try_map;
mod uniq;
