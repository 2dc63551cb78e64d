#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[macro_use]
mod macros;

mod backoff;
pub mod demand;
pub mod dispatch;
pub mod edge;
pub mod ends;
pub mod flow;
pub mod lane;
pub mod prelude;
pub mod stage;
pub mod supervisor;
mod sync;
pub mod window;

pub use backoff::Backoff;
pub use demand::{Demand, DemandError};
pub use flow::{Flow, StreamFlow};
