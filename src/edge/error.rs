use thiserror::Error;

/// The other side of the edge is gone.
///
/// # Examples
/// ```
/// use gen_stage::{Demand, edge::{Closed, edge}};
///
/// # tokio_test::block_on(async {
/// let (mut sender, receiver) = edge::<u32>(Demand::default());
/// drop(receiver);
/// assert_eq!(sender.ready().await, Err(Closed));
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the receiver of the edge is gone")]
pub struct Closed;

/// Why [`Sender::send`](super::Sender::send) took nothing. The batch is still the caller's, untouched.
///
/// # Examples
/// ```
/// use gen_stage::{Demand, edge::{SendRefusal, edge}};
///
/// let (mut sender, _receiver) = edge(Demand::default());
/// let mut batch = vec![1, 2, 3];
/// let refused = sender.send(&mut batch).unwrap_err();
/// assert_eq!(refused.refusal, SendRefusal::NotAsked { demand: 0 });
/// assert_eq!(refused.to_string(), "a batch of 3 items was not sent: the demand is 0");
/// assert_eq!(batch, [1, 2, 3]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a batch of {items} items was not sent: {refusal}")]
pub struct SendError {
    /// How many items the refused batch has.
    pub items: usize,
    /// What is wrong.
    pub refusal: SendRefusal,
}

/// What kept a batch from being sent.
///
/// # Examples
/// ```
/// use gen_stage::edge::SendRefusal;
/// assert_eq!(SendRefusal::Closed.to_string(), "the receiver is gone");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendRefusal {
    /// The batch has more items than the open demand.
    #[error("the demand is {demand}")]
    NotAsked {
        /// What may be sent now, in items.
        demand: usize,
    },
    /// The receiver is gone: no batch will ever be taken.
    #[error("the receiver is gone")]
    Closed,
}
