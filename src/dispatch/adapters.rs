//! What [`Partition`](super::Partition) and the partitions of flows are made of: the ways to say where an item belongs.
//!
//! Users meet them in types, and need not name them: [`Partition::hash`](super::Partition::hash),
//! [`Flow::partition_by`](crate::Flow::partition_by) and their like make them of closures. Ways of your own to fill
//! the partitions of a stage implement [`Assign`](super::Assign).

pub use super::partition::{AssignBy, AssignHash, AssignKey};
pub use super::route::{ByHash, ByKey, ByKeyRef, ByRouter, Route};
