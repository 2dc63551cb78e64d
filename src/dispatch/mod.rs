//! Which subscription or lane gets which item: plain functions of items and counts, without tasks or I/O.
//!
//! Stages hand items to their subscriptions through a [`Dispatcher`], set by
//! [`Setup::dispatcher`](crate::stage::Setup::dispatcher):
//! - [`ByDemand`], the default: each item goes to one subscription, the one with the most open demand (or each in
//!   turn).
//! - [`Broadcast`]: each item goes to all that [select](Selector) it; the slowest sets the pace.
//! - [`Partition`]: each item goes to the one its key says.
//! - one of your own, which implements [`Dispatcher`] by means of [`Deliveries`].
//!
//! ```
//! use futures::StreamExt;
//! use gen_stage::dispatch::Broadcast;
//! use gen_stage::prelude::*;
//! use gen_stage::stage::from_iter;
//!
//! # tokio_test::block_on(async {
//! let numbers = from_iter(1..=3).stage().dispatcher(Broadcast::new()).accumulate().spawn();
//! let (one, other) = (numbers.subscribe().await?, numbers.subscribe().await?);
//! numbers.forward(); // both are there: let items out
//! let (one, other): (Vec<u32>, Vec<u32>) = futures::join!(one.collect(), other.collect());
//! assert_eq!((one, other), (vec![1, 2, 3], vec![1, 2, 3]));
//! # Ok::<(), gen_stage::stage::SubscribeError>(())
//! # });
//! ```
//!
//! Flows, whose lanes are there from the start, need less: batches go in turn to the lanes that want some, or each
//! item goes to the lane that a [`Route`] says.

pub mod adapters;
mod body;
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

pub(crate) use body::{Body, SharedPart};
pub use broadcast::{Broadcast, Selector};
pub use by_demand::ByDemand;
pub use deliveries::{Deliveries, Fence};
pub use dispatcher::{Dispatcher, Refusal, Subscriber};
pub use ids::{StageId, SubscriptionId};
pub use partition::{Assign, Partition, PartitionName};
pub(crate) use route::LaneHash;
pub use route::hash_lane;
pub(crate) use share::{next_in_turn, share_of};

// Where they were; old `use` lines still hold.
#[doc(hidden)]
pub use adapters::{AssignBy, AssignHash, AssignKey, ByHash, ByKey, ByKeyRef, ByRouter, Route};
