//! What is sent while somebody looks.

use crate::client::{ANY_PORT, Follower, STUCK, api, serve};
use gen_stage::prelude::*;
use gen_stage_dashboard::Dashboard;
use serde_json::Value;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, advance, sleep, timeout};

const EVERY: Duration = Duration::from_secs(2);

async fn served() -> SocketAddr {
    serve(Dashboard::new().every(EVERY).bind(ANY_PORT).await.unwrap()).0
}

fn reading(snapshot: &Value) -> u64 {
    snapshot["reading"].as_u64().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_comes_at_once_and_then_one_per_interval() {
    let addr = served().await;
    let start = Instant::now();
    let mut follower = Follower::new(addr).await;
    for number in 1..=5 {
        assert_eq!(reading(&follower.next().await.unwrap()), number);
        // The clock is a virtual one: it goes on only when everybody waits for it.
        assert!(start.elapsed() >= EVERY * (number as u32 - 1), "{number} came early");
        assert!(start.elapsed() < EVERY * (number as u32 + 1), "{number} came late");
    }
}

#[tokio::test(start_paused = true)]
async fn many_who_look_and_ask_share_one_reading_per_interval() {
    let addr = served().await;
    let mut follower = Follower::new(addr).await;
    assert_eq!(reading(&follower.next().await.unwrap()), 1);
    // Fifty who never read what they are sent.
    let mut slow = Vec::new();
    for _ in 0..50 {
        slow.push(Follower::new(addr).await);
    }
    for number in 2..=10 {
        assert_eq!(reading(&follower.next().await.unwrap()), number);
        for _ in 0..5 {
            assert!(
                reading(&api(addr).await) <= number + 1,
                "what is asked for once is no reading of its own"
            );
        }
    }
    // One who comes between two readings gets the last.
    let last = reading(&api(addr).await);
    assert_eq!(reading(&Follower::new(addr).await.next().await.unwrap()), last);
    assert!(last <= 11, "{last}");
    assert_eq!(slow.len(), 50);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_while_nobody_looks() {
    let addr = served().await;
    let mut follower = Follower::new(addr).await;
    assert_eq!(reading(&follower.next().await.unwrap()), 1);
    assert_eq!(reading(&follower.next().await.unwrap()), 2);
    drop(follower);
    // At the next reading at the latest it is seen that the connection is gone.
    sleep(EVERY * 1000).await;
    let read = reading(&api(addr).await);
    assert!(read <= 5, "read {read} times");
    sleep(EVERY * 1000).await;
    assert_eq!(reading(&api(addr).await), read + 1, "and only because it was asked for");
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_gets_the_newest_and_not_all_that_was_missed() {
    // More than what lies in the buffers of a connection: about 1.6 MB a snapshot, and forty of them.
    let jobs =
        DynamicSupervisor::new(|_: u64| pending::<()>()).label_by(|_| "x".repeat(16_000)).into_handle();
    for job in 0..100 {
        jobs.start_child(job).unwrap();
    }
    let dashboard = Dashboard::new().every(EVERY).watch_supervisor("jobs", &jobs);
    let (addr, _serving) = serve(dashboard.bind(ANY_PORT).await.unwrap());
    let mut slow = Follower::new(addr).await;
    let mut fast = Follower::new(addr).await;
    while reading(&fast.next().await.unwrap()) < 40 {}
    let mut readings = Vec::new();
    while readings.last().is_none_or(|last| *last < 40) {
        readings.push(reading(&slow.next().await.unwrap()));
    }
    assert!(readings.len() < 30, "nothing was left out: {readings:?}");
    assert!(readings.is_sorted(), "{readings:?}");
}

#[tokio::test]
async fn a_dashboard_that_is_dropped_ends_its_connections_and_lets_go_of_its_port() {
    let mut flow = Flow::from_iter(0..9);
    let dashboard = Dashboard::new().watch("flow", &flow.monitor()).bind(ANY_PORT).await.unwrap();
    let (addr, serving) = serve(dashboard);
    let mut follower = Follower::new(addr).await;
    assert!(follower.next().await.is_some());
    serving.abort();
    assert!(serving.await.unwrap_err().is_cancelled());
    let end = timeout(STUCK, follower.next()).await.expect("the stream comes to its end");
    assert_eq!(end, None);
    assert!(TcpStream::connect(addr).await.is_err(), "nobody listens");
    assert!(Dashboard::new().bind(addr).await.is_ok(), "the port is free");
    drop(flow);
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_is_asked_for_is_as_old_as_an_interval_at_most() {
    let addr = served().await;
    assert_eq!(reading(&api(addr).await), 1);
    advance(EVERY).await;
    assert_eq!(reading(&api(addr).await), 2);
}
