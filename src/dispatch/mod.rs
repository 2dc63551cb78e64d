//! Who gets which item: plain functions of items and counts, without tasks or I/O.
//!
//! - [`Share`] is demand dispatch: a batch goes to the outlet with the most open demand.
//! - [`Route`] is partition dispatch: an item goes where its key, its hash or a function of the user's says.

mod route;
mod share;

pub use route::{ByHash, ByKey, ByKeyRef, ByRouter, Route, hash_lane};
pub(crate) use share::{Ramp, most_demand};
