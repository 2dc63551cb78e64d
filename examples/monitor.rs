//! A flow that says what it does, twice a second, and what holds it up.
//!
//! ```console
//! $ cargo run --example monitor
//! $ cargo run --example monitor -- --at-once 16
//! ```
//!
//! Photos come from a camera that is never tired, are scaled by a service that takes 20 ms for each, and are written to
//! a disk that takes 1 ms. Every half second the table of the monitor is printed anew. With more photos at once, the
//! service is fast enough, and what holds the flow up is something else. The clock is a virtual one, which jumps to the
//! next alarm when everybody waits. Some of the numbers differ from run to run.
//!
//! ```text
//!   lane        taken         sent   waiting open demand   busy   idle back-pressured
//! the layer `camera` (examples/monitor.rs:68)
//!      0            0          112         0           0      -      -              -
//! the layer `scale` (examples/monitor.rs:71)
//!      0           46           50        10           0      -      -              -
//!      1           46           46        10           0      -      -              -
//! the layer `write` (examples/monitor.rs:79)
//!      0           48            0         0          18      -      -              -
//!      1           48            0         0          13      -      -              -
//! read 0, discarded 0, late 0
//!
//!   lane        taken         sent   waiting open demand   busy   idle back-pressured
//! the layer `camera` (examples/monitor.rs:68)
//!      0            0          217         0           0    0 %    0 %          100 %
//! the layer `scale` (examples/monitor.rs:71)
//!      0          101           98        10           0    0 %  100 %            0 %
//!      1           96           98        10           0    0 %  100 %            0 %
//! the layer `write` (examples/monitor.rs:79)
//!      0           98            0         0          15    0 %  100 %            0 %
//!      1           98            0         0          15    0 %  100 %            0 %
//! read 0, discarded 0, late 0
//! the layer `scale` (examples/monitor.rs:71): what feeds it waits for it 100 % of the time
//!
//!   lane        taken         sent   waiting open demand   busy   idle back-pressured
//! the layer `camera` (examples/monitor.rs:68)
//!      0            0          250         0           0    0 %    0 %          100 %  ended
//! the layer `scale` (examples/monitor.rs:71)
//!      0          128          128         0           0    0 %  100 %            0 %  ended
//!      1          122          122         0           0    0 %  100 %            0 %  ended
//! the layer `write` (examples/monitor.rs:79)
//!      0          125            0         0           0    0 %  100 %            0 %  ended
//!      1          125            0         0           0    0 %  100 %            0 %  ended
//! read 0, discarded 0, late 0
//! ```

use clap::Parser;
use gen_stage::prelude::*;
use std::time::Duration;
use tokio::time::sleep;

/// Scales photos, and watches that.
#[derive(Parser)]
struct Args {
    /// How many photos are scaled at once, in all lanes together: 1 or more.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    at_once: u16,
    /// How many photos there are.
    #[arg(long, default_value_t = 250)]
    photos: u32,
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let args = Args::parse();
    let mut photos = Flow::from_iter(0..args.photos)
        .label("camera")
        .lanes(1)
        .shuffle()
        .lanes(2)
        .label("scale")
        .demand(10, 5)
        .map_async(usize::from(args.at_once), |photo| async move {
            sleep(Duration::from_millis(20)).await;
            photo
        })
        .partition_by(|photo| photo % 2)
        .lanes(2)
        .label("write")
        .demand(10, 5);
    let monitor = photos.monitor();
    let mut writing = tokio::spawn(photos.for_each_async(1, |_photo| sleep(Duration::from_millis(1))));
    loop {
        let wait = sleep(Duration::from_millis(500));
        tokio::select! {
            written = &mut writing => break written.expect("nothing fails"),
            () = wait => {}
        }
        let stats = monitor.stats();
        println!("{stats}");
        if let Some(bottleneck) = stats.bottleneck() {
            println!("{bottleneck}");
        }
        println!();
    }
    println!("{}", monitor.stats());
}
