use crate::support::stages::{Say, Seen, adds_up, count, silent, until};
use crate::support::{Watched, settle, seven, sorted};
use futures::{FutureExt, StreamExt, stream};
use gen_stage::Flow;
use gen_stage::dispatch::{Broadcast, Partition};
use gen_stage::flow::FlowEnd;
use gen_stage::flow::adapters::{FromStage, Source};
use gen_stage::prelude::*;
use gen_stage::stage::{Output, Reason, StageError, from_iter, from_stream};
use proptest::prelude::*;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const LONG: Duration = Duration::from_secs(3600);

/// A flow of the numbers of producers that share them out.
fn producers(ranges: impl IntoIterator<Item = std::ops::Range<u64>>) -> Flow<Source<FromStage<u64>>> {
    Flow::from_stages(ranges.into_iter().map(|range| from_iter(range).stage().spawn()))
}

async fn message_of(flow: Flow<Source<FromStage<u64>>>) -> String {
    let caught = AssertUnwindSafe(flow.collect::<Vec<_>>()).catch_unwind().await;
    let payload = caught.expect_err("it fails");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast_ref::<&str>().expect("a text")).to_owned(),
    }
}

#[tokio::test]
async fn everything_of_all_producers_comes_through() {
    for lanes in [1, 2, 3, 8] {
        let flow = producers([0..0, 0..1, 1..700, 700..3000]).lanes(lanes).map(|n| n * 2);
        assert!(
            sorted(flow.collect::<Vec<_>>().await).into_iter().eq((0..3000).map(|n| n * 2)),
            "{lanes} lanes"
        );
    }
}

#[tokio::test]
async fn nothing_and_one_item_come_through() {
    assert_eq!(producers(std::iter::once(0..0)).collect::<Vec<_>>().await, [0; 0]);
    assert_eq!(producers(std::iter::once(7..8)).collect::<Vec<_>>().await, [7]);
}

#[tokio::test]
async fn a_producer_is_subscribed_when_the_flow_starts_and_with_its_demand() {
    let source = count(0);
    let log = source.log();
    let source = source.stage().spawn();
    let mut flow = Flow::from_stages([source.clone()]).lanes(1).demand(10, 5);
    settle().await;
    assert_eq!(log.joined(), []);
    assert_eq!(flow.next().await, Some(0));
    settle().await;
    assert_eq!(log.joined().len(), 1);
    assert_eq!(log.demands()[..2], [10, 5]);
    let taken = source.counts().taken;
    assert!(taken <= 30, "the lane, the subscription and the reader have 10 each: {taken}");
    drop(flow);
    until("it hears of it", || log.left() == ["cancel normal"]).await;
    assert!(source.status().await.is_ok(), "it is not the flow's");
    source.shutdown().await;
    adds_up(source.counts(), "the source");
}

#[tokio::test]
async fn max_demand_1_gets_everything_through() {
    for lanes in [1, 2, 5] {
        let flow = producers([0..30, 30..50]).lanes(lanes).demand(1, 0);
        assert_eq!(sorted(flow.collect::<Vec<_>>().await), (0..50).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn batches_are_those_that_crossed() {
    let source = silent().stage().spawn();
    let flow = Flow::from_stages([source.clone()]).lanes(1).demand(4, 2).map_batch(|batch| [batch]);
    let mut flow = flow.boxed();
    let mut next = async || flow.next().await.unwrap();
    let items: Vec<u64> = (0..5).collect();
    let (first, ()) = futures::join!(next(), async {
        settle().await;
        source.cast(Say::Queue(items)).await.unwrap();
    });
    assert_eq!([first, next().await, next().await], [vec![0, 1], vec![2, 3], vec![4]]);
}

#[tokio::test]
async fn it_waits_for_a_producer_and_is_woken_by_it() {
    let source = silent().stage().spawn();
    let mut reading =
        tokio_test::task::spawn(Flow::from_stages([source.clone()]).lanes(2).collect::<Vec<_>>());
    assert!(reading.poll().is_pending());
    settle().await;
    assert!(reading.poll().is_pending());
    source.cast(Say::Finish(vec![1, 2])).await.unwrap();
    settle().await;
    assert!(reading.is_woken());
    assert_eq!(sorted(reading.await), [1, 2]);
}

#[tokio::test]
async fn a_producer_that_fails_fails_the_flow() {
    for lanes in [1, 3] {
        for (say, expected) in [(Say::Fail("no paper"), "failed: no paper"), (Say::Panic("seven"), "seven")] {
            let failing = silent().stage().spawn();
            let flow = Flow::from_stages([failing.clone(), silent().stage().spawn()]).lanes(lanes);
            let mut message = tokio_test::task::spawn(message_of(flow));
            assert!(message.poll().is_pending());
            settle().await;
            failing.try_cast(say).unwrap();
            let message = message.await;
            assert!(message.contains(expected), "{message}");
        }

        let gone = silent().stage().spawn();
        gone.shutdown().await;
        let message = message_of(Flow::from_stages([gone]).lanes(lanes)).await;
        assert!(message.contains("had already ended"), "{message}");
    }
}

#[tokio::test]
async fn a_producer_that_refuses_fails_the_flow() {
    let parts = from_iter(0..3u64).stage().dispatcher(Partition::hash(2)).spawn();
    let message = message_of(Flow::from_stages([parts]).lanes(1)).await;
    assert!(message.contains("refused"), "{message}");
}

#[tokio::test]
async fn a_panic_of_the_flow_leaves_the_producer_alone() {
    let source = count(0).stage().spawn();
    let flow = Flow::from_stages([source.clone()]).lanes(1).map(seven);
    let caught = AssertUnwindSafe(flow.collect::<Vec<_>>()).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
    assert!(source.subscribe().demand(1, 0).await.is_ok());
}

#[tokio::test]
async fn a_flow_reads_any_dispatcher_with_others() {
    let source = from_iter(0..100u64).stage().dispatcher(Broadcast::new()).accumulate().spawn();
    let flow = Flow::from_stages([source.clone()]).lanes(1);
    let other = source.subscribe().await.unwrap();
    let mut reading = tokio_test::task::spawn(flow.collect::<Vec<_>>());
    assert!(reading.poll().is_pending());
    source.forward();
    let (read, other): (_, Vec<u64>) = futures::join!(reading, other.collect());
    assert_eq!(read, other);
    assert_eq!(read.len(), 100);
}

#[tokio::test]
async fn a_flow_keeps_its_producer_alive_while_it_runs() {
    let watched = Watched::new();
    let mut flow = Flow::from_stages([from_stream(watched.endless()).stage().spawn()]).lanes(1);
    assert_eq!(flow.next().await, Some(0));
    settle().await;
    assert!(watched.is_alive());
    drop(flow);
    settle().await;
    assert!(!watched.is_alive());
}

#[tokio::test(start_paused = true)]
async fn shutting_down_cancels_the_subscription_and_takes_what_was_sent() {
    for lanes in [1, 3] {
        let source = count(0);
        let log = source.log();
        let source = source.stage().spawn();
        let flow = Flow::from_stages([source.clone()]).lanes(lanes).demand(100, 50).start();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let report = flow.shutdown(LONG).await;
        assert!(matches!(report.end, Ok(FlowEnd::Drained)), "{report:?}");
        assert!(report.taken > 0);
        until("it hears of it", || log.left() == ["cancel normal"]).await;
        let counts = source.counts();
        assert_eq!((counts.taken, report.discarded), (report.taken, 0), "what it took came out");
        source.shutdown().await;
        adds_up(source.counts(), "the source");
    }
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_is_stuck_does_not_hold_up_a_shutdown() {
    let token = CancellationToken::new();
    let stuck = from_stream(stream::iter(0..10u64).chain(stream::pending())).stage().spawn();
    let flow = Flow::from_stages([stuck]).lanes(1).stop_when(token.clone());
    let mut reading = tokio_test::task::spawn(flow.collect::<Vec<_>>());
    assert!(reading.poll().is_pending());
    settle().await;
    token.cancel();
    assert_eq!(reading.await, (0..10).collect::<Vec<_>>());
}

#[test]
fn what_was_sent_is_taken_when_the_flow_is_told_to_stop() {
    for threads in [0, 2] {
        let mut builder = match threads {
            0 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        let runtime = builder.worker_threads(threads.max(1)).enable_time().build().unwrap();
        // Many small batches: more letters than a task may read in one turn.
        for (max, min, at) in
            [(1000, 999, 1), (1000, 999, 2500), (1000, 990, 5003), (300, 299, 5000), (1000, 500, 5003)]
        {
            let (read, counts) = runtime.block_on(async {
                let producer = from_iter(0..1_000_000_u64).stage().spawn();
                let token = CancellationToken::new();
                let stop = token.clone();
                let flow = Flow::from_stages([producer.clone()]).lanes(1).demand(max, min).stop_when(token);
                let read = flow
                    .inspect(move |n| {
                        if *n + 1 == at {
                            stop.cancel();
                        }
                    })
                    .count()
                    .await;
                settle().await;
                (read, producer.counts())
            });
            assert_eq!(
                (counts.undelivered, counts.taken),
                (0, read),
                "{threads} threads, demand {max}/{min}"
            );
            assert!(read >= at);
        }
    }
}

/// Makes ten numbers, and never comes back from the next call.
struct StuckAfterTen(bool);

impl Producer for StuckAfterTen {
    type Item = u64;

    async fn handle_demand(&mut self, _: usize, out: &mut Output<u64>) -> Result<(), StageError> {
        if std::mem::replace(&mut self.0, true) {
            std::future::pending::<()>().await;
        }
        out.extend(0..10);
        Ok(())
    }
}

#[tokio::test]
async fn a_producer_that_never_comes_back_does_not_hold_up_a_shutdown() {
    let stuck = StuckAfterTen(false).stage().spawn();
    let flow = Flow::from_stages([stuck]).lanes(1).demand(10, 5).start();
    settle().await;
    let report = flow.shutdown(LONG).await;
    assert!(matches!(report.end, Ok(FlowEnd::Drained)));
    assert_eq!(report.taken, 10);
}

#[test]
#[should_panic(expected = "from_stages needs at least 1 producer, given 0")]
fn a_flow_over_no_producers_is_refused() {
    let _ = Flow::from_stages(Vec::<gen_stage::stage::ProducerHandle<u64>>::new());
}

#[tokio::test]
async fn each_subscription_is_as_any_other() {
    let source = count(0);
    let log = source.log();
    let source = source.stage().spawn();
    let flow = Flow::from_stages([source.clone(), source.clone()]).lanes(2).per_lane(|lane| lane.take(3));
    assert_eq!(flow.collect::<Vec<_>>().await.len(), 6);
    until("both have left", || log.left().len() == 2).await;
    assert!(log.all().iter().filter(|seen| matches!(seen, Seen::JoinLane(_))).count() == 2);
    assert!(matches!(source.shutdown().await, Reason::Shutdown));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// As a sequence taken from each producer and mapped, whatever the lanes and the demand.
    #[test]
    fn it_is_the_items_of_the_producers(
        lengths in prop::collection::vec(0u64..400, 1..9),
        lanes in 1usize..=8,
        max in prop::sample::select(vec![1usize, 2, 3, 10, 1000]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let ranges: Vec<_> = lengths.iter().enumerate().map(|(at, n)| {
                let from = at as u64 * 1000;
                from..from + n
            }).collect();
            let got: Vec<u64> = producers(ranges.clone()).lanes(lanes).demand(max, max - 1).collect().await;
            let lane_of = |range: &std::ops::Range<u64>| got.iter().copied().filter(|n| range.contains(n)).collect();
            for range in &ranges {
                let mut of_range: Vec<u64> = lane_of(range);
                if ranges.len() < lanes {
                    // Several lanes share a producer.
                    of_range.sort_unstable();
                }
                assert_eq!(of_range, range.clone().collect::<Vec<_>>());
            }
            assert_eq!(got.len() as u64, lengths.iter().sum::<u64>());
        });
    }
}

#[tokio::test]
async fn what_a_take_leaves_of_a_batch_is_counted() {
    for lanes in [1, 2] {
        let mut flow = producers(std::iter::once(0..100)).lanes(lanes).demand(10, 0).take(4);
        let mut got: Vec<u64> = Vec::new();
        while let Some(n) = flow.next().await {
            got.push(n);
        }
        got.sort_unstable();
        assert_eq!(got, [0, 1, 2, 3]);
        let lost = flow.discarded();
        assert!((1..=10).contains(&lost), "the rest of a batch: {lost}");
    }
}
