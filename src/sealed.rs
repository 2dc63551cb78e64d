//! What keeps a trait from being implemented elsewhere, so that it can grow: traits that users only meet, in bounds and
//! type names, have this one above them.

pub trait Sealed {}
