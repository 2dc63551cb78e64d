//! Fetches the pages of a list, at a rate that retries count against, and prints their sizes in the order of the list.
//!
//! ```console
//! $ cargo run -p gen_stage_programs --bin rate_limited_crawler -- --per-second 5 urls.txt > sizes.tsv
//! ```
//!
//! It prints `url<TAB>bytes`. What fails in a way that may pass, by 429, by 5xx or without an answer, is tried again
//! after a pause. Pages that are given up are in the file of dead letters, as `url<TAB>why`: its first column is a list
//! to be run again. The last line, on standard error, accounts for all pages of the list.

use clap::Parser;
use futures::{Sink, StreamExt};
use gen_stage::flow::{Retry, Throttle};
use gen_stage::prelude::*;
use reqwest::{Client, StatusCode};
use std::error::Error;
use std::fmt::Debug;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;
use tokio::fs::{self, File};
use tokio_util::codec::{FramedWrite, LinesCodec};

/// Fetches the pages of a list, at a rate.
#[derive(Parser)]
struct Args {
    /// A file with one URL in each line.
    list: PathBuf,
    /// How many requests are begun in a second, retries included: 1 to 1000.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    per_second: u32,
    /// How many pages are on their way at the same time: 1 or more.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    at_once: u16,
    /// How many times a page is tried again.
    #[arg(long, default_value_t = 3)]
    retries: u32,
    /// The pause before the first retry, in milliseconds; each later one is twice as long.
    #[arg(long, default_value_t = 500)]
    pause: u64,
    /// Where the pages go that were given up.
    #[arg(long, default_value = "dead_letters.tsv")]
    dead_letters: PathBuf,
}

/// Why there is no page.
struct Failure {
    /// It may go better another time.
    temporary: bool,
    why: String,
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let passes = |status: StatusCode| status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let temporary = !error.is_builder() && error.status().is_none_or(passes);
        Self { temporary, why: error.without_url().to_string() }
    }
}

/// The size of a page.
async fn fetch(client: Client, url: String) -> Result<usize, Failure> {
    let answer = client.get(url).send().await?.error_for_status()?;
    Ok(answer.bytes().await?.len())
}

/// The pages that were fetched, in the order of the list; those that were given up go to `dead`.
fn crawl<Fut>(
    urls: Vec<String>,
    args: &Args,
    fetch: impl Fn(String) -> Fut + Send + Sync + 'static,
    dead: impl Sink<String, Error: Debug> + Send + 'static,
) -> Flow<impl Readable<Item = (String, usize)>>
where
    Fut: Future<Output = Result<usize, Failure>> + Send + 'static,
{
    // Clones are one rate. Without a burst, requests are evenly apart.
    let rate = Throttle::per_second(args.per_second.into()).burst(1);
    let attempt = move |url: String| {
        let (rate, fetched) = (rate.clone(), fetch(url.clone()));
        async move {
            rate.acquire().await;
            match fetched.await {
                Ok(bytes) => Ok((url, bytes)),
                Err(failure) => Err((url, failure)),
            }
        }
    };
    let retry = Retry::times(args.retries)
        .backoff(Duration::from_millis(args.pause), 2.0)
        .when(|(_, failure): &(String, Failure)| failure.temporary);
    Flow::from_iter(urls)
        .map_async(args.at_once.into(), retry.wrap(attempt))
        .map_err(|(url, failure)| format!("{url}\t{}", failure.why))
        .dead_letters(dead)
        .ordered()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let list = fs::read_to_string(&args.list).await?;
    let urls = list.lines().map(str::trim).filter(|url| !url.is_empty()).map(String::from);
    let urls: Vec<String> = urls.collect();
    let dead = FramedWrite::new(File::create(&args.dead_letters).await?, LinesCodec::new());
    let client = Client::builder().timeout(Duration::from_secs(30)).build()?;

    let (all, mut fetched) = (urls.len(), 0);
    let mut pages = crawl(urls, &args, move |url| fetch(client.clone(), url), dead);
    while let Some((url, bytes)) = pages.next().await {
        writeln!(io::stdout(), "{url}\t{bytes}")?;
        fetched += 1;
    }
    eprintln!("{all} pages: {fetched} fetched, {} given up", all - fetched);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Args, Failure, crawl};
    use clap::Parser;
    use futures::{StreamExt, channel::mpsc};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn retries_count_against_the_rate() {
        let args = Args::parse_from([
            "crawler",
            "urls.txt",
            "--per-second",
            "10",
            "--retries",
            "1",
            "--pause",
            "100",
        ]);
        let attempts = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&attempts);
        // Every third page fails once, and every tenth always.
        let fetch = move |url: String| {
            let log = Arc::clone(&log);
            async move {
                let number: usize = url.parse().expect("it is a number");
                let first = {
                    let mut log = log.lock().unwrap();
                    let first = log.iter().all(|(other, _)| *other != number);
                    log.push((number, Instant::now()));
                    first
                };
                let fails = number % 10 == 0 || number % 3 == 0 && first;
                if fails { Err(Failure { temporary: true, why: "busy".into() }) } else { Ok(number) }
            }
        };
        let (dead, letters) = mpsc::unbounded();
        let urls = (1..=60).map(|number: usize| number.to_string()).collect();
        let pages: Vec<_> = crawl(urls, &args, fetch, dead).collect().await;

        let good: Vec<_> = (1..=60).filter(|number| number % 10 != 0).collect();
        assert!(pages.iter().map(|page| page.1).eq(good), "{pages:?}");
        let letters: Vec<String> = letters.collect().await;
        assert_eq!(letters.len(), 6, "{letters:?}");
        assert!(letters.contains(&"10\tbusy".to_owned()), "{letters:?}");
        let attempts = attempts.lock().unwrap();
        assert_eq!(attempts.len(), 60 + 20 + 4);
        let apart = attempts.windows(2).map(|pair| pair[1].1 - pair[0].1).min();
        assert!(apart >= Some(Duration::from_millis(100)), "{apart:?}");
    }
}
