//! Which subscription or lane gets which item: plain functions of items and counts, without tasks or I/O.
//!
//! Stages hand items to their subscriptions through a [`Dispatcher`]:
//! - [`ByDemand`]: each item goes to one subscription, the one with the most open demand (or each in turn).
//! - [`Broadcast`]: each item goes to all; the slowest sets the pace.
//! - [`Partition`]: each item goes to the one its key says.
//! - one of your own.
//!
//! Flows, whose lanes are there from the start, need less: batches go in turn to the lanes that want some, or each
//! item goes to the lane that a [`Route`](adapters::Route) says.

pub mod adapters;
mod broadcast;
mod by_demand;
mod deliveries;
mod dispatcher;
mod ids;
#[cfg(test)]
mod model;
mod partition;
mod route;
mod share;

pub use broadcast::{Broadcast, Selector};
pub use by_demand::ByDemand;
pub(crate) use deliveries::Body;
pub use deliveries::{Deliveries, Fence};
pub use dispatcher::{Dispatcher, Refusal, Subscriber};
pub use ids::{StageId, SubscriptionId};
pub use partition::{Assign, Partition, PartitionName};
pub(crate) use route::LaneHash;
pub use route::hash_lane;
pub(crate) use share::{next_in_turn, share_of};
