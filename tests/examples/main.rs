//! The example programs, run as a user runs them: what they print is what their docs say, and what a plain loop finds.

mod crawler;
mod custom_dispatcher;
mod job_runner;
mod join;
mod monitor;
mod partitioned_workers;
mod printed;
mod program;
mod progress;
mod windows;
mod word_count;
