//! Pages of a slow service, 8 at a time and in order, for a reader who is slower still.
//!
//! ```console
//! $ cargo run --example fetch_ordered
//! $ cargo run --example fetch_ordered -- --pages 100 --at-once 16
//! ```
//!
//! The service answers after 200 to 400 ms, and closes a connection whose answer is not picked up within 500 ms. The
//! reader takes a second for each page. With `map_async`, requests that were made are driven whatever the reader does.
//! With `buffered` they wait for him, and the service does not: all that were under way while he was busy are lost. The
//! clock is a virtual one, which jumps to the next alarm when everybody waits.
//!
//! ```text
//! flow, map_async(8).ordered():
//!   page 0: read at 1200 ms
//!   page 1: read at 2200 ms
//!   page 2: read at 3200 ms
//!   page 3: read at 4200 ms
//!   page 4: read at 5200 ms
//!   page 5: read at 6200 ms
//!   6 of 6 pages
//! StreamExt::buffered(8):
//!   page 0: read at 1200 ms
//!   page 1: connection closed
//!   page 2: connection closed
//!   page 3: connection closed
//!   page 4: connection closed
//!   page 5: connection closed
//!   1 of 6 pages
//! ```

use clap::Parser;
use futures::{Stream, StreamExt, stream};
use gen_stage::prelude::*;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Fetches pages in order, many at a time.
#[derive(Parser)]
struct Args {
    /// How many pages there are.
    #[arg(long, default_value_t = 6)]
    pages: u64,
    /// How many are fetched at once: 1 or more.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
    at_once: u64,
}

/// The service did not wait.
struct Closed;

type Page = (u64, Result<String, Closed>);

async fn fetch(number: u64) -> Page {
    // First the headers, then the page: twice the service has something ready to be picked up.
    for wait in [100 * (1 + number % 3), 100] {
        let wait = Duration::from_millis(wait);
        let ready = Instant::now() + wait;
        sleep(wait).await;
        if ready.elapsed() > Duration::from_millis(500) {
            return (number, Err(Closed));
        }
    }
    (number, Ok(format!("page {number}")))
}

/// Takes a second for each page.
async fn read(pages: impl Stream<Item = Page>) {
    let started = Instant::now();
    let mut pages = pin!(pages);
    let (mut read, mut all) = (0, 0);
    while let Some((number, page)) = pages.next().await {
        all += 1;
        match page {
            Ok(page) => {
                sleep(Duration::from_secs(1)).await;
                println!("  {page}: read at {} ms", started.elapsed().as_millis());
                read += 1;
            }
            Err(Closed) => println!("  page {number}: connection closed"),
        }
    }
    println!("  {read} of {all} pages");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Args { pages, at_once } = Args::parse();
    let at_once = usize::try_from(at_once)?;
    let clock = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    clock.block_on(async {
        println!("flow, map_async({at_once}).ordered():");
        // Few numbers at a time, so that both lanes get some of them.
        let numbers = stream::iter(0..pages).flow().lanes(2).demand(4, 2);
        read(numbers.map_async(at_once, fetch).ordered()).await;

        println!("StreamExt::buffered({at_once}):");
        read(stream::iter(0..pages).map(fetch).buffered(at_once)).await;
    });
    Ok(())
}
