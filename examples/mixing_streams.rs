//! One flow between streams and sinks of other crates: `async_stream`, the wrappers of `tokio_stream`, the codecs of
//! `tokio_util` and the `Sink` of `futures`.
//!
//! ```console
//! $ cargo run --example mixing_streams
//! ```
//!
//! Log lines come from three places: a generator, a channel, and a connection. A flow picks the errors on all cores,
//! brings those of each service together, and writes them to another connection. `StreamExt` of either crate goes
//! anywhere in the chain.
//!
//! ```text
//! auth: 2 errors, the last at 300
//! mail: 1 errors, the last at 150
//! shop: 2 errors, the last at 250
//! ```

use async_stream::stream;
use futures::{Stream, StreamExt, stream};
use gen_stage::prelude::*;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::codec::{FramedRead, FramedWrite, LinesCodec};

/// Lines made as they are asked for, with pauses between them.
fn generated() -> impl Stream<Item = String> {
    stream! {
        for at in [100, 200, 300] {
            tokio::time::sleep(Duration::from_millis(1)).await;
            yield format!("{at} auth {}", if at == 200 { "ok" } else { "error" });
        }
    }
}

/// Lines that a task sends.
fn sent() -> impl Stream<Item = String> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for line in ["50 shop error", "250 shop error", "260 shop ok"] {
            if sender.send(line.to_string()).await.is_err() {
                return;
            }
        }
    });
    ReceiverStream::new(receiver)
}

/// Lines that come over a connection, in pieces.
fn received() -> impl Stream<Item = String> {
    let (mut far, near) = duplex(8);
    tokio::spawn(async move { far.write_all(b"150 mail error\n160 mail ok\nnot a line of a log\n").await });
    tokio_stream::StreamExt::filter_map(FramedRead::new(near, LinesCodec::new()), Result::ok)
}

/// Time, service and whether something went wrong; `None` for anything else.
fn parse(line: &str) -> Option<(u64, String, bool)> {
    let mut words = line.split(' ');
    let time = words.next()?.parse().ok()?;
    Some((time, words.next()?.to_string(), words.next()? == "error"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (near, mut far) = duplex(64);
    let lines = stream::select_all([generated().boxed(), sent().boxed(), received().boxed()]);
    let reports = lines
        .flow()
        .filter_map(|line| parse(&line))
        .filter(|(_, _, failed)| *failed)
        // An adapter of tokio_stream's, on every lane.
        .per_lane(|lane| tokio_stream::StreamExt::chunks_timeout(lane, 10, Duration::from_millis(10)))
        .flat_map(|chunk| chunk)
        .partition_by(|(_, service, _)| service.clone())
        .reduce(BTreeMap::new, |errors, (time, service, _)| {
            let (count, last) = errors.entry(service).or_insert((0, 0));
            *count += 1;
            *last = time.max(*last);
        })
        // From here on, adapters of futures.
        .into_stream()
        .map(|(service, (count, last))| Ok(format!("{service}: {count} errors, the last at {last}")));

    // A Sink of futures', around a writer of tokio's.
    let written = reports.forward(FramedWrite::new(near, LinesCodec::new()));
    let mut text = String::new();
    let (written, read) = futures::join!(written, far.read_to_string(&mut text));
    written?;
    read?;
    let mut reports: Vec<&str> = text.lines().collect();
    reports.sort_unstable();
    reports.iter().for_each(|report| println!("{report}"));
    Ok(())
}
