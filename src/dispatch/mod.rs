//! Who gets which item: plain functions of items and counts, without tasks or I/O.
//!
//! - Demand dispatch: a batch goes to the lane with the most open demand.
//! - Partition dispatch: an item goes where its hash, its key or a function of the user's says, a [`Route`].

mod route;
mod share;

pub use route::{ByHash, ByKey, ByKeyRef, ByRouter, Route, hash_lane};
pub(crate) use share::{Ramp, most_demand};
