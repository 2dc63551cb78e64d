//! One test binary: a module for each operator, the contracts of all, and the scenarios of the originals.

mod collect;
mod combine;
mod common;
mod contracts;
mod edge;
mod failures;
mod filter;
mod flat_map;
mod forward;
mod map;
mod map_batch;
mod parity;
mod partition;
mod per_lane;
mod properties;
mod reduce;
mod run;
mod settings;
mod shuffle;
mod source;
mod stage_failures;
mod stage_rules;
mod stage_streams;
mod stages;
mod window;
