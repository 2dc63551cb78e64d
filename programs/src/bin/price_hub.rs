//! Prices for whoever connects: each reader gets all of them from the moment it comes, and a slow one slows none.
//!
//! ```console
//! $ cargo run -p gen_stage_programs --bin price_hub
//! $ nc localhost 7070
//! ```
//!
//! A line `SYMBOL price` from any connection goes to all connections. A new one gets the last price of each symbol
//! first. For a reader that does not keep up, the newest 1000 lines wait; it loses older ones, and a line `skipped N`
//! says how many. After Ctrl-C, readers have 5 seconds to read what waits for them.

use clap::Parser;
use gen_stage::dispatch::{Broadcast, Selector};
use gen_stage::prelude::*;
use gen_stage::stage::{Output, ProducerHandle, Reply, StageError};
use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::{task::JoinSet, time::timeout};

/// Prices for whoever connects.
#[derive(Parser)]
struct Args {
    #[arg(long, default_value = "127.0.0.1:7070")]
    listen: String,
    /// How many lines wait for a reader that does not keep up.
    #[arg(long, default_value_t = 1000)]
    keep: usize,
}

/// A line `SYMBOL price`, and its number: 1, 2, 3 …
type Price = (u64, String);
type Hub = ProducerHandle<Price, Selector<Price>, Message>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The last price of each symbol.
#[derive(Default)]
struct Prices {
    last: BTreeMap<String, Price>,
    number: u64,
}

enum Message {
    Set(String, f64),
    Last(Reply<Vec<Price>>),
}

impl Producer<Message> for Prices {
    type Item = Price;

    /// Prices come by themselves.
    async fn handle_demand(&mut self, _: usize, _: &mut Output<Price, Message>) -> Result<(), StageError> {
        Ok(())
    }

    async fn handle_message(
        &mut self,
        message: Message,
        out: &mut Output<Price, Message>,
    ) -> Result<(), StageError> {
        match message {
            Message::Set(symbol, price) => {
                self.number += 1;
                let price = (self.number, format!("{symbol} {price}\n"));
                self.last.insert(symbol, price.clone());
                out.push(price);
            }
            Message::Last(reply) => out.reply(reply, self.last.values().cloned().collect()),
        }
        Ok(())
    }
}

/// Takes prices from a connection.
async fn publish(from: tcp::OwnedReadHalf, hub: &Hub) -> Result<(), Failure> {
    let mut lines = BufReader::new(from).lines();
    while let Some(line) = lines.next_line().await? {
        let fields = line.split_once(' ').and_then(|(symbol, price)| Some((symbol, price.parse().ok()?)));
        let (symbol, price) = fields.ok_or_else(|| format!("`{line}` is not `SYMBOL price`"))?;
        if hub.cast(Message::Set(symbol.to_owned(), price)).await.is_err() {
            break; // The program is ending.
        }
    }
    Ok(())
}

/// Sends prices to a connection. Its subscription loses prices when it is slow, and so slows no other.
async fn deliver(mut to: tcp::OwnedWriteHalf, hub: &Hub, keep: usize) -> Result<(), Failure> {
    // First the subscription: what changes between the two comes twice, and is not missed.
    let mut prices = hub.subscribe().keep_newest(keep).await?;
    let first = hub.call(Message::Last).await?;
    let known = first.iter().map(|(number, _)| *number).max().unwrap_or(0);
    let (mut last, mut batch) = (known, Some(first));
    while let Some(prices_now) = batch {
        let mut text = String::new();
        for (number, line) in prices_now {
            if number > last + 1 {
                text += &format!("skipped {}\n", number - last - 1);
            }
            last = last.max(number);
            text += &line;
        }
        to.write_all(text.as_bytes()).await?;
        batch = prices.next_batch().await;
        batch.iter_mut().for_each(|batch| batch.retain(|(number, _)| *number > known));
    }
    Ok(())
}

async fn serve(socket: TcpStream, hub: Hub, keep: usize) -> Result<(), Failure> {
    let (from, to) = socket.into_split();
    tokio::select! {
        delivered = deliver(to, &hub, keep) => delivered,
        // One that has no more prices to tell may go on reading.
        Err(failure) = publish(from, &hub) => Err(failure),
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let Args { listen, keep } = Args::parse();
    let listener = TcpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addr()?);
    let hub = Prices::default().stage().label("prices").dispatcher(Broadcast::new()).spawn();
    let mut connections = JoinSet::new();
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            interrupted = &mut interrupted => break interrupted?,
            accepted = listener.accept() => drop(connections.spawn(serve(accepted?.0, hub.clone(), keep))),
            Some(Ok(Err(failure))) = connections.join_next() => eprintln!("a connection has failed: {failure}"),
        }
    }
    // It is told at once. Then subscriptions end, and connections do when they have sent what waits.
    drop(hub.finish());
    let ended = async { while connections.join_next().await.is_some() {} };
    timeout(Duration::from_secs(5), ended).await.map_err(|_| "some readers have not read everything".into())
}
