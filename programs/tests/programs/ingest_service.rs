//! What is answered with 202 is in the database, and nothing else is.

use crate::process::{Folder, Program};
use reqwest::{Client, StatusCode, header::CONTENT_TYPE};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How many senders there are.
const SENDERS: usize = 8;

/// What the senders were answered.
struct Senders {
    address: String,
    next: AtomicU64,
    /// The numbers of the readings that were accepted.
    accepted: Mutex<BTreeSet<u64>>,
    /// A permit for each of them, and one for each that was refused with 429.
    answered: [Semaphore; 2],
}

impl Senders {
    /// Sends readings until the service refuses them for good.
    async fn send(self: Arc<Self>) {
        let client = Client::new();
        loop {
            let number = self.next.fetch_add(1, Relaxed);
            let reading = format!(r#"{{"sensor": "s{}", "value": {number}}}"#, number % 10);
            let request = client.post(format!("http://{}/readings", self.address));
            let sent = request.header(CONTENT_TYPE, "application/json").body(reading).send().await;
            match sent.map(|response| response.status()) {
                Ok(StatusCode::ACCEPTED) => {
                    self.accepted.lock().unwrap().insert(number);
                    self.answered[0].add_permits(1);
                }
                Ok(StatusCode::TOO_MANY_REQUESTS) => {
                    self.answered[1].add_permits(1);
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
                // It is ending, or gone.
                Ok(StatusCode::SERVICE_UNAVAILABLE) | Err(_) => return,
                Ok(status) => panic!("it answers {status}"),
            }
        }
    }

    /// Waits until so many were accepted.
    async fn accepted(&self, readings: u32) {
        self.answered[0].acquire_many(readings).await.expect("it is not closed").forget();
    }

    /// Waits until so many were refused because the queue was full.
    async fn refused(&self, readings: u32) {
        self.answered[1].acquire_many(readings).await.expect("it is not closed").forget();
    }
}

struct Service {
    program: Program,
    senders: Arc<Senders>,
    sending: JoinSet<()>,
    folder: Folder,
}

impl Service {
    /// Starts the service and all senders.
    fn start(queue: &str) -> Self {
        let folder = Folder::new();
        let database = folder.path("readings.db");
        let arguments = ["--listen", "127.0.0.1:0", "--database", &database, "--queue", queue];
        let program = Program::start(env!("CARGO_BIN_EXE_ingest_service"), &arguments);
        let senders = Arc::new(Senders {
            address: program.prints("listening on "),
            next: AtomicU64::new(0),
            accepted: Mutex::default(),
            answered: [Semaphore::new(0), Semaphore::new(0)],
        });
        let sending = (0..SENDERS).map(|_| Arc::clone(&senders).send()).collect();
        Self { program, senders, sending, folder }
    }

    fn database(&self) -> Connection {
        Connection::open(self.folder.path("readings.db")).unwrap()
    }

    /// Ends it while all senders go on sending, and compares what they were answered with what it wrote.
    async fn end_under_load(self) -> u64 {
        self.program.interrupt();
        let Self { program, senders, sending, folder } = self;
        sending.join_all().await;
        let printed = program.ended_well();

        let database = Connection::open(folder.path("readings.db")).unwrap();
        let mut rows = database.prepare("SELECT value FROM readings").unwrap();
        let rows: Vec<f64> = rows.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "they are whole numbers")]
        let written: BTreeSet<u64> = rows.iter().map(|value| *value as u64).collect();
        let accepted = std::mem::take(&mut *senders.accepted.lock().unwrap());
        assert_eq!(rows.len(), written.len(), "a reading was written twice");
        assert!(accepted == written, "{} accepted, {} written", accepted.len(), written.len());
        assert_eq!(printed, [format!("accepted {0}, written {0}", accepted.len())]);
        accepted.len() as u64
    }
}

/// Ends the service when it has accepted so many readings and more are being sent.
pub(crate) async fn end_after(readings: u32) {
    let service = Service::start("1000");
    service.senders.accepted(readings).await;
    assert!(service.end_under_load().await >= readings.into());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_ctrl_c_all_that_was_answered_with_202_is_written_and_nothing_else() {
    end_after(5000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_slow_has_readings_refused_and_loses_none() {
    let service = Service::start("100");
    service.senders.accepted(1000).await;
    let lock = service.database();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    // What the flow holds is bounded, and so is the queue.
    service.senders.refused(100).await;
    lock.execute_batch("COMMIT").unwrap();
    service.senders.accepted(1000).await;
    service.end_under_load().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_fails_ends_the_service_with_an_error() {
    let service = Service::start("1000");
    service.senders.accepted(10).await;
    service.database().execute_batch("DROP TABLE readings").unwrap();
    let Service { program, senders, sending, folder: _folder } = service;
    sending.join_all().await;
    let (status, printed, told) = program.ended();
    assert_eq!(status.code(), Some(1));
    assert!(told.contains("a batch was not written: no such table: readings"), "{told}");
    let accepted = senders.accepted.lock().unwrap().len();
    assert!(printed[0].starts_with(&format!("accepted {accepted}, written ")), "{printed:?}");
}
