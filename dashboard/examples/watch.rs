//! A flow that is held up in the middle, one with a key that most items have, stages of which one is slow, and a
//! supervisor whose children fail now and then, on a dashboard.
//!
//! ```console
//! $ cargo run -p gen_stage_dashboard --example watch
//! look at http://127.0.0.1:9630
//! ```
//!
//! It runs until Ctrl-C, or for so many seconds as `--for` says. Photos are decoded, scaled by a service that takes 20 ms
//! for each, and written; with `--at-once 64` the service is no longer what holds them up. Clicks are counted by user,
//! and one user clicks more than all others together. Prices go to an archive, and to a screen that shows 20 a second,
//! and so misses most of them. Of the jobs, every seventh fails twice before it succeeds.

use clap::Parser;
use futures::{StreamExt, sink, stream};
use gen_stage::dispatch::Broadcast;
use gen_stage::prelude::*;
use gen_stage::stage::{ConsumerHandle, from_sink, from_stream};
use gen_stage::supervisor::{Child, Restart, SupervisorHandle};
use gen_stage::{Backoff, flow::Throttle};
use gen_stage_dashboard::{Dashboard, DashboardError};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::sleep;

/// Shows flows, stages and a supervisor at work.
#[derive(Parser)]
struct Args {
    /// How many photos are scaled at once, in all lanes together: 1 or more.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    at_once: u16,
    /// Where the page is served.
    #[arg(long, default_value_t = Dashboard::LOOPBACK)]
    addr: SocketAddr,
    /// After how many seconds it ends; by Ctrl-C unless set.
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
}

#[tokio::main]
async fn main() -> Result<(), DashboardError> {
    let args = Args::parse();

    let mut photos = Flow::from_iter(0_u64..)
        .lanes(1)
        .label("camera")
        .shuffle()
        .lanes(2)
        .label("decode")
        .demand(40, 20)
        .map(|photo| photo.wrapping_mul(2_654_435_761))
        .partition_by(|photo| photo % 97)
        .lanes(2)
        .label("scale")
        .demand(40, 20)
        .map_async(usize::from(args.at_once), |photo| async move {
            sleep(Duration::from_millis(20)).await;
            photo
        })
        .partition_by(|photo| photo % 13)
        .lanes(2)
        .label("write")
        .demand(20, 10);
    let photo_monitor = photos.monitor();
    let writing = photos.for_each_async(4, |_photo| sleep(Duration::from_millis(1)));

    // Of 16 clicks, 11 are of user 0.
    let mut clicks = Flow::from_iter(0_u64..)
        .lanes(1)
        .label("clicks")
        .map(|n| if n % 16 < 11 { 0 } else { n % 16 })
        .partition_by(|user| *user)
        .lanes(4)
        .label("by user")
        .demand(50, 25)
        .throttle(Throttle::per_second(2000));
    let click_monitor = clicks.monitor();
    let counting = clicks.for_each(|_user| {});

    let jobs = DynamicSupervisor::with_child(run)
        .label_by(|job| format!("job {job}"))
        .restart(Restart::Transient)
        .max_restarts(1_000_000, Duration::from_secs(5))
        .backoff(Backoff::new(Duration::from_millis(1500), 1.0))
        .into_handle();

    let [archive, screen] = prices();

    let dashboard = Dashboard::new()
        .watch("photos", &photo_monitor)
        .watch("clicks", &click_monitor)
        .watch_supervisor("jobs", &jobs)
        .watch_stages("prices", [archive.stage_ref(), screen.stage_ref()])
        .bind(args.addr)
        .await?;
    println!("look at http://{}", dashboard.local_addr());
    tokio::select! {
        never = dashboard.serve() => match never {},
        () = writing => {}
        () = counting => {}
        () = start_jobs(&jobs) => {}
        () = over(args.seconds) => {}
    }
    Ok(())
}

/// The readers of some hundred prices a second: one takes all, the other the newest, each time it has shown one.
fn prices() -> [ConsumerHandle<u64>; 2] {
    let prices = stream::iter(0_u64..).then(|n| async move {
        sleep(Duration::from_millis(2)).await;
        n
    });
    let prices = from_stream(Box::pin(prices)).stage().label("prices").dispatcher(Broadcast::new()).spawn();
    let archive = from_sink(sink::drain()).stage().label("archive");
    let screen = sink::unfold((), |(), _price: u64| async {
        sleep(Duration::from_millis(50)).await;
        Ok::<_, Infallible>(())
    });
    let screen = from_sink(Box::pin(screen)).stage().label("screen");
    [
        archive.subscribe_to(prices.subscribe().demand(100, 50)).spawn(),
        screen.subscribe_to(prices.subscribe().keep_newest(1)).spawn(),
    ]
}

/// A job takes some seconds; every seventh fails twice.
async fn run(job: u64, child: Child) -> Result<(), String> {
    if job % 7 == 3 && child.restarts() < 2 {
        sleep(Duration::from_millis(700)).await;
        return Err(format!("attempt {}", child.restarts() + 1));
    }
    sleep(Duration::from_millis(2000 + 700 * (job % 5))).await;
    Ok(())
}

/// A job every 400 ms.
async fn start_jobs(jobs: &SupervisorHandle<u64>) {
    stream::iter(0_u64..)
        .for_each(|job| async move {
            let _ = jobs.start_child(job);
            sleep(Duration::from_millis(400)).await;
        })
        .await;
}

async fn over(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => sleep(Duration::from_secs(seconds)).await,
        // Without a signal to wait for, it goes on.
        None if tokio::signal::ctrl_c().await.is_ok() => {}
        None => std::future::pending().await,
    }
}
