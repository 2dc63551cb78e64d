//! The programs, run as a user runs them.

mod ingest_service;
mod live_sessions;
mod log_analytics;
mod logs;
mod price_hub;
mod process;
mod rate_limited_crawler;
