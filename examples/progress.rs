//! A long job with a progress bar that a monitor moves: how far it is, how fast, and what holds it up.
//!
//! ```console
//! $ cargo run --example progress
//! $ cargo run --example progress -- --photos 500 --lanes 8 > sizes.txt
//! ```
//!
//! The bar is drawn where a person sees it, on the terminal's standard error, and the result goes to standard output. The
//! job knows nothing of the bar: it looks at the job from outside, ten times a second.
//!
//! ```text
//! ███████████████████████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  67/120  56 %  about 1s left
//! the layer `scale` (examples/progress.rs:52): what feeds it waits for it 100 % of the time
//! ```

use clap::Parser;
use gen_stage::flow::{LaneStats, Monitor};
use gen_stage::prelude::*;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// Scales photos, with a progress bar.
#[derive(Parser)]
struct Args {
    /// How many photos there are.
    #[arg(long, default_value_t = 200)]
    photos: u64,
    /// How many are scaled at the same time: 1 to 64.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    lanes: u8,
}

/// Moves a bar to where the layer with this label is, again and again.
async fn show(monitor: Monitor, label: &str, bar: ProgressBar) {
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let stats = monitor.stats();
        let layer = stats.layers.iter().find(|layer| layer.label.as_deref() == Some(label));
        // Both are read by themselves, one after the other.
        let done = |lane: &LaneStats| lane.taken.saturating_sub(lane.futures);
        let done = layer.map_or(0, |layer| layer.lanes.iter().map(done).sum());
        bar.set_position(done);
        bar.set_message(stats.bottleneck().map_or_else(String::new, |bottleneck| bottleneck.to_string()));
    }
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let mut photos = Flow::from_iter(0..args.photos)
        .label("camera")
        .lanes(1)
        .shuffle()
        .label("scale")
        .lanes(usize::from(args.lanes))
        .demand(2, 1)
        .map_blocking(usize::from(args.lanes), |photo| {
            std::thread::sleep(Duration::from_millis(photo % 7 * 10));
            photo * 1000
        });
    let style =
        ProgressStyle::with_template("{wide_bar}  {pos}/{len}  {percent} %  about {eta} left\n{wide_msg}");
    let bar = ProgressBar::new(args.photos).with_style(style.expect("the template is right"));
    let shown = tokio::spawn(show(photos.monitor(), "scale", bar.clone()));
    let bytes: u64 = photos.sum().await;
    shown.abort();
    bar.finish_and_clear();
    println!("{} photos, {bytes} bytes", args.photos);
}
