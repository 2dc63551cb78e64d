//! What supervisors are made of: the children that closures make, what comes back with a result, and the stream of
//! `supervised`.
//!
//! Users meet them in the types of supervisors, and need not name them. A field holds a
//! [`SupervisorHandle`](super::SupervisorHandle), or boxes the stream. Children made by a type of your own are a
//! [`ChildSpec`](super::ChildSpec).

pub use super::spec::{FallibleSpec, FnSpec, OfChild};
pub use super::supervised::Supervised;
pub use super::task_supervisor::{Keyed, Naming, NoKey};
pub use super::with_results::{ReturningChild, WithResults};
