//! Subscriptions that lose items instead of holding others up.

use futures::{FutureExt, StreamExt};
use gen_stage::dispatch::{Broadcast, Partition, Selector};
use gen_stage::prelude::*;
use gen_stage::stage::{
    Control, Keeps, ProducerHandle, Reason, StageError, Subscribe, Subscription, Upstream, from_iter,
    from_stream,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::UnboundedReceiverStream;

type Prices = ProducerHandle<u64, Selector<u64>>;

/// A stage that sends to all what the test sends.
fn prices() -> (mpsc::UnboundedSender<u64>, Prices) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, from_stream(UnboundedReceiverStream::new(receiver)).stage().dispatcher(Broadcast::new()).spawn())
}

/// Sends these, and waits until another subscription has them.
async fn send(to: &mpsc::UnboundedSender<u64>, items: std::ops::Range<u64>, other: &mut Subscription<u64>) {
    for item in items.clone() {
        to.send(item).unwrap();
    }
    for item in items {
        assert_eq!(other.next().await, Some(item));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_keeps_its_newest_gets_what_is_newest_when_it_reads() {
    let (sender, prices) = prices();
    let mut all = prices.subscribe().await.unwrap();
    let mut last = prices.subscribe().keep_newest(2).await.unwrap();
    assert_eq!(last.next_batch().now_or_never(), None);
    send(&sender, 0..5, &mut all).await;
    assert_eq!(last.next_batch().await, Some(vec![3, 4]));
    assert_eq!(last.next_batch().now_or_never(), None);
    send(&sender, 5..6, &mut all).await;
    assert_eq!(last.next_batch().await, Some(vec![5]));
    send(&sender, 6..16, &mut all).await;
    assert_eq!(last.next().await, Some(14));
    let status = last.status();
    assert_eq!((status.sent, status.taken, status.undelivered, status.dropped), (16, 5, 11, 11));
}

#[tokio::test(start_paused = true)]
async fn what_is_newest_is_found_out_item_by_item_with_a_demand_of_one() {
    let (sender, prices) = prices();
    let mut all = prices.subscribe().await.unwrap();
    let mut last = prices.subscribe().demand(1, 0).keep_newest(2).await.unwrap();
    assert_eq!(last.next_batch().now_or_never(), None);
    send(&sender, 0..5, &mut all).await;
    assert_eq!(last.next().await, Some(3));
    send(&sender, 5..9, &mut all).await;
    assert_eq!((last.next().await, last.next().await), (Some(7), Some(8)));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_keeps_its_oldest_loses_what_comes_after_them() {
    let (sender, prices) = prices();
    let mut all = prices.subscribe().await.unwrap();
    let mut first = prices.subscribe().keep_oldest(3).await.unwrap();
    send(&sender, 0..5, &mut all).await;
    assert_eq!(first.next_batch().await, Some(vec![0, 1, 2]));
    send(&sender, 5..7, &mut all).await;
    assert_eq!(first.next_batch().await, Some(vec![5, 6]));
    assert_eq!(first.status().dropped, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_when_the_producer_ends_comes_before_the_end() {
    let (sender, prices) = prices();
    let mut all = prices.subscribe().await.unwrap();
    let mut last = prices.subscribe().manual().keep_newest(2).await.unwrap();
    send(&sender, 0..5, &mut all).await;
    assert_eq!(last.next_batch().now_or_never(), None, "it has asked for nothing");
    drop(sender);
    assert_eq!(all.next().await, None);
    assert_eq!(last.next_batch().await, Some(vec![3, 4]));
    assert_eq!(last.next_batch().await, None);
    assert!(matches!(last.end(), Some(Reason::Normal)));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_asks_by_hand_gets_as_much_as_it_asks_for_and_at_that_moment() {
    let (sender, prices) = prices();
    let mut all = prices.subscribe().await.unwrap();
    let mut last = prices.subscribe().manual().keep_newest(3).await.unwrap();
    send(&sender, 0..5, &mut all).await;
    last.ask(2);
    assert_eq!(last.next_batch().await, Some(vec![2, 3]));
    assert_eq!(last.next_batch().now_or_never(), None);
    send(&sender, 5..9, &mut all).await;
    last.ask(1);
    assert_eq!(last.next_batch().await, Some(vec![6]));
    let status = prices.status().await.unwrap().consumers;
    assert_eq!((status[1].demand, status[1].dropped), (0, 2 + 2));
}

#[tokio::test(start_paused = true)]
async fn what_a_reader_that_leaves_has_not_read_is_undelivered() {
    let (sender, prices) = prices();
    let mut all = prices.subscribe().await.unwrap();
    let last = prices.subscribe().keep_newest(2).await.unwrap();
    send(&sender, 0..5, &mut all).await;
    drop(last);
    while prices.status().await.unwrap().consumers.len() > 1 {}
    let counts = prices.counts();
    assert_eq!((counts.sent, counts.taken, counts.undelivered, counts.on_their_way()), (10, 5, 5, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_subscription_still_reads_what_was_kept_for_it() {
    let (sender, prices) = prices();
    let mut all = prices.subscribe().await.unwrap();
    let mut last = prices.subscribe().keep_newest(2).await.unwrap();
    send(&sender, 0..5, &mut all).await;
    last.cancel(Reason::Normal);
    assert_eq!(last.collect::<Vec<_>>().await, [3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_producer_without_other_readers_runs_on_and_can_be_stopped() {
    let numbers = from_iter(0..).stage().dispatcher(Broadcast::new()).spawn();
    let mut last = numbers.subscribe().keep_newest(1).await.unwrap();
    let (first, second) = (last.next().await.unwrap(), last.next().await.unwrap());
    assert!(first < second, "{first} {second}");
    numbers.shutdown().await;
    assert!(last.collect::<Vec<_>>().await.len() <= 1);
    let counts = numbers.counts();
    assert_eq!(counts.sent, counts.taken + counts.undelivered);
}

#[tokio::test(start_paused = true)]
async fn a_selector_leaves_items_out_before_any_are_dropped() {
    let (sender, prices) = prices();
    let mut all = prices.subscribe().await.unwrap();
    let mut even = prices.subscribe().selector(|n| n % 2 == 0).keep_newest(2).await.unwrap();
    send(&sender, 0..8, &mut all).await;
    assert_eq!(even.next_batch().await, Some(vec![4, 6]));
    let consumers = prices.status().await.unwrap().consumers;
    // Left out: never sent. Dropped: sent and undelivered, as the reader says too.
    assert_eq!((consumers[1].sent, consumers[1].left_out), (4, 4));
    assert_eq!((consumers[1].dropped, consumers[1].undelivered), (2, 2));
    assert_eq!((even.status().dropped, even.status().undelivered), (2, 2));
    let graph = prices.graph(std::time::Duration::from_secs(1)).await;
    assert!(graph.to_string().contains("2 dropped, 4 left out"), "{graph}");
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_may_lose_items_holds_up_no_other() {
    let numbers = from_iter(0..10_000u64).stage().dispatcher(Partition::by_key(0..2, |n: &u64| n % 2));
    let numbers = numbers.accumulate().spawn();
    let mut odd = numbers.subscribe().in_partition(1).keep_newest(3).await.unwrap();
    let even = numbers.subscribe().in_partition(0).await.unwrap();
    numbers.forward();
    assert_eq!(even.count().await, 5000);
    assert_eq!(odd.next_batch().await, Some(vec![9995, 9997, 9999]));
    assert_eq!((odd.next_batch().await, odd.status().dropped), (None, 4997));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_may_lose_items_says_so_wherever_it_is_shown() {
    let (_sender, prices) = prices();
    for (subscribe, keeps, shown, said) in [
        (prices.subscribe(), None, "keeps: None", ""),
        (prices.subscribe().keep_newest(3), Some(Keeps::Newest(3)), "Newest(3)", ", keeps the newest 3"),
        (prices.subscribe().keep_oldest(7), Some(Keeps::Oldest(7)), "Oldest(7)", ", keeps the oldest 7"),
    ] {
        assert!(format!("{subscribe:?}").contains(shown), "{subscribe:?}");
        let read = subscribe.await.unwrap();
        assert!(format!("{read:?}").contains(shown), "{read:?}");
        // Both sides say it.
        let (here, there) = (read.status(), prices.status().await.unwrap().consumers.remove(0));
        assert_eq!((here.keeps, there.keeps), (keeps, keeps));
        assert!(format!("{here:?}").contains(shown) && format!("{there:?}").contains(shown));
        let graph = prices.graph(std::time::Duration::from_secs(1)).await;
        assert_eq!(graph.subscriptions[0].keeps, keeps);
        assert!(graph.to_string().ends_with(&format!("\n  a stream{said}")), "{graph}");
        assert!(graph.to_mermaid().contains(&format!("permanent{said}|")), "{}", graph.to_mermaid());
        drop(read);
        while !prices.status().await.unwrap().consumers.is_empty() {}
    }
}

/// A stage that handles a batch when the test lets it, and answers in between.
struct Slow {
    may: Arc<Semaphore>,
    last: Arc<AtomicU64>,
}

impl Consumer for Slow {
    type Input = u64;

    async fn handle_items(
        &mut self,
        items: Vec<u64>,
        _: &Upstream,
        _: &mut Control,
    ) -> Result<(), StageError> {
        self.may.acquire().await?.forget();
        self.last.store(items[items.len() - 1], Ordering::Relaxed);
        Ok(())
    }
}

/// A slow stage with a subscription; when it may handle a batch; the last item it has handled.
fn slow<O: Send + 'static>(
    to: Subscribe<u64, O>,
) -> (impl Future<Output = Reason>, Arc<Semaphore>, Arc<AtomicU64>) {
    let (may, last) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU64::new(0)));
    let stage = Slow { may: Arc::clone(&may), last: Arc::clone(&last) }.stage().subscribe_to(to).spawn();
    (async move { stage.wait().await }, may, last)
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_is_slow_goes_on_with_the_newest() {
    let (sender, prices) = prices();
    let mut all = prices.subscribe().await.unwrap();
    let (ended, may, last) = slow(prices.subscribe().keep_newest(2));
    while prices.status().await.unwrap().consumers.len() < 2 {}
    send(&sender, 0..1, &mut all).await;
    prices.status().await.unwrap();
    tokio::task::yield_now().await;
    send(&sender, 1..9, &mut all).await;
    may.add_permits(1);
    while last.load(Ordering::Relaxed) < 8 {
        may.add_permits(1);
        tokio::task::yield_now().await;
    }
    drop((sender, all));
    assert!(matches!(ended.await, Reason::Normal));
    let counts = prices.counts();
    assert_eq!((counts.sent, counts.taken + counts.undelivered), (18, 18));
    assert!(counts.undelivered >= 5, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_reads_a_producer_without_end_still_reads_its_letters() {
    let numbers = from_iter(0..).stage().dispatcher(Broadcast::new()).spawn();
    let (may, last) = (Arc::new(Semaphore::new(Semaphore::MAX_PERMITS / 2)), Arc::new(AtomicU64::new(0)));
    let to = numbers.subscribe().demand(2, 0).keep_newest(10);
    let stage = Slow { may, last: Arc::clone(&last) }.stage().subscribe_to(to).spawn();
    while last.load(Ordering::Relaxed) < 100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.status().await.unwrap().producers.len(), 1);
    stage.stop(Reason::Shutdown).await;
    numbers.shutdown().await;
    let counts = numbers.counts();
    assert_eq!(counts.sent, counts.taken + counts.undelivered);
}

#[tokio::test]
#[should_panic(expected = "keep_newest must be at least 1 item, given 0")]
async fn keep_newest_needs_one_item() {
    let _ = from_iter(0..1).stage().dispatcher(Broadcast::new()).spawn().subscribe().keep_newest(0);
}

#[tokio::test]
#[should_panic(expected = "keep_oldest must be at least 1 item, given 0")]
async fn keep_oldest_needs_one_item() {
    let _ = from_iter(0..1).stage().dispatcher(Broadcast::new()).spawn().subscribe().keep_oldest(0);
}
