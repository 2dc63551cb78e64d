//! What things are called elsewhere, and what they are here: for readers that know other crates, or GenStage.
//!
//! - [`buffer_unordered`], `buffered` and `for_each_concurrent` of futures, a `JoinSet` with a semaphore
//! - [`rayon`]: `par_iter`, `par_bridge`, `fold` and `reduce`
//! - [`tokio_channels`]: tasks with `mpsc` between them, `broadcast`, workers that share a receiver
//! - Elixir's GenStage: [`stage::coming_from_genstage`](crate::stage::coming_from_genstage)

pub mod buffer_unordered;
pub mod rayon;
pub mod tokio_channels;
