//! A flow whose numbers Prometheus reads, at `/metrics`.
//!
//! ```console
//! $ cargo run -p gen_stage_dashboard --example prometheus
//! metrics at http://127.0.0.1:9640/metrics
//! ```
//!
//! Clicks are counted by user, one after the other, for as long as there are clicks: without end, or as many as `--clicks`
//! says. It runs until Ctrl-C. The numbers are set when they are asked for, so that what Prometheus gets is of that moment.
//! `gen_stage` has the feature `metrics` here; the exporter does without its own server, for axum is there anyway.

use axum::Router;
use axum::routing::get;
use clap::Parser;
use futures::StreamExt;
use gen_stage::flow::Throttle;
use gen_stage::prelude::*;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder};
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;

/// Serves the numbers of a flow at work.
#[derive(Parser)]
struct Args {
    /// Where they are served.
    #[arg(long, default_value = "127.0.0.1:9640")]
    addr: SocketAddr,
    /// How many clicks there are; without end unless set.
    #[arg(long, default_value_t = u64::MAX)]
    clicks: u64,
}

/// Why there is nothing to read.
#[derive(Debug, Error)]
enum ServeError {
    #[error("metrics cannot be recorded: {0}")]
    Record(#[from] BuildError),
    #[error("metrics cannot be served: {0}")]
    Serve(#[from] std::io::Error),
}

#[tokio::main]
async fn main() -> Result<(), ServeError> {
    let args = Args::parse();

    let mut clicks = Flow::from_iter(0..args.clicks)
        .lanes(1)
        .label("read")
        .map(|n| n % 16)
        .partition_by(|user| *user)
        .lanes(2)
        .label("by user")
        .throttle(Throttle::per_second(10_000));
    let monitor = clicks.monitor();
    tokio::spawn(async move { while clicks.next().await.is_some() {} });

    let exporter = PrometheusBuilder::new().install_recorder()?;
    let rendered = move || {
        monitor.stats().record_metrics("clicks");
        exporter.run_upkeep();
        exporter.render()
    };
    let listener = TcpListener::bind(args.addr).await?;
    println!("metrics at http://{}/metrics", listener.local_addr()?);
    let app = Router::new().route("/metrics", get(move || async move { rendered() }));
    axum::serve(listener, app).with_graceful_shutdown(over()).await?;
    Ok(())
}

/// Ctrl-C. Without a signal to wait for, it goes on.
async fn over() {
    while tokio::signal::ctrl_c().await.is_err() {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}
