//! What most programs import: `use gen_stage::prelude::*`.
//!
//! ```
//! use gen_stage::prelude::*;
//!
//! # tokio_test::block_on(async {
//! assert_eq!(Flow::from_iter([1]).collect::<Vec<_>>().await, [1]);
//! # });
//! ```

pub use crate::flow::{Flow, Flowing, InOrder, Readable, StreamFlow as _};
pub use crate::stage::{Consumer, Producer, ProducerConsumer};
pub use crate::supervisor::DynamicSupervisor;
pub use crate::window::Window;
