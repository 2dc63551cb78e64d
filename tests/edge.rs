//! Edges: one task sends batches, another asks for them.

mod support;

use crate::support::Alive;
use futures::{FutureExt, Stream, StreamExt};
use gen_stage::Demand;
use gen_stage::edge::{Closed, End, Receiver, SendError, SendRefusal, Sender, edge};
use gen_stage::lane::{Each, Lane};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

fn pair<T>(max: usize, min: usize) -> (Sender<T>, Receiver<T>) {
    edge(Demand::new(max, min).unwrap())
}

fn idle() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn ready(sender: &mut Sender<u32>) -> Option<Result<usize, Closed>> {
    sender.ready().now_or_never()
}

#[test]
fn nothing_is_asked_before_the_first_poll_and_max_by_it() {
    let (mut sender, mut receiver) = pair::<u32>(7, 3);
    assert_eq!(ready(&mut sender), None);
    assert!(receiver.next().now_or_never().is_none());
    assert_eq!(ready(&mut sender), Some(Ok(7)));
    assert!(receiver.next().now_or_never().is_none());
    assert_eq!(sender.counts().asked, 7, "polling again asks no more");
}

#[test]
fn the_golden_sequence_7_3_is_asked_batch_by_batch() {
    let (mut sender, mut receiver) = pair(7, 3);
    let mut cx = idle();
    let (mut asks, mut asked, mut next) = (Vec::new(), 0, 0u32);
    let mut batches = Vec::new();
    for _ in 0..8 {
        if let Poll::Ready(batch) = receiver.poll_batch(&mut cx) {
            batches.push(batch.unwrap());
        }
        let total = sender.counts().asked;
        if total > asked {
            asks.push(total - asked);
            asked = total;
        }
        // A producer that fills the demand, cut in batches of at most 4.
        while let Some(Ok(open)) = ready(&mut sender) {
            let length = open.min(4) as u32;
            sender.send(&mut (next..next + length).collect()).unwrap();
            next += length;
        }
    }
    assert_eq!(asks[..4], [7, 4, 7, 4]);
    assert_eq!(batches[..4], [vec![0, 1, 2, 3], vec![4, 5, 6], vec![7, 8, 9, 10], vec![11, 12, 13, 14]]);
}

#[test]
fn more_than_was_asked_is_refused_and_handed_back() {
    let (mut sender, mut receiver) = pair(2, 0);
    assert!(receiver.next().now_or_never().is_none());
    let mut batch = vec![1, 2, 3];
    let refused = SendError { items: 3, refusal: SendRefusal::NotAsked { demand: 2 } };
    assert_eq!(sender.send(&mut batch), Err(refused));
    assert_eq!(batch, [1, 2, 3]);
    assert_eq!(sender.send(&mut vec![1, 2]), Ok(0));
}

#[test]
fn an_empty_batch_sends_nothing_and_tells_the_demand() {
    let (mut sender, mut receiver) = pair::<u32>(2, 0);
    assert!(receiver.next().now_or_never().is_none());
    assert_eq!(sender.send(&mut Vec::new()), Ok(2));
    assert!(receiver.next().now_or_never().is_none());
}

#[test]
fn each_side_is_woken_by_the_other() {
    let (mut sender, receiver) = pair(1, 0);
    let mut receiver = tokio_test::task::spawn(receiver);
    let mut sending = tokio_test::task::spawn(());
    assert!(sending.enter(|cx, _| sender.poll_ready(cx)).is_pending());
    assert!(receiver.poll_next().is_pending());
    assert!(sending.is_woken(), "by the ask");
    assert_eq!(sending.enter(|cx, _| sender.poll_ready(cx)), Poll::Ready(Ok(1)));
    sender.send(&mut vec!['x']).unwrap();
    assert!(receiver.is_woken(), "by the batch");
    assert_eq!(receiver.poll_next(), Poll::Ready(Some('x')));
    assert!(sending.enter(|cx, _| sender.poll_ready(cx)).is_pending());
    assert!(receiver.poll_next().is_pending());
    assert!(sending.is_woken(), "by the ask after the item");
    sender.finish();
    assert!(receiver.is_woken(), "by the end");
    assert_eq!(receiver.poll_next(), Poll::Ready(None));
    assert_eq!(receiver.poll_next(), Poll::Ready(None), "and for good");
}

#[test]
fn a_sender_that_waits_is_woken_when_the_receiver_goes() {
    let (mut sender, receiver) = pair::<u32>(1, 0);
    let mut sending = tokio_test::task::spawn(());
    assert!(sending.enter(|cx, _| sender.poll_ready(cx)).is_pending());
    drop(receiver);
    assert!(sending.is_woken());
    assert_eq!(sending.enter(|cx, _| sender.poll_ready(cx)), Poll::Ready(Err(Closed)));
    let mut batch = vec![1];
    assert_eq!(sender.send(&mut batch).unwrap_err().refusal, SendRefusal::Closed);
    assert_eq!(batch, [1]);
}

#[test]
fn what_was_sent_is_read_before_either_kind_of_end() {
    for finished in [true, false] {
        let (mut sender, mut receiver) = pair(5, 2);
        assert!(receiver.next().now_or_never().is_none());
        sender.send(&mut vec![1, 2]).unwrap();
        if finished {
            sender.finish();
        } else {
            drop(sender);
        }
        assert_eq!(receiver.end(), None);
        assert_eq!(receiver.by_ref().collect::<Vec<_>>().now_or_never(), Some(vec![1, 2]));
        assert_eq!(receiver.end(), Some(if finished { End::Finished } else { End::Dropped }));
        assert_eq!(receiver.size_hint(), (0, Some(0)));
    }
}

#[test]
fn items_nobody_takes_are_dropped_with_the_edge_and_counted() {
    let alive = Arc::new(AtomicUsize::new(0));
    let (mut sender, mut receiver) = pair(10, 5);
    assert!(receiver.next().now_or_never().is_none());
    sender.send(&mut (0..3).map(|_| Alive::new(&alive)).collect()).unwrap();
    sender.send(&mut (0..4).map(|_| Alive::new(&alive)).collect()).unwrap();
    drop(receiver.next().now_or_never());
    assert_eq!(alive.load(Ordering::SeqCst), 6);
    drop(receiver);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    let counts = sender.counts();
    assert_eq!((counts.asked, counts.sent, counts.taken, counts.discarded), (10, 7, 1, 6));
}

#[test]
fn a_reader_that_breaks_off_takes_up_where_it_left() {
    let (mut sender, mut receiver) = pair(10, 5);
    let mut cx = idle();
    assert!(receiver.poll_batch(&mut cx).is_pending());
    sender.send(&mut vec![1, 2, 3, 4]).unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let polled = Pin::new(&mut receiver).poll_each(&mut cx, &mut |n| {
            seen.push(n);
            if n % 2 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(polled, Poll::Ready(Each::Stopped));
    }
    assert_eq!(seen, [1, 2, 3, 4]);
    assert_eq!(receiver.counts().taken, 4);
    sender.finish();
    let polled = Pin::new(&mut receiver).poll_each(&mut cx, &mut |_| ControlFlow::Continue(()));
    assert_eq!(polled, Poll::Ready(Each::Ended));
}

#[test]
fn a_panic_of_the_reader_leaves_the_rest_in_place() {
    let alive = Arc::new(AtomicUsize::new(0));
    let (mut sender, mut receiver) = pair(10, 5);
    let mut cx = idle();
    assert!(receiver.poll_batch(&mut cx).is_pending());
    sender.send(&mut (0..5).map(|_| Alive::new(&alive)).collect()).unwrap();
    let mut seen = 0;
    let read = catch_unwind(AssertUnwindSafe(|| {
        Pin::new(&mut receiver).poll_each(&mut cx, &mut |_| {
            seen += 1;
            assert!(seen < 3, "the third one is too much");
            ControlFlow::Continue(())
        })
    }));
    assert!(read.is_err());
    let counts = receiver.counts();
    assert_eq!((counts.sent, counts.taken, counts.discarded), (5, 3, 0));
    assert_eq!(alive.load(Ordering::SeqCst), 2);
    assert!(receiver.next().now_or_never().is_some());
    assert_eq!(receiver.close(), 1);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    let counts = sender.counts();
    assert_eq!((counts.sent, counts.taken, counts.discarded), (5, 4, 1));
}

#[test]
fn buffers_come_back_to_the_sender() {
    let (mut sender, mut receiver) = pair(4, 2);
    let mut cx = idle();
    let mut batch: Vec<u32> = Vec::with_capacity(64);
    let mut reused = 0;
    for n in 0..100 {
        let _ = Pin::new(&mut receiver).poll_each(&mut cx, &mut |_| ControlFlow::Continue(()));
        batch.push(n);
        sender.send(&mut batch).unwrap();
        reused += usize::from(batch.capacity() >= 64);
        if batch.capacity() == 0 {
            batch.reserve(64);
        }
    }
    assert!(reused >= 90, "{reused} of 100 batches went in a buffer that had come back");
}

/// What a side of the edge may do next.
#[derive(Debug, Clone)]
enum Act {
    Send(usize),
    Next,
    Batch,
    Pieces(usize),
    Each(usize),
    DropSender,
    Finish,
    DropReceiver,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0usize..12).prop_map(Act::Send),
        4 => Just(Act::Next),
        3 => Just(Act::Batch),
        2 => (1usize..5).prop_map(Act::Pieces),
        4 => (1usize..20).prop_map(Act::Each),
        1 => Just(Act::DropSender),
        1 => Just(Act::Finish),
        1 => Just(Act::DropReceiver),
    ]
}

proptest! {
    /// Any sequence of acts of both sides, against a queue: order, the bound, and where every item went.
    #[test]
    fn any_sequence_of_acts_keeps_the_invariants(
        max in 1usize..12,
        below in any::<prop::sample::Index>(),
        acts in prop::collection::vec(act(), 0..120),
    ) {
        let (sender, receiver) = pair::<u32>(max, below.index(max));
        let (mut sender, mut receiver) = (Some(sender), Some(receiver));
        let (mut model, mut next, mut taken) = (VecDeque::new(), 0, 0u64);
        let mut cx = idle();
        for act in acts {
            match (act, &mut sender, &mut receiver) {
                (Act::Send(items), Some(sender), _) => {
                    let mut batch: Vec<u32> = (next..next + items as u32).collect();
                    let counts = sender.counts();
                    let open = (counts.asked - counts.sent) as usize;
                    match sender.send(&mut batch) {
                        Ok(left) => {
                            prop_assert!(batch.is_empty());
                            prop_assert!(items <= open);
                            prop_assert_eq!(left, open - items);
                            model.extend(next..next + items as u32);
                            next += items as u32;
                        }
                        Err(refused) => {
                            prop_assert_eq!(batch.len(), items, "handed back");
                            prop_assert!(items > open || receiver.is_none());
                            prop_assert_eq!(refused.items, items);
                        }
                    }
                }
                (Act::Next, _, Some(receiver)) => {
                    if let Poll::Ready(Some(item)) = Pin::new(receiver).poll_next(&mut cx) {
                        prop_assert_eq!(Some(item), model.pop_front());
                        taken += 1;
                    }
                }
                (Act::Batch, _, Some(receiver)) => {
                    if let Poll::Ready(Some(batch)) = receiver.poll_batch(&mut cx) {
                        prop_assert!(!batch.is_empty());
                        taken += batch.len() as u64;
                        for item in batch {
                            prop_assert_eq!(Some(item), model.pop_front());
                        }
                    }
                }
                (Act::Pieces(limit), _, Some(receiver)) => {
                    if let Poll::Ready(Some(batch)) = Lane::poll_batch(Pin::new(receiver), &mut cx, limit) {
                        prop_assert!((1..=limit).contains(&batch.len()));
                        taken += batch.len() as u64;
                        for item in batch {
                            prop_assert_eq!(Some(item), model.pop_front());
                        }
                    }
                }
                (Act::Each(stop), _, Some(receiver)) => {
                    let mut seen = Vec::new();
                    let _ = Pin::new(receiver).poll_each(&mut cx, &mut |item| {
                        seen.push(item);
                        if seen.len() < stop { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                    });
                    taken += seen.len() as u64;
                    for item in seen {
                        prop_assert_eq!(Some(item), model.pop_front());
                    }
                }
                (Act::DropSender, sender, _) => drop(sender.take()),
                (Act::Finish, sender, _) => {
                    if let Some(sender) = sender.take() {
                        sender.finish();
                    }
                }
                (Act::DropReceiver, Some(sender), receiver) => {
                    drop(receiver.take());
                    let counts = sender.counts();
                    prop_assert_eq!(counts.sent, counts.taken + counts.discarded);
                    prop_assert_eq!(counts.taken, taken);
                    model.clear();
                }
                _ => {}
            }
            prop_assert!(model.len() <= max, "an edge holds at most max_demand");
            if let Some(receiver) = &receiver {
                let counts = receiver.counts();
                prop_assert!(counts.sent <= counts.asked);
                prop_assert!(counts.asked - counts.taken <= max as u64);
                prop_assert_eq!(counts.taken, taken);
                prop_assert_eq!(counts.sent - counts.taken, model.len() as u64);
            }
        }
        // Nothing is stuck: what was sent and not taken can be read to the end.
        if let Some(mut receiver) = receiver {
            drop(sender);
            let rest: Vec<u32> = receiver.by_ref().collect::<Vec<_>>().now_or_never().unwrap();
            prop_assert!(rest.into_iter().eq(model));
        }
    }
}

/// A waker that owns what a task of its own would: one side of an edge.
struct Owner<T>(std::sync::Mutex<Option<T>>);

impl<T: Send> std::task::Wake for Owner<T> {
    fn wake(self: std::sync::Arc<Self>) {}
}

fn owning<T: Send + 'static>(side: T) -> Waker {
    Waker::from(std::sync::Arc::new(Owner(std::sync::Mutex::new(Some(side)))))
}

#[test]
fn a_waker_that_is_the_last_owner_of_the_other_side_can_be_replaced() {
    let demand = Demand::new(2, 0).unwrap();
    let (sender, mut receiver) = edge::<u32>(demand);
    assert!(Pin::new(&mut receiver).poll_next(&mut Context::from_waker(&owning(sender))).is_pending());
    // Drops the sender, which tells this receiver.
    let again = &mut Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut receiver).poll_next(again).is_pending());
    assert_eq!(Pin::new(&mut receiver).poll_next(again), Poll::Ready(None));

    let (mut sender, receiver) = edge::<u32>(demand);
    assert!(sender.poll_ready(&mut Context::from_waker(&owning(receiver))).is_pending());
    assert!(sender.poll_ready(again).is_pending());
    assert_eq!(sender.poll_ready(again), Poll::Ready(Err(Closed)));
}
