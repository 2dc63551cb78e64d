//! The crossing between two tasks: batches go down, demand goes up.
//!
//! An edge has one [`Sender`] and one [`Receiver`]. The receiver asks, by being polled; the sender may send as much
//! as was asked for and no more. So at most [`Demand::max`] items are in an edge, whatever either side does, and an
//! edge is all that two tasks of a flow share. Most users need none of this: flows and stages are built of edges.
//!
//! ```text
//!   one task                                   another task
//!   Sender  ── batches, at most what is open ──►  Receiver (a Stream)
//!           ◄── asks: max at first, then back ───
//!               up to max, batch by batch
//! ```
//!
//! # Examples
//! ```
//! use futures::StreamExt;
//! use gen_stage::{Demand, edge::edge};
//!
//! # tokio_test::block_on(async {
//! let (mut sender, receiver) = edge(Demand::new(4, 2)?);
//! let sending = async move {
//!     for n in [1, 2, 3, 4, 5, 6] {
//!         sender.ready().await?;              // until the receiver wants it
//!         sender.send(&mut vec![n]).unwrap();
//!     }
//!     sender.finish();
//!     Ok::<(), gen_stage::edge::Closed>(())
//! };
//! let (sent, received) = futures::join!(sending, receiver.collect::<Vec<_>>());
//! assert_eq!((sent, received), (Ok(()), vec![1, 2, 3, 4, 5, 6]));
//! # Ok::<(), gen_stage::DemandError>(())
//! # });
//! ```

mod error;
mod receiver;
mod sender;
mod state;

pub use error::{Closed, SendError, SendRefusal};
pub(crate) use receiver::read_all;
pub use receiver::{End, Receiver};
pub use sender::Sender;
pub use state::EdgeCounts;

use crate::demand::{Demand, Ledger};
use crate::sync::Arc;
use state::SharedEdge;

/// Makes an edge whose receiver keeps to `demand`.
///
/// # Demand
/// Nothing is asked for until the receiver is polled for the first time.
///
/// # Examples
/// ```
/// use gen_stage::{Demand, edge::edge};
///
/// let (sender, _receiver) = edge::<u32>(Demand::default());
/// assert_eq!(sender.counts().asked, 0);
/// ```
pub fn edge<T>(demand: Demand) -> (Sender<T>, Receiver<T>) {
    with_ledger(Ledger::new(demand.countable()))
}

/// Makes an edge whose receiver asks for one item at first, and for up to `max` as it gets on. The sender shares its
/// items with other receivers, which may not have asked yet.
pub(crate) fn growing_edge<T>(demand: Demand) -> (Sender<T>, Receiver<T>) {
    with_ledger(Ledger::growing(demand.countable()))
}

fn with_ledger<T>(ledger: Ledger) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(SharedEdge::new());
    (Sender::new(Arc::clone(&shared)), Receiver::new(shared, ledger))
}

#[doc(hidden)]
#[deprecated(note = "is called `EdgeCounts` now")]
pub type Counts = EdgeCounts;

#[doc(hidden)]
#[deprecated(note = "is called `SendRefusal` now")]
pub type Refusal = SendRefusal;
