//! Every interleaving of the two sides of an edge, for small numbers of items.
//!
//! ```console
//! $ RUSTFLAGS="--cfg gen_stage_loom" cargo test --release --test loom
//! ```
#![cfg(gen_stage_loom)]

use gen_stage::Demand;
use gen_stage::edge::{Closed, End, Receiver, Sender, edge};
use gen_stage::lane::{Each, Lane};
use loom::future::block_on;
use loom::thread;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::Pin;

/// Runs `model` in every order in which its threads can be interleaved, or in every one with at most so many places
/// where a thread is stopped that could have gone on: without a bound, the larger ones take hours.
fn explore(stops: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = stops;
    builder.check(model);
}

fn pair(max: usize, min: usize) -> (Sender<u32>, Receiver<u32>) {
    edge(Demand::new(max, min).unwrap())
}

/// Sends 0, 1, 2 …, as many at once as may be and at most `batch`.
async fn send_all(sender: &mut Sender<u32>, items: u32, batch: u32) -> Result<(), Closed> {
    let mut next = 0;
    while next < items {
        let open = sender.ready().await? as u32;
        let end = items.min(next + open.min(batch));
        sender.send(&mut (next..end).collect()).map_err(|_| Closed)?;
        next = end;
    }
    Ok(())
}

async fn next(receiver: &mut Receiver<u32>) -> Option<u32> {
    poll_fn(|cx| futures::Stream::poll_next(Pin::new(&mut *receiver), cx)).await
}

#[test]
fn every_item_arrives_in_order_and_nobody_is_left_waiting() {
    for (max, min) in [(1, 0), (2, 0), (2, 1), (3, 1)] {
        explore(Some(3), move || {
            let (mut sender, mut receiver) = pair(max, min);
            let sending = thread::spawn(move || {
                block_on(async {
                    send_all(&mut sender, 3, 2).await.unwrap();
                    sender.finish();
                });
            });
            block_on(async {
                for expected in 0..3 {
                    assert_eq!(next(&mut receiver).await, Some(expected));
                    let counts = receiver.counts();
                    assert!(counts.sent <= counts.asked);
                    assert!(counts.asked - counts.taken <= max as u64);
                }
                assert_eq!(next(&mut receiver).await, None);
                assert_eq!(receiver.end(), Some(End::Finished));
            });
            sending.join().unwrap();
        });
    }
}

#[test]
fn a_loop_over_batches_sees_every_item_too() {
    explore(Some(4), || {
        let (mut sender, mut receiver) = pair(2, 1);
        let sending = thread::spawn(move || {
            block_on(async {
                send_all(&mut sender, 3, 2).await.unwrap();
                sender.finish();
            });
        });
        let mut seen = Vec::new();
        block_on(poll_fn(|cx| {
            loop {
                // Breaks behind every item, so that asking early is part of it.
                match std::task::ready!(Pin::new(&mut receiver).poll_each(cx, &mut |n| {
                    seen.push(n);
                    ControlFlow::Break(())
                })) {
                    Each::Ended => return std::task::Poll::Ready(()),
                    Each::Stopped => {}
                }
            }
        }));
        assert_eq!(seen, [0, 1, 2]);
        sending.join().unwrap();
    });
}

#[test]
fn a_receiver_that_goes_wakes_the_sender_and_every_item_is_accounted_for() {
    for takes in 0..2 {
        explore(Some(4), move || {
            let (mut sender, mut receiver) = pair(2, 0);
            let reading = thread::spawn(move || {
                block_on(async {
                    for expected in 0..takes {
                        assert_eq!(next(&mut receiver).await, Some(expected));
                    }
                });
                drop(receiver);
            });
            let sent = block_on(send_all(&mut sender, 4, 2));
            assert_eq!(sent, Err(Closed), "it wants no more than 2");
            reading.join().unwrap();
            let counts = sender.counts();
            assert_eq!(counts.taken, u64::from(takes));
            assert_eq!(counts.sent, counts.taken + counts.discarded);
            assert!(counts.sent <= counts.asked);
        });
    }
}

#[test]
fn a_sender_that_goes_wakes_the_receiver_which_reads_what_was_sent() {
    explore(None, || {
        let (mut sender, mut receiver) = pair(2, 0);
        let sending = thread::spawn(move || {
            block_on(send_all(&mut sender, 1, 1)).unwrap();
            drop(sender);
        });
        block_on(async {
            assert_eq!(next(&mut receiver).await, Some(0));
            assert_eq!(next(&mut receiver).await, None);
            assert_eq!(receiver.end(), Some(End::Dropped));
        });
        sending.join().unwrap();
    });
}

#[test]
fn both_sides_may_go_at_once() {
    explore(None, || {
        let (mut sender, mut receiver) = pair(1, 0);
        let sending = thread::spawn(move || {
            let _ = block_on(send_all(&mut sender, 2, 1));
            let counts = sender.counts();
            assert!(counts.sent <= counts.asked);
            sender.finish();
        });
        let first = block_on(next(&mut receiver));
        assert_eq!(first, Some(0));
        drop(receiver);
        sending.join().unwrap();
    });
}
