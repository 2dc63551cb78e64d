//! A reader that does not read slows none, loses its oldest lines, and is told how many.

use crate::process::Program;
use std::collections::BTreeMap;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};

struct Client {
    lines: Lines<BufReader<OwnedReadHalf>>,
    to: OwnedWriteHalf,
}

impl Client {
    fn new(socket: TcpStream) -> Self {
        let (from, to) = socket.into_split();
        Self { lines: BufReader::new(from).lines(), to }
    }

    async fn connect(address: &str) -> Self {
        Self::new(TcpStream::connect(address).await.unwrap())
    }

    async fn send(&mut self, text: &str) {
        self.to.write_all(text.as_bytes()).await.unwrap();
    }

    async fn line(&mut self) -> Option<String> {
        self.lines.next_line().await.unwrap()
    }

    async fn reads(&mut self, expected: &str) {
        assert_eq!(self.line().await.as_deref(), Some(expected));
    }
}

fn start(keep: &str) -> (Program, String) {
    let hub = Program::start(env!("CARGO_BIN_EXE_price_hub"), &["--listen", "127.0.0.1:0", "--keep", keep]);
    let address = hub.prints("listening on ");
    (hub, address)
}

#[tokio::test]
async fn a_late_reader_gets_the_last_price_of_each_symbol_and_then_all_that_come() {
    let (hub, address) = start("1000");
    let mut early = Client::connect(&address).await;
    // It is there when it has read this.
    early.send("ACME 1\n").await;
    early.reads("ACME 1").await;
    early.send("ACME 1.5\nINIT 7\nACME 2.25\n").await;
    for line in ["ACME 1.5", "INIT 7", "ACME 2.25"] {
        early.reads(line).await;
    }
    let mut late = Client::connect(&address).await;
    late.reads("ACME 2.25").await;
    late.reads("INIT 7").await;
    late.send("INIT 8\n").await;
    early.reads("INIT 8").await;
    late.reads("INIT 8").await;

    hub.interrupt();
    assert_eq!((early.line().await, late.line().await), (None, None));
    hub.ended_well();
}

#[tokio::test]
async fn what_is_no_price_ends_its_connection_and_no_other() {
    let (_hub, address) = start("1000");
    let (mut good, mut bad) = (Client::connect(&address).await, Client::connect(&address).await);
    bad.send("ACME much\n").await;
    assert_eq!(bad.line().await, None);
    good.send("ACME 1\n").await;
    good.reads("ACME 1").await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_slows_none_and_is_told_what_it_has_lost() {
    const KEEP: usize = 200;
    let (hub, address) = start(&KEEP.to_string());
    let mut fast = Client::connect(&address).await;
    let slow = TcpSocket::new_v4().unwrap();
    slow.set_recv_buffer_size(4096).unwrap();
    let slow = slow.connect(address.parse().unwrap()).await.unwrap();
    let mut slow = Client::new(slow);
    // Both are there when they have read this.
    fast.send("HELLO 0\n").await;
    fast.reads("HELLO 0").await;
    slow.reads("HELLO 0").await;

    // More than all buffers on the way hold; in rounds, so that the fast one need lose nothing.
    let symbol = "S".repeat(2000);
    let (rounds, size) = (100, 100);
    for round in 0..rounds {
        let prices = round * size..(round + 1) * size;
        let text: String = prices.clone().map(|price| format!("{symbol} {price}\n")).collect();
        fast.send(&text).await;
        for price in prices {
            fast.reads(&format!("{symbol} {price}")).await;
        }
    }
    hub.interrupt();
    assert_eq!(fast.line().await, None);

    let (mut read, mut skipped, mut gaps) = (Vec::new(), 0, BTreeMap::new());
    while let Some(line) = slow.line().await {
        match line.strip_prefix("skipped ") {
            Some(lines) => {
                let lines: usize = lines.parse().unwrap();
                skipped += lines;
                gaps.insert(read.len(), lines);
            }
            None => read.push(line.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap()),
        }
    }
    hub.ended_well();
    assert!(skipped > 0, "{} were read", read.len());
    assert_eq!(read.len() + skipped, rounds * size);
    assert!(read[read.len() - KEEP..].iter().copied().eq(rounds * size - KEEP..rounds * size), "{read:?}");
    // Each gap is as long as the line in it says.
    for (at, price) in read.iter().enumerate() {
        let before: usize = gaps.range(..=at).map(|(_, lines)| lines).sum();
        assert_eq!(*price, at + before);
    }
}
