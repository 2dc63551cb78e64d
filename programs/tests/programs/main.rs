//! The programs, run as a user runs them.

mod ingest_service;
mod process;
mod rate_limited_crawler;
