//! Flows: what opens a layer and what closes one, and properties of several layers.

mod combine;
mod conflate;
mod debounce;
mod departition;
mod group_by;
mod join;
mod join_ref;
mod keep_newest;
mod merge;
mod partition;
mod properties;
mod reduce;
mod sample;
mod settings;
mod shuffle;
mod source;
#[path = "../support/mod.rs"]
mod support;
mod take_sort;
mod top_by_key;
mod zip;
