//! What a stage keeps to whatever its callbacks do: demand, letters and messages are never lost.

use crate::support::settle;
use futures::{FutureExt, StreamExt};
use gen_stage::dispatch::{
    Broadcast, Deliveries, Dispatcher, Partition, PartitionName, Refusal, Subscriber, SubscriptionId,
};
use gen_stage::prelude::*;
use gen_stage::stage::{
    AskMode, BufferKeep, Control, Output, ProducerHandle, Reason, Reply, StageError, SubscribeError,
    Upstream, from_iter,
};
use std::ops::Range;
use std::time::Duration;
use tokio::sync::mpsc;

/// Makes what it is told to, when it is told, and remembers what it was asked for.
#[derive(Default)]
struct Later {
    asked: Vec<usize>,
}

enum Tell {
    Make(Range<u32>),
    /// Leads to the next of its kind, behind the buffer.
    Again,
    Asked(Reply<Vec<usize>>),
}

impl Producer<Tell> for Later {
    type Item = u32;

    async fn handle_demand(&mut self, demand: usize, _: &mut Output<u32, Tell>) -> Result<(), StageError> {
        self.asked.push(demand);
        Ok(())
    }

    async fn handle_message(&mut self, tell: Tell, out: &mut Output<u32, Tell>) -> Result<(), StageError> {
        match tell {
            Tell::Make(numbers) => out.extend(numbers),
            Tell::Again => out.info(Tell::Again),
            Tell::Asked(reply) => reply.send(self.asked.clone()),
        }
        Ok(())
    }
}

type Handle<O> = ProducerHandle<u32, O, Tell>;

async fn make<O: Send + 'static>(later: &Handle<O>, numbers: Range<u32>) {
    later.cast(Tell::Make(numbers)).await.expect("it is alive");
    settle().await;
}

async fn asked<O: Send + 'static>(later: &Handle<O>) -> usize {
    later.call(Tell::Asked).await.expect("it is alive").iter().sum()
}

#[tokio::test]
async fn what_was_thrown_away_is_asked_for_again() {
    let later = Later::default().stage().buffer(3, BufferKeep::Last).spawn();
    let mut gone = later.subscribe().demand(10, 5).await.unwrap();
    assert!(gone.next().now_or_never().is_none());
    settle().await;
    drop(gone);
    make(&later, 0..1).await;
    make(&later, 1..31).await;
    let thrown_away = later.counts().discarded;
    assert!(thrown_away > 0, "31 items for 10 that were asked for and a buffer of 3");
    let mut read = later.subscribe().demand(100, 50).await.unwrap();
    let mut got = 0;
    while let Some(batch) = read.next_batch().now_or_never().flatten() {
        got += batch.len() as u64;
    }
    settle().await;
    while let Some(Some(batch)) = read.next_batch().now_or_never() {
        got += batch.len() as u64;
        settle().await;
    }
    assert_eq!(got + thrown_away, 31);
    // Of the 100 wanted, what was not there is asked for.
    let open = later.status().await.unwrap().consumers[0].demand;
    assert_eq!(asked(&later).await, 10 + open);
}

#[tokio::test]
async fn what_all_have_asked_for_is_not_lost_on_one_who_comes_late() {
    let later = Later::default().spawn(Broadcast::new());
    let mut first = later.subscribe().demand(20_000, 0).await.unwrap();
    assert!(first.next().now_or_never().is_none());
    settle().await;
    let mut late = later.subscribe().demand(20_000, 0).await.unwrap();
    make(&later, 0..20_000).await;
    let (one, two) = futures::join!(first.next_batch(), late.next_batch());
    assert_eq!((one.map(|batch| batch.len()), two.map(|batch| batch.len())), (Some(20_000), Some(20_000)));
    assert_eq!(later.counts().discarded, 0);
}

#[tokio::test]
async fn what_was_asked_for_is_not_lost_on_a_partition_that_nobody_reads() {
    let unread = |n: &u32| if *n < 1001 { 15 } else { n % 15 };
    let later = Later::default().spawn(Partition::by_key(0..16, unread));
    let mut read = Vec::new();
    for partition in 0..15 {
        let mut subscription = later.subscribe().in_partition(partition).await.unwrap();
        assert!(subscription.next().now_or_never().is_none());
        read.push(subscription);
    }
    settle().await;
    assert_eq!(asked(&later).await, 15_000);
    make(&later, 0..15_000).await;
    assert_eq!(later.counts().discarded, 0);
    let status = later.status().await.unwrap();
    let there = status.buffered + status.dispatching;
    assert_eq!(there as u64 + later.counts().sent, 15_000);
}

#[tokio::test]
async fn a_stage_whose_messages_lead_to_the_next_reads_its_letters() {
    let later = Later::default().stage().spawn();
    later.cast(Tell::Again).await.unwrap();
    assert!(later.status().await.is_ok());
    assert!(matches!(later.shutdown().await, Reason::Shutdown));
}

/// Emits an item and then waits for ever.
struct Hesitant(bool);

impl Producer for Hesitant {
    type Item = u32;

    async fn handle_demand(&mut self, _: usize, _: &mut Output<u32>) -> Result<(), StageError> {
        self.0 = true;
        Ok(())
    }

    async fn produce(&mut self, out: &mut Output<u32>) -> Result<(), StageError> {
        if std::mem::take(&mut self.0) {
            out.push(1);
        }
        std::future::pending().await
    }
}

#[tokio::test]
async fn what_was_emitted_by_a_future_that_is_dropped_for_a_letter_goes_out() {
    let hesitant = Hesitant(false).stage().spawn();
    let mut read = hesitant.subscribe().await.unwrap();
    assert!(read.next().now_or_never().is_none());
    settle().await;
    assert!(hesitant.status().await.is_ok());
    assert_eq!(read.next().await, Some(1));
}

/// Asks for 10 more than its demand, once.
struct Extra;

impl Consumer for Extra {
    type Input = u32;

    async fn handle_subscribe(&mut self, to: &Upstream, _: &mut Control) -> Result<AskMode, StageError> {
        to.ask(10);
        Ok(AskMode::Automatic)
    }

    async fn handle_items(&mut self, _: Vec<u32>, _: &Upstream, _: &mut Control) -> Result<(), StageError> {
        Ok(())
    }
}

#[tokio::test]
async fn what_was_asked_for_beside_the_demand_is_not_asked_for_again() {
    let later = Later::default().stage().spawn();
    let _extra = Extra.stage().subscribe_to(later.subscribe().demand(10, 5)).spawn();
    settle().await;
    for from in (0..50).step_by(10) {
        make(&later, from..from + 10).await;
    }
    assert_eq!(later.status().await.unwrap().consumers[0].demand, 10);
    assert_eq!(asked(&later).await, 60);
}

/// With every callback but one as it is by default.
struct Plain;

impl Consumer for Plain {
    type Input = u32;

    async fn handle_items(&mut self, _: Vec<u32>, _: &Upstream, _: &mut Control) -> Result<(), StageError> {
        Ok(())
    }
}

impl ProducerConsumer for Plain {
    type Input = u32;
    type Item = u32;

    async fn handle_items(
        &mut self,
        items: Vec<u32>,
        _: &Upstream,
        out: &mut Output<u32>,
    ) -> Result<(), StageError> {
        out.emit(items);
        Ok(())
    }
}

#[tokio::test]
async fn stages_of_one_callback_each_are_a_pipeline() {
    let numbers = from_iter(0..1234).stage().spawn();
    let plain = ProducerConsumer::stage(Plain).subscribe_to(numbers.subscribe().demand(7, 3)).spawn();
    let read: Vec<u32> = plain.subscribe().demand(5, 0).await.unwrap().collect().await;
    assert_eq!(read, (0..1234).collect::<Vec<_>>());
    let end = Consumer::stage(Plain).subscribe_to(from_iter(0..10).stage().spawn().subscribe()).spawn();
    assert!(matches!(end.wait().await, Reason::Normal));
}

#[tokio::test]
async fn a_stage_replaces_no_subscription_but_its_own() {
    let later = Later::default().stage().spawn();
    let (one, other) = (Consumer::stage(Plain).spawn(), Consumer::stage(Plain).spawn());
    let of_one = one.subscribe_to(later.subscribe()).await.unwrap();
    other.resubscribe(of_one, later.subscribe(), Reason::failed("not mine")).await.unwrap();
    settle().await;
    assert_eq!(one.status().await.expect("it lives on").producers[0].id, of_one);
    assert_eq!(later.status().await.unwrap().consumers.len(), 2);
}

#[tokio::test]
async fn a_consumer_that_is_refused_is_not_alone_for_that() {
    fn refusing() -> impl Dispatcher<u32, Options = PartitionName<u32>> {
        Partition::by_key([0], |_: &u32| 0)
    }
    let later = Later::default().spawn(refusing());
    let plain = Consumer::stage(Plain).stop_when_alone().spawn();
    let refused = plain.subscribe_to(later.subscribe()).await;
    assert!(
        matches!(refused, Err(SubscribeError::Refused(Refusal::PartitionRequired { .. }))),
        "{refused:?}"
    );
    settle().await;
    assert!(plain.subscribe_to(later.subscribe().in_partition(0)).await.is_ok());
}

/// Tells itself something and finishes.
struct Farewell(mpsc::UnboundedSender<u32>);

impl Consumer<u32> for Farewell {
    type Input = u32;

    async fn handle_start(&mut self, stage: &mut Control<u32>) -> Result<(), StageError> {
        stage.info(5);
        stage.finish();
        Ok(())
    }

    async fn handle_items(
        &mut self,
        _: Vec<u32>,
        _: &Upstream,
        _: &mut Control<u32>,
    ) -> Result<(), StageError> {
        Ok(())
    }

    async fn handle_message(&mut self, number: u32, _: &mut Control<u32>) -> Result<(), StageError> {
        Ok(self.0.send(number)?)
    }
}

#[tokio::test]
async fn a_consumer_handles_its_last_message_before_it_finishes() {
    let (sender, mut got) = mpsc::unbounded_channel();
    assert!(matches!(Farewell(sender).stage().spawn().wait().await, Reason::Normal));
    assert_eq!(got.recv().await, Some(5));
}

#[tokio::test(start_paused = true)]
async fn a_source_without_end_is_taken_in_steps() {
    let numbers = from_iter(0..u64::MAX).stage().spawn();
    let mut read = numbers.subscribe().manual().await.unwrap();
    read.ask(usize::MAX);
    for _ in 0..3 {
        let batch = tokio::time::timeout(Duration::from_secs(60), read.next_batch()).await.expect("it comes");
        assert!(batch.is_some_and(|batch| batch.len() <= 10_000));
    }
    drop(read);
    assert!(matches!(numbers.shutdown().await, Reason::Shutdown), "it reads letters between the steps");
}

#[tokio::test]
async fn a_weak_handle_reaches_a_stage_and_does_not_keep_it() {
    let numbers = from_iter(0..).stage().spawn();
    let weak = numbers.downgrade();
    let mut read = weak.upgrade().expect("it is alive").subscribe().demand(2, 0).await.unwrap();
    assert_eq!(read.next_batch().await, Some(vec![0, 1]));
    drop(numbers);
    assert!(weak.upgrade().is_some(), "somebody reads it");
    drop(read);
    assert!(weak.upgrade().is_none());
}

/// Sends all that it is given to the one it has, whether or not that has asked.
#[derive(Default)]
struct Pushy(Option<SubscriptionId>);

impl Dispatcher<u32> for Pushy {
    type Options = ();

    fn subscribe(&mut self, new: Subscriber, (): (), _: &mut Deliveries<u32>) -> Result<usize, Refusal> {
        self.0 = Some(new.id());
        Ok(0)
    }

    fn cancel(&mut self, _: SubscriptionId, _: &mut Deliveries<u32>) -> usize {
        self.0 = None;
        0
    }

    fn ask(&mut self, _: SubscriptionId, demand: usize, _: &mut Deliveries<u32>) -> usize {
        demand
    }

    fn dispatch(&mut self, items: Vec<u32>, out: &mut Deliveries<u32>) -> Vec<u32> {
        match self.0 {
            Some(id) => {
                out.send(id, items);
                Vec::new()
            }
            None => items,
        }
    }
}

#[tokio::test]
async fn what_a_dispatcher_sends_without_being_asked_is_kept_until_it_is() {
    let later = Later::default().spawn(Pushy::default());
    let mut read = later.subscribe().manual().await.unwrap();
    read.ask(2);
    later.cast(Tell::Make(0..10)).await.unwrap();
    assert_eq!(read.next_batch().await, Some(vec![0, 1]));
    settle().await;
    assert!(read.next_batch().now_or_never().is_none());
    read.ask(3);
    assert_eq!(read.next_batch().await, Some(vec![2, 3, 4]));
    // What comes then comes behind it.
    later.cast(Tell::Make(10..12)).await.unwrap();
    read.ask(6);
    let mut got = Vec::new();
    while got.len() < 6 {
        got.extend(read.next_batch().await.unwrap());
    }
    assert_eq!(got, [5, 6, 7, 8, 9, 10]);
    drop(read);
    settle().await;
    let counts = later.counts();
    assert_eq!(
        (counts.emitted, counts.taken, counts.undelivered),
        (12, 11, 1),
        "and it is counted when nobody does"
    );
}

/// Passes items on, and finishes when it has told itself to.
struct Relay;

#[derive(Debug)]
enum Word {
    TellYourself,
    Finish,
}

impl ProducerConsumer<Word> for Relay {
    type Input = u32;
    type Item = u32;

    async fn handle_items(
        &mut self,
        items: Vec<u32>,
        _: &Upstream,
        out: &mut Output<u32, Word>,
    ) -> Result<(), StageError> {
        out.extend(items);
        Ok(())
    }

    async fn handle_message(&mut self, word: Word, out: &mut Output<u32, Word>) -> Result<(), StageError> {
        match word {
            Word::TellYourself => out.info(Word::Finish),
            Word::Finish => out.finish(),
        }
        Ok(())
    }
}

#[tokio::test]
async fn an_info_to_itself_waits_behind_the_lists_that_came_before() {
    let numbers = from_iter(0..10).stage().spawn();
    let relay = Relay.stage().spawn();
    relay.subscribe_to(numbers.subscribe().demand(10, 0)).await.unwrap();
    settle().await;
    assert_eq!(relay.status().await.unwrap().waiting, 10);
    relay.cast(Word::TellYourself).await.unwrap();
    settle().await;
    let all: Vec<u32> = relay.subscribe().await.unwrap().collect().await;
    assert!(all.into_iter().eq(0..10));
}
