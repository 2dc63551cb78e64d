//! The locks the edge is built from, in one place so that loom can stand in for them.
//!
//! Build with `--cfg gen_stage_loom` to have every lock and reference count of an edge explored by loom.
//! The name is our own, and not loom's usual `loom`, because tokio reacts to that one.

#[cfg(gen_stage_loom)]
pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering};
#[cfg(gen_stage_loom)]
pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
#[cfg(not(gen_stage_loom))]
pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(not(gen_stage_loom))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard};
