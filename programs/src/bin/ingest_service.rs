//! Takes readings over HTTP and writes them to SQLite in batches. Ctrl-C ends it without losing one that was accepted.
//!
//! ```console
//! $ cargo run -p gen_stage_programs --bin ingest_service -- --database readings.db
//! $ curl -i localhost:8080/readings --json '{"sensor": "attic", "value": 21.5}'
//! ```
//!
//! | answer | means |
//! |---|---|
//! | 202 | the reading is accepted: it will be written, unless the process is killed or the database fails |
//! | 429 | the queue is full, for the database is slower than the senders: try again later |
//! | 503 | the service is ending |
//!
//! After Ctrl-C no reading is accepted any more. What was accepted has 10 seconds to be written. The last line says how
//! many were accepted and how many were written; the exit code is 0 only if these are equal.

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use clap::Parser;
use gen_stage::prelude::*;
use rusqlite::Connection;
use serde::Deserialize;
use std::error::Error;
use std::future::IntoFuture;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::oneshot;
use tokio_stream::wrappers::ReceiverStream;

/// A transaction writes up to so many readings, and begins at the latest so long after the first of them came.
const BATCH: usize = 1000;
const WITHIN: Duration = Duration::from_millis(50);

/// How long what was accepted may take to be written after Ctrl-C.
const DEADLINE: Duration = Duration::from_secs(10);

/// Takes readings over HTTP and writes them to SQLite.
#[derive(Parser)]
struct Args {
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    #[arg(long, default_value = "readings.db")]
    database: PathBuf,
    /// How many readings may wait for the database before more are refused: 1 or more.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    queue: u32,
}

#[derive(Deserialize)]
struct Reading {
    sensor: String,
    value: f64,
}

/// The entrance. It does not keep the queue open: the queue ends when `main` drops its sender.
struct Entrance {
    queue: mpsc::WeakSender<Reading>,
    accepted: AtomicU64,
}

async fn accept(State(entrance): State<Arc<Entrance>>, Json(reading): Json<Reading>) -> StatusCode {
    let Some(queue) = entrance.queue.upgrade() else { return StatusCode::SERVICE_UNAVAILABLE };
    match queue.try_send(reading) {
        Ok(()) => {
            entrance.accepted.fetch_add(1, SeqCst);
            StatusCode::ACCEPTED
        }
        Err(TrySendError::Full(_)) => StatusCode::TOO_MANY_REQUESTS,
        Err(TrySendError::Closed(_)) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn open(database: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(database)?;
    database.busy_timeout(Duration::from_secs(30))?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database
        .execute("CREATE TABLE IF NOT EXISTS readings (sensor TEXT NOT NULL, value REAL NOT NULL)", ())?;
    Ok(database)
}

/// Writes all of a batch or nothing of it.
fn write(database: &mut Connection, batch: &[Reading]) -> rusqlite::Result<()> {
    let transaction = database.transaction()?;
    let mut insert = transaction.prepare_cached("INSERT INTO readings (sensor, value) VALUES (?1, ?2)")?;
    for Reading { sensor, value } in batch {
        insert.execute((sensor, value))?;
    }
    drop(insert);
    transaction.commit()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let database = Arc::new(Mutex::new(open(&args.database)?));
    let written = Arc::new(AtomicU64::new(0));
    let (queue, readings) = mpsc::channel(args.queue as usize);
    let entrance = Arc::new(Entrance { queue: queue.downgrade(), accepted: AtomicU64::new(0) });

    let count = Arc::clone(&written);
    let flow = ReceiverStream::new(readings)
        .flow()
        .label("database")
        .lanes(1)
        .batch(BATCH)
        .within(WITHIN)
        .map_blocking(1, move |batch: Vec<Reading>| {
            let mut database = database.lock().unwrap_or_else(PoisonError::into_inner);
            // A panic ends the flow, and so the service: see `flow.wait()`.
            write(&mut database, &batch).unwrap_or_else(|error| panic!("a batch was not written: {error}"));
            count.fetch_add(batch.len() as u64, SeqCst);
        })
        .start();

    let app = Router::new().route("/readings", post(accept)).with_state(Arc::clone(&entrance));
    let listener = TcpListener::bind(&args.listen).await?;
    println!("listening on {}", listener.local_addr()?);
    let (end, ended) = oneshot::channel::<()>();
    let server = axum::serve(listener, app).with_graceful_shutdown(async { _ = ended.await });
    let server = tokio::spawn(server.into_future());

    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        // The database has failed. Requests are answered with 503 already.
        _ = flow.wait() => {}
    }
    // The server lets the requests come to their ends that it has; the queue ends when they have.
    drop((end, queue));
    let (report, _) = tokio::join!(flow.drain(DEADLINE), tokio::time::timeout(DEADLINE, server));

    let (accepted, written) = (entrance.accepted.load(SeqCst), written.load(SeqCst));
    println!("accepted {accepted}, written {written}");
    report.into_result().map_err(|error| error.to_string())?;
    if accepted == written { Ok(()) } else { Err("not everything was written".into()) }
}
