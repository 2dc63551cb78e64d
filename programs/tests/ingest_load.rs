//! The load test of `ingest_service`, for as many requests as you like:
//! `cargo test --release -p gen_stage_programs --test ingest_load -- --requests 90000`.

#[path = "programs/ingest_service.rs"]
#[allow(dead_code, reason = "its other tests run in the other binary")]
mod ingest_service;
#[path = "programs/process.rs"]
#[allow(dead_code, reason = "other programs have a standard input")]
mod process;

use clap::Parser;

/// Sends readings to `ingest_service`, ends it under load, and counts.
#[derive(Parser)]
struct Args {
    /// How many readings are accepted before Ctrl-C.
    #[arg(long, default_value_t = 2000)]
    requests: u32,
}

#[tokio::main]
async fn main() {
    let Args { requests } = Args::parse();
    ingest_service::end_after(requests).await;
    println!("{requests} requests: answered with 202 = written");
}
