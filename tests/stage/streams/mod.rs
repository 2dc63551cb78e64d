//! Stages as streams and sinks, with and without tasks, and what their handles hold.

mod drivers;
mod from_sink;
mod handles;
mod into_sink;
mod mailbox;
mod reading;
mod sources;
