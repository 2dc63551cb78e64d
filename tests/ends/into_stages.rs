use crate::support::stages::{Log, Say, block, collect, count, double, until};
use crate::support::{Numbers, Watched, counting, numbers, settle, seven, sorted};
use futures::{FutureExt, StreamExt, stream};
use gen_stage::Flow;
use gen_stage::dispatch::Broadcast;
use gen_stage::flow::{FlowEnd, FlowError};
use gen_stage::prelude::*;
use gen_stage::stage::{CancelMode, Reason, Setup, SubscribeError, from_iter};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

fn then_silent(items: u64) -> Numbers {
    numbers(stream::iter(0..items).chain(stream::pending()))
}

#[tokio::test]
async fn consumers_get_everything_and_live_on() {
    for lanes in [1, 2, 8] {
        let log = Log::default();
        let consumers: Vec<_> = (0..3).map(|_| collect().writing_in(&log).stage().spawn()).collect();
        let flow = counting(3000).lanes(lanes).map(|n| n + 1).into_stages(consumers.clone()).await.unwrap();
        let report = flow.wait().await.unwrap();
        assert!(matches!(report.end, Ok(FlowEnd::Finished)));
        assert_eq!((report.taken, report.discarded), (3000, 0));
        until("all were handled", || log.items().len() == 3000).await;
        assert!(sorted(log.items()).into_iter().eq(1..=3000), "{lanes} lanes");
        settle().await;
        assert_eq!(log.cancelled(), ["down normal"; 3]);
        for consumer in consumers {
            assert!(consumer.status().await.is_ok());
        }
    }
}

#[tokio::test]
async fn nothing_and_one_item_go_out() {
    for items in [0, 1] {
        let consumer = collect();
        let log = consumer.log();
        let consumer = consumer.stage().spawn();
        let flow = counting(items).into_stages([consumer.clone()]).await.unwrap();
        assert_eq!(flow.wait().await.unwrap().taken, items);
        settle().await;
        assert_eq!(log.items(), (0..items).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn consumers_of_all_kinds_are_given_one_by_one() {
    let reader = collect();
    let log = reader.log();
    let reader = reader.stage().spawn();
    let middle = double().stage().spawn();
    let behind = middle.subscribe().await.unwrap();
    let flow = counting(10).lanes(1).into_stage().set_up(|stage| stage.dispatcher(Broadcast::new()));
    let flow = flow.to(reader.clone()).to(middle.clone()).demand(3, 1).await.unwrap();
    let doubled: Vec<u64> = behind.take(20).collect().await;
    assert_eq!(doubled, crate::support::stages::doubled(0..10));
    flow.wait().await.unwrap();
    until("all were handled", || log.items().len() == 10).await;
    assert!(log.batches().iter().all(|batch| batch.len() <= 2), "demand is 3 and 1: {:?}", log.batches());
}

#[tokio::test]
async fn nothing_runs_before_somebody_asks() {
    let watched = Watched::new();
    let flow = numbers(watched.endless()).lanes(2).demand(10, 5).into_stage();
    settle().await;
    let flow = flow.await.unwrap();
    settle().await;
    assert_eq!(watched.taken(), 0);
    let mut late = flow.subscribe().demand(4, 2).await.unwrap();
    settle().await;
    assert_eq!(watched.taken(), 0);
    assert!(late.next().await.is_some());
    settle().await;
    let taken = watched.taken();
    assert!(taken > 0 && taken <= 4 + 2 * 10 + 2 * 10, "no more than was asked for anywhere: {taken}");
}

#[tokio::test]
async fn subscribers_may_come_and_go_while_it_runs() {
    let flow = counting(1000).lanes(1).demand(10, 5).into_stage().await.unwrap();
    let mut got = Vec::new();
    for _ in 0..10 {
        let mut late = flow.subscribe().demand(10, 5).await.unwrap();
        for _ in 0..20 {
            got.extend(late.next().await);
        }
        late.cancel(Reason::Normal);
        // What is on its way.
        got.extend(late.collect::<Vec<_>>().await);
    }
    got.extend(flow.subscribe().await.unwrap().collect::<Vec<_>>().await);
    assert_eq!(got, (0..1000).collect::<Vec<_>>(), "in order, and nothing is lost");
    flow.wait().await.unwrap();
    assert!(matches!(flow.subscribe().await, Err(SubscribeError::Gone)));
    assert!(flow.is_finished());
}

#[tokio::test]
async fn items_that_nobody_asked_for_wait_in_their_lanes_and_are_never_discarded() {
    // Far more than a stage buffers.
    let flow = counting(30_000).lanes(1).demand(30_000, 0).into_stage().await.unwrap();
    let mut late = flow.subscribe().demand(1, 0).await.unwrap();
    for n in 0..10 {
        assert_eq!(late.next().await, Some(n));
    }
    settle().await;
    assert_eq!(flow.stage().status().await.unwrap().buffered, 0);
    assert_eq!(late.count().await, 30_000 - 10);
    assert_eq!(flow.wait().await.unwrap().discarded, 0);
}

#[tokio::test]
async fn batches_go_out_as_their_lanes_sent_them() {
    let flow = Flow::from_iters([vec![1, 2, 3], vec![4, 5, 6, 7]]).lanes(2).into_stage().await.unwrap();
    let mut late = flow.subscribe().await.unwrap();
    let batches = [late.next_batch().await.unwrap(), late.next_batch().await.unwrap()];
    assert_eq!(sorted(batches), [vec![1, 2, 3], vec![4, 5, 6, 7]]);
}

#[tokio::test]
async fn nothing_begins_before_it_is_forwarded() {
    let watched = Watched::new();
    let consumer = collect();
    let log = consumer.log();
    let consumer = consumer.stage().spawn();
    let flow = numbers(watched.endless().take(10)).lanes(1).into_stages([consumer.clone()]);
    let flow = flow.set_up(Setup::accumulate).await.unwrap();
    settle().await;
    assert_eq!((watched.taken(), log.items().len()), (0, 0));
    flow.forward();
    flow.wait().await.unwrap();
    settle().await;
    assert_eq!(log.items().len(), 10);
}

#[tokio::test]
async fn demand_can_be_held_back_while_it_runs() {
    let flow = counting(100).lanes(1).into_stage().await.unwrap();
    let mut late = flow.subscribe().demand(2, 0).await.unwrap();
    assert_eq!(late.next_batch().await, Some(vec![0, 1]));
    flow.accumulate();
    assert_eq!(late.next_batch().now_or_never(), None);
    settle().await;
    assert_eq!(late.next_batch().now_or_never(), None);
    flow.forward();
    assert_eq!(late.next_batch().await, Some(vec![2, 3]));
}

#[tokio::test]
async fn a_consumer_that_has_ended_is_an_error_and_the_others_live_on() {
    let (watched, good) = (Watched::new(), collect());
    let log = good.log();
    let (good, gone) = (good.stage().spawn(), collect().stage().spawn());
    gone.shutdown().await;
    let flow = numbers(watched.endless()).into_stages([good.clone(), gone]);
    assert!(matches!(flow.await, Err(SubscribeError::ConsumerGone)));
    settle().await;
    assert_eq!(log.cancelled(), ["down shutdown"]);
    assert_eq!((log.items().len(), watched.taken()), (0, 0));
    assert!(!watched.is_alive() && good.status().await.is_ok());
}

#[tokio::test]
async fn dropping_the_start_ends_what_was_started() {
    let (watched, good, stuck) = (Watched::new(), collect(), block());
    let log = good.log();
    let (good, stuck) = (good.stage().spawn(), stuck.stage().spawn());
    // It is in its callback for ever, and so never subscribes.
    let one = count(0).stage().spawn();
    stuck.subscribe_to(one.subscribe().demand(1, 0)).await.unwrap();
    settle().await;
    let flow = numbers(watched.endless()).into_stages([good.clone(), stuck]);
    let mut starting = tokio_test::task::spawn(flow.into_future());
    assert!(starting.poll().is_pending());
    settle().await;
    assert!(starting.poll().is_pending());
    drop(starting);
    settle().await;
    assert_eq!((log.cancelled(), watched.is_alive()), (vec!["down shutdown".to_owned()], false));
    assert!(good.status().await.is_ok());
}

#[tokio::test]
async fn a_panic_is_in_the_report_and_ends_the_consumers() {
    let consumer = collect().stage().spawn();
    let flow = counting(10)
        .lanes(2)
        .map(|n| {
            seven(n);
            n
        })
        .into_stages([consumer.clone()])
        .await
        .unwrap();
    let Err(FlowError::Panicked(panic)) = flow.wait().await else { panic!("it is to fail") };
    assert_eq!(panic.message(), "seven");
    assert!(matches!(consumer.wait().await, Reason::Panicked(_)));

    let tough = collect().stage().spawn();
    let flow = counting(10)
        .map(|n| {
            seven(n);
            n
        })
        .into_stages([tough.clone()])
        .cancel(CancelMode::Temporary);
    assert!(flow.await.unwrap().wait().await.is_err());
    assert!(tough.status().await.is_ok());
}

#[tokio::test]
async fn a_permanent_consumer_ends_with_the_flow() {
    let consumer = collect().stage().spawn();
    let flow = counting(3).into_stages([consumer.clone()]).cancel(CancelMode::Permanent).await.unwrap();
    assert!(flow.wait().await.is_ok());
    assert!(matches!(consumer.wait().await, Reason::Normal));
}

#[tokio::test(start_paused = true)]
async fn shutting_down_drains_to_the_subscribers() {
    for lanes in [1, 3] {
        let watched = Watched::new();
        let flow = numbers(watched.endless()).lanes(lanes).partition().lanes(2).demand(10, 5);
        let flow = flow.into_stage().await.unwrap();
        let mut late = flow.subscribe().demand(10, 5).await.unwrap();
        let mut got = Vec::new();
        for _ in 0..100 {
            got.extend(late.next().await);
        }
        let (report, rest) = futures::join!(flow.shutdown(LONG), late.collect::<Vec<_>>());
        got.extend(rest);
        assert!(matches!(report.end, Ok(FlowEnd::Drained)), "{report:?}");
        assert_eq!((report.taken, report.discarded), (watched.taken() as u64, 0));
        assert_eq!(sorted(got), (0..report.taken).collect::<Vec<_>>(), "{lanes} lanes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flow_of_which_nobody_asked_anything_ends_at_once() {
    for held_back in [false, true] {
        let watched = Watched::new();
        let flow = numbers(watched.endless()).into_stage();
        let flow = flow.set_up(|stage| if held_back { stage.accumulate() } else { stage }).await.unwrap();
        let late = flow.subscribe().await.unwrap();
        settle().await;
        let report = flow.shutdown(LONG).await;
        assert!(matches!(report.end, Ok(FlowEnd::Drained)), "{report:?}");
        assert_eq!((report.taken, report.drained_for), (0, Some(Duration::ZERO)));
        assert_eq!(late.collect::<Vec<_>>().await, [0; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn demand_that_was_held_back_is_forwarded_by_a_shutdown() {
    let sums = then_silent(5).lanes(1).reduce(|| 100, |sum, n| *sum += n).emit_state().into_stage();
    let sums = sums.set_up(Setup::accumulate).await.unwrap();
    let late = tokio::spawn(sums.subscribe().await.unwrap().collect::<Vec<_>>());
    settle().await;
    let report = sums.shutdown(LONG).await;
    assert!(matches!(report.end, Ok(FlowEnd::Drained)), "{report:?}");
    // Nothing had been taken, and so nothing is any more: the state is as it began, or the flow never did.
    assert_eq!(report.taken, 0);
    assert!(matches!(late.await.unwrap()[..], [] | [100]));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_reads_waits_for_the_deadline() {
    let flow = counting(100).lanes(1).into_stage().await.unwrap();
    let mut late = flow.subscribe().demand(10, 0).await.unwrap();
    assert_eq!(late.next().await, Some(0));
    let report = flow.shutdown(Duration::from_secs(5)).await;
    assert!(matches!(report.end, Err(FlowError::Aborted)), "{report:?}");
    assert_eq!((report.taken, report.drained_for), (100, Some(Duration::from_secs(5))));
    assert_eq!(report.discarded, 90, "all but what was asked for");
    let again = flow.shutdown(LONG).await;
    assert_eq!(again.drained_for, Some(Duration::from_secs(5)));
}

#[tokio::test]
async fn ending_the_stage_ends_the_flow_where_it_is() {
    let watched = Watched::new();
    let flow = numbers(watched.endless()).lanes(2).into_stage().await.unwrap();
    let mut late = flow.subscribe().await.unwrap();
    assert!(late.next().await.is_some());
    flow.stage().shutdown().await;
    assert!(matches!(flow.wait().await, Err(FlowError::Stopped(Reason::Shutdown))));
    settle().await;
    assert!(!watched.is_alive());
}

#[tokio::test]
async fn it_lives_as_long_as_a_handle_or_a_subscription() {
    let watched = Watched::new();
    let flow = numbers(watched.endless()).lanes(2).into_stage().await.unwrap();
    let mut late = flow.subscribe().demand(2, 0).await.unwrap();
    drop(flow);
    for _ in 0..100 {
        assert!(late.next().await.is_some());
    }
    drop(late);
    settle().await;
    assert!(!watched.is_alive());

    let flow = numbers(watched.endless()).into_stage().await.unwrap();
    let consumer = collect().stage().spawn();
    flow.clone().detach();
    consumer.subscribe_to(flow.subscribe().demand(1, 0)).await.unwrap();
    drop((flow, consumer));
    settle().await;
    assert!(watched.is_alive(), "it was detached");
}

#[tokio::test]
async fn consumers_given_live_as_long_as_the_handle_of_the_flow_or_their_own() {
    let (kept, given) = (collect(), collect());
    let (kept_log, given_log) = (kept.log(), given.log());
    let kept = kept.stage().spawn();
    let flow = then_silent(100).lanes(1).demand(10, 5).into_stages([kept.clone(), given.stage().spawn()]);
    let flow = flow.demand(10, 5).await.unwrap();
    until("all were handled", || kept_log.items().len() + given_log.items().len() == 100).await;
    assert!(!given_log.items().is_empty(), "nobody else has a handle of it");
    drop(flow);
    settle().await;
    assert!(kept.status().await.is_ok());
    assert_eq!(kept.status().await.unwrap().producers.len(), 1, "and still reads the flow");
}

#[tokio::test]
async fn an_abort_drops_the_flow() {
    let watched = Watched::new();
    let flow = numbers(watched.endless()).lanes(2).into_stage().await.unwrap();
    let mut late = flow.subscribe().await.unwrap().fallible();
    assert!(late.next().await.is_some());
    flow.abort();
    assert!(matches!(flow.wait().await, Err(FlowError::Aborted)));
    assert!(!watched.is_alive());
    let last = late.collect::<Vec<_>>().await.pop();
    assert!(matches!(last, Some(Err(Reason::Aborted))), "{last:?}");
}

#[test]
fn it_runs_where_the_flow_was_told_to() {
    let lanes = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let flow = counting(100).on(lanes.handle().clone()).into_stage();
    let got = futures::executor::block_on(async {
        let flow = flow.await.unwrap();
        let late = flow.subscribe().await.unwrap().collect::<Vec<_>>().await;
        assert!(flow.shutdown(LONG).await.end.is_ok());
        late
    });
    assert_eq!(sorted(got), (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_consumer_that_fails_is_no_failure_of_the_flow() {
    let (bad, good) = (collect().stage().spawn(), collect().stage().spawn());
    let flow =
        counting(1000).lanes(1).demand(10, 5).into_stages([bad.clone(), good.clone()]).demand(10, 5).await;
    let flow = flow.unwrap();
    bad.try_cast(Say::Panic("bad")).unwrap();
    assert!(flow.wait().await.is_ok());
    assert!(matches!(bad.wait().await, Reason::Panicked(_)));
    assert!(good.status().await.is_ok());
}

/// Knows how many of its kind there are, and how many there have been at most.
struct Counted(Arc<(AtomicUsize, AtomicUsize)>);

impl Counted {
    fn new(counts: &Arc<(AtomicUsize, AtomicUsize)>) -> Self {
        let now = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
        counts.1.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(counts))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_bounded_by_the_demand_from_stage_to_stage() {
    let counts = Arc::default();
    let counting = Arc::clone(&counts);
    let source = from_iter((0..20_000).map(move |_| Counted::new(&counting))).stage().spawn();
    let flow =
        Flow::from_stages([source]).lanes(2).demand(10, 5).map(|item| item).into_stage().await.unwrap();
    let late = flow.subscribe().demand(10, 5).await.unwrap();
    assert_eq!(late.count().await, 20_000);
    let (now, most) = (counts.0.load(Ordering::SeqCst), counts.1.load(Ordering::SeqCst));
    // 10 of each subscription, of the edges to two lanes and of those from them; at both ends of each, a batch of 5.
    assert!(most <= 10 * (1 + 2 + 2 + 1) + 5 * 12, "{most} items at once");
    assert_eq!(now, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// As the items doubled, shared out in any way.
    #[test]
    fn consumers_get_what_the_flow_makes(
        items in 0u64..1500,
        lanes in 1usize..=8,
        consumers in 1usize..=4,
        max in prop::sample::select(vec![1usize, 2, 3, 10, 1000]),
        above in prop::sample::select(vec![1usize, 2, 3, 10, 1000]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let got = runtime.block_on(async {
            let log = Log::default();
            let consumers: Vec<_> = (0..consumers).map(|_| collect().writing_in(&log).stage().spawn()).collect();
            let flow = counting(items).lanes(lanes).demand(above, above / 2).map(|n| n * 2);
            let flow = flow.into_stages(consumers.clone()).demand(max, max / 2).await.unwrap();
            let report = flow.wait().await.unwrap();
            assert_eq!((report.taken, report.discarded), (items, 0));
            for consumer in &consumers {
                // Answered behind what was sent to it.
                consumer.status().await.unwrap();
            }
            log.items()
        });
        assert_eq!(sorted(got), (0..items).map(|n| n * 2).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_a_subscriber_did_not_take_before_it_went_is_in_the_report() {
    let flow = counting(100).lanes(1).into_stage().await.unwrap();
    let mut reader = flow.subscribe().demand(10, 5).await.unwrap();
    assert_eq!(reader.next().await, Some(0));
    settle().await;
    drop(reader);
    settle().await;
    let report = flow.shutdown(Duration::ZERO).await;
    let counts = flow.stage().counts();
    // A batch is taken as a whole.
    assert_eq!((counts.sent, counts.taken, counts.undelivered), (10, 5, 5));
    assert_eq!(report.undelivered, 5);
    assert_eq!(report.taken, counts.taken + report.undelivered + report.discarded);
}
