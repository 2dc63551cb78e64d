//! The server, by what comes over the wire.

mod api;
mod client;
mod events;
mod stages;
