//! `start` and its handle.

use crate::support::Lines;
use crate::support::stages::Log;
use crate::support::{Alive, Watched, counting, finisher_suite, numbers, settle, seven, sorted};
use futures::{StreamExt, stream};
use gen_stage::Flow;
use gen_stage::flow::{FlowEnd, FlowError, FlowHandle};
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

fn alive_tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Yields its numbers, and then waits for ever.
pub(crate) fn then_silent(items: u64) -> impl stream::Stream<Item = u64> + Send + 'static {
    stream::iter(0..items).chain(stream::pending())
}

/// Waits for the flow, and raises its panic.
async fn waited(flow: FlowHandle) -> (u64, FlowEnd) {
    match flow.wait().await {
        Ok(report) => (report.taken, report.end.unwrap()),
        Err(FlowError::Panicked(panic)) => panic.resume(),
        Err(error) => panic!("{error}"),
    }
}

finisher_suite!(
    u64,
    |flow, _| async { waited(flow.start()).await },
    |items| (items.len() as u64, FlowEnd::Finished),
    a_flow_that_was_begun_is_refused("be started"),
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_runs_in_the_background_whether_somebody_waits_or_not() {
    for lanes in [1, 2, 8] {
        let sum = Arc::new(AtomicU64::new(0));
        let adds = sum.clone();
        let flow =
            counting(1000).lanes(lanes).inspect(move |n| _ = adds.fetch_add(*n, Ordering::Relaxed)).start();
        crate::support::stages::until("it is done", || flow.is_finished()).await;
        assert_eq!(sum.load(Ordering::Relaxed), 499_500);
        let report = flow.wait().await.unwrap();
        assert!(matches!(report.end, Ok(FlowEnd::Finished)));
        assert_eq!((report.taken, report.discarded, report.drained_for), (1000, 0, None));
    }
}

#[tokio::test]
async fn what_comes_out_last_need_not_be_send() {
    assert_eq!(counting(10).map(Rc::new).start().wait().await.unwrap().taken, 10);
}

#[tokio::test(start_paused = true)]
async fn the_report_says_how_long_it_ran_and_drained() {
    let slow = then_silent(3).then(|n| async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        n
    });
    let slow_lane = |lane: gen_stage::flow::adapters::SourceLane<_>| {
        lane.then(|n: u64| async move {
            tokio::time::sleep(Duration::from_secs(10)).await;
            n
        })
    };
    let flow = numbers(slow).lanes(1).per_lane(slow_lane).start();
    // Three have been taken by then, of which the lane has handled none.
    tokio::time::sleep(Duration::from_secs(7)).await;
    let report = flow.shutdown(LONG).await;
    assert!(matches!(report.end, Ok(FlowEnd::Drained)));
    // Item by item, the next is taken when the last is handled, at 12.
    assert_eq!((report.taken, report.ran.as_secs(), report.drained_for.unwrap().as_secs()), (1, 12, 5));
    let same = flow.wait().await.unwrap();
    assert_eq!((same.taken, same.ran, same.drained_for), (report.taken, report.ran, report.drained_for));
}

#[tokio::test(start_paused = true)]
async fn shutting_down_lets_everything_that_was_taken_come_out() {
    for lanes in [1, 2, 3, 8] {
        let watched = Watched::new();
        let out = Arc::new(AtomicU64::new(0));
        let (adds, before) = (out.clone(), alive_tasks());
        let flow = numbers(watched.endless())
            .lanes(lanes)
            .map(|n| n + 1)
            .partition()
            .lanes(3)
            .reduce(|| 0, |count: &mut u64, _| *count += 1)
            .emit_state()
            .shuffle()
            .lanes(2)
            .inspect(move |count| _ = adds.fetch_add(*count, Ordering::SeqCst))
            .start();
        // It never settles with this source.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert!(watched.taken() > 1000 && out.load(Ordering::SeqCst) == 0);
        let report = flow.shutdown(LONG).await;
        assert!(matches!(report.end, Ok(FlowEnd::Drained)), "{lanes} lanes: {report:?}");
        assert_eq!(report.taken, watched.taken() as u64, "{lanes} lanes");
        assert_eq!(out.load(Ordering::SeqCst), report.taken, "{lanes} lanes");
        assert_eq!(report.discarded, 0);
        assert!(!watched.is_alive());
        settle().await;
        assert_eq!(alive_tasks(), before, "no task is left");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutting_down_in_full_run_loses_nothing() {
    for round in 0..30 {
        let (watched, out) = (Watched::new(), Arc::new(AtomicU64::new(0)));
        let adds = out.clone();
        let sources = (0..1 + round % 5).map(|_| watched.endless().boxed());
        let flow = Flow::from_streams(sources)
            .lanes(1 + round % 3)
            .partition()
            .lanes(2)
            .demand(10, 5)
            .inspect(move |_| _ = adds.fetch_add(1, Ordering::SeqCst))
            .start();
        while watched.taken() < 100 * round {
            tokio::task::yield_now().await;
        }
        let report = flow.shutdown(LONG).await;
        assert!(matches!(report.end, Ok(FlowEnd::Drained)), "{report:?}");
        assert_eq!((report.taken, report.discarded), (watched.taken() as u64, 0), "round {round}");
        assert_eq!(out.load(Ordering::SeqCst), report.taken, "round {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_waits_ends_at_once() {
    for (lanes, sources) in [(1, 1), (4, 1), (2, 2), (2, 5)] {
        let states = Arc::new(AtomicUsize::new(0));
        let counts = states.clone();
        let sources = (0..sources).map(|_| then_silent(5).boxed());
        let flow = Flow::from_streams(sources)
            .lanes(lanes)
            .reduce(Vec::new, Vec::push)
            .emit_state()
            .shuffle()
            .lanes(1)
            .inspect(move |state: &Vec<u64>| _ = counts.fetch_add(state.len(), Ordering::SeqCst))
            .start();
        settle().await;
        let report = flow.shutdown(LONG).await;
        assert_eq!(report.drained_for, Some(Duration::ZERO), "{lanes} lanes");
        assert_eq!(report.taken, states.load(Ordering::SeqCst) as u64, "{lanes} lanes");
        assert!(report.taken >= 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_does_not_end_is_aborted_after_the_deadline() {
    let watched = Watched::new();
    let flow =
        numbers(watched.endless()).lanes(2).per_lane(|lane| lane.take(10).chain(stream::pending())).start();
    settle().await;
    let before = alive_tasks();
    let report = flow.shutdown(Duration::from_secs(5)).await;
    assert!(matches!(report.end, Err(FlowError::Aborted)), "{report:?}");
    assert_eq!(report.drained_for, Some(Duration::from_secs(5)));
    assert!(report.taken >= 20 && !watched.is_alive());
    assert!(matches!(flow.wait().await, Err(FlowError::Aborted)));
    settle().await;
    assert_eq!(
        alive_tasks() + 3,
        before,
        "two lanes and who watched over them: the source had no reader any more"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_0_aborts_what_does_not_end_at_once() {
    let report = numbers(then_silent(1)).lanes(4).start().shutdown(Duration::ZERO).await;
    assert!(matches!(report.end, Err(FlowError::Aborted)), "it had not even begun: {report:?}");
}

#[tokio::test(start_paused = true)]
async fn two_shutdowns_have_one_report_and_the_earlier_deadline() {
    let flow = counting(10).lanes(1).per_lane(|lane| lane.chain(stream::pending())).start();
    let (late, early) = (flow.shutdown(LONG), flow.shutdown(Duration::from_secs(5)));
    let (late, early) = futures::join!(late, early);
    for report in [late, early] {
        assert!(matches!(report.end, Err(FlowError::Aborted)));
        assert_eq!(report.drained_for, Some(Duration::from_secs(5)));
    }
    let again = flow.shutdown(LONG).await;
    assert_eq!(again.drained_for, Some(Duration::from_secs(5)), "also when it has long ended");
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_had_finished_is_not_drained_by_a_shutdown() {
    let flow = counting(10).start();
    flow.wait().await.unwrap();
    tokio::time::sleep(LONG).await;
    let report = flow.shutdown(LONG).await;
    assert!(matches!(report.end, Ok(FlowEnd::Finished)), "{report:?}");
    assert_eq!((report.taken, report.drained_for, report.ran), (10, None, Duration::ZERO));
    flow.abort();
    assert!(flow.wait().await.is_ok(), "nor aborted any more");
}

#[tokio::test]
async fn dropping_the_last_handle_drops_the_flow_at_once() {
    let (watched, before) = (Watched::new(), alive_tasks());
    let flow = numbers(watched.endless()).lanes(3).start();
    let other = flow.clone();
    settle().await;
    drop(flow);
    settle().await;
    assert!(watched.is_alive() && !other.is_finished());
    drop(other);
    assert!(!watched.is_alive());
    settle().await;
    assert_eq!(alive_tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_is_shut_down_drains_also_without_its_handle() {
    let watched = Watched::new();
    let flow = numbers(watched.endless()).lanes(2).start();
    settle().await;
    let shutdown = flow.shutdown(LONG);
    drop(flow);
    assert!(matches!(shutdown.await.end, Ok(FlowEnd::Drained)));

    let stuck = numbers(watched.endless()).lanes(2).per_lane(|lane| lane.chain(stream::pending())).start();
    let mut shutdown = tokio_test::task::spawn(stuck.shutdown(LONG));
    assert!(shutdown.poll().is_pending());
    drop(stuck);
    settle().await;
    assert!(shutdown.poll().is_pending());
    let waiting = watched.alive.load(Ordering::SeqCst);
    assert_eq!(waiting, 0, "the source has ended, the lanes have not");
    let before = alive_tasks();
    drop(shutdown);
    settle().await;
    assert_eq!(alive_tasks() + 3, before, "dropping the shutdown as the last that needs it aborts it");
}

#[tokio::test]
async fn a_detached_flow_lives_without_handles() {
    let watched = Watched::new();
    let flow = numbers(watched.endless()).lanes(2).start();
    flow.clone().detach();
    drop(flow);
    settle().await;
    let taken = watched.taken();
    settle().await;
    assert!(watched.taken() > taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_stops_all_lanes_and_is_in_the_report() {
    for lanes in [1, 2, 4] {
        let watched = Watched::new();
        let flow = numbers(watched.endless()).lanes(lanes).for_each_in_background(seven);
        let Err(FlowError::Panicked(panic)) = flow.wait().await else { panic!("it is to fail") };
        assert_eq!(panic.message(), "seven");
        assert!(!watched.is_alive(), "all lanes are gone by then");
        let payload = catch_unwind(AssertUnwindSafe(|| panic.resume())).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"seven"), "it goes on with what it was");
        assert!(matches!(flow.shutdown(LONG).await.end, Err(FlowError::Panicked(_))));
    }
}

trait InBackground {
    fn for_each_in_background(self, f: fn(u64)) -> FlowHandle;
}

impl InBackground for crate::support::Numbers {
    fn for_each_in_background(self, f: fn(u64)) -> FlowHandle {
        self.map(f).start()
    }
}

#[tokio::test]
async fn a_panic_of_a_detached_flow_is_logged() {
    let lines = Lines::listen();
    counting(10).map(seven).start().detach();
    settle().await;
    assert_eq!(lines.with("a flow has failed").len(), 1);
    assert!(lines.with("seven").iter().all(|line| line.starts_with("ERROR")));
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_it_drains_is_in_the_report() {
    let flow = numbers(then_silent(5))
        .lanes(2)
        .per_lane(|lane| lane.chain(stream::once(async { std::panic::panic_any("at the end") })))
        .start();
    settle().await;
    let report = flow.shutdown(LONG).await;
    let Err(FlowError::Panicked(panic)) = report.end else { panic!("{report:?}") };
    assert_eq!(panic.message(), "at the end");
    assert_eq!(report.drained_for, Some(Duration::ZERO));
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::panic_any("dropped");
        }
    }
}

fn with_bomb() -> crate::support::Numbers {
    let bomb = Bomb;
    numbers(stream::pending().inspect(move |_| _ = &bomb))
}

#[tokio::test]
async fn a_panic_of_what_is_dropped_by_an_abort_is_in_the_report() {
    let flow = with_bomb().lanes(2).start();
    settle().await;
    flow.abort();
    let Err(FlowError::Panicked(panic)) = flow.wait().await else { panic!("it is to fail") };
    assert_eq!(panic.message(), "dropped");
}

#[tokio::test]
async fn a_panic_of_what_is_dropped_with_the_last_handle_is_raised_there() {
    let flow = with_bomb().lanes(2).start();
    settle().await;
    let caught = catch_unwind(AssertUnwindSafe(|| drop(flow)));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"dropped"));
}

#[tokio::test]
async fn an_abort_drops_everything_at_once() {
    let (watched, alive) = (Watched::new(), Arc::new(AtomicUsize::new(0)));
    let counts = alive.clone();
    let flow = numbers(watched.endless())
        .lanes(2)
        .map(move |_| Alive::new(&counts))
        .partition_with(2, |_| Some(0))
        .per_lane(|lane| lane.take(1).chain(stream::pending()))
        .start();
    settle().await;
    assert!(watched.is_alive());
    flow.abort();
    assert!(!watched.is_alive());
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    flow.abort();
    let report = flow.shutdown(LONG).await;
    assert!(matches!(report.end, Err(FlowError::Aborted)));
    assert!(report.discarded > 0, "what was on its way to a lane is counted: {report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_may_abort_or_hold_its_own_flow() {
    let slot: Arc<std::sync::Mutex<Option<FlowHandle>>> = Arc::default();
    let inside = slot.clone();
    let watched = Watched::new();
    let flow = numbers(watched.endless())
        .lanes(2)
        .map(move |n| {
            if n > 5000 {
                if let Some(flow) = inside.lock().unwrap().take() {
                    flow.abort();
                }
            }
        })
        .start();
    *slot.lock().unwrap() = Some(flow.clone());
    assert!(matches!(flow.wait().await, Err(FlowError::Aborted)));
    assert!(!watched.is_alive());
}

#[test]
fn a_flow_whose_runtime_is_gone_says_so() {
    let lanes = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let flow = numbers(then_silent(1)).on(lanes.handle().clone()).start();
    let waiting = flow.wait();
    lanes.shutdown_timeout(Duration::from_secs(60));
    let ended = futures::executor::block_on(waiting);
    assert!(matches!(ended, Err(FlowError::RuntimeGone)), "{ended:?}");
    assert!(flow.is_finished());
}

#[test]
fn deadlines_are_timed_by_the_runtime_of_the_flow() {
    let lanes = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let flow = counting(1).per_lane(|lane| lane.chain(stream::pending())).on(lanes.handle().clone()).start();
    // Without any runtime here.
    let report = futures::executor::block_on(flow.shutdown(Duration::from_millis(1)));
    assert!(matches!(report.end, Err(FlowError::Aborted)));
}

#[test]
#[should_panic(expected = "a flow needs a tokio runtime")]
fn outside_of_a_runtime_it_says_what_to_do() {
    let _ = counting(1).start();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// What is taken comes out, whenever it is told to stop.
    #[test]
    fn items_taken_are_items_out(
        lanes in 1usize..=8,
        below in 1usize..=8,
        max in prop::sample::select(vec![1usize, 2, 3, 10, 1000]),
        sources in 1usize..=9,
        length in 0u64..3000,
        turns in 0usize..200,
        silent: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (out, taken): (Log<u64>, Log<u64>) = Default::default();
            let (outs, takes) = (out.clone(), taken.clone());
            let sources = (0..sources as u64).map(|source| {
                let takes = takes.clone();
                let items = stream::iter(source * length..(source + 1) * length);
                let tail = if silent { stream::pending().boxed() } else { stream::empty().boxed() };
                items.chain(tail).inspect(move |n| takes.push(*n)).boxed()
            });
            let flow = Flow::from_streams(sources)
                .lanes(lanes)
                .demand(max, max / 2)
                .partition()
                .lanes(below)
                .demand(max, max / 2)
                .reduce(Vec::new, Vec::push)
                .shuffle()
                .lanes(1)
                .inspect(move |n: &u64| outs.push(*n))
                .start();
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            let report = flow.shutdown(LONG).await;
            assert!(report.end.is_ok(), "{report:?}");
            assert_eq!(report.taken as usize, taken.len());
            assert_eq!(sorted(out.all()), sorted(taken.all()));
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_reads_a_channel_to_the_end_of_its_senders() {
    for lanes in [1, 3] {
        let (sender, receiver) = tokio::sync::mpsc::channel::<u64>(10_000);
        let done = Arc::new(AtomicUsize::new(0));
        let counts = done.clone();
        let flow = numbers(tokio_stream::wrappers::ReceiverStream::new(receiver))
            .lanes(lanes)
            .demand(10, 5)
            .map_async(1, move |_| {
                let counts = counts.clone();
                async move {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    counts.fetch_add(1, Ordering::SeqCst);
                }
            })
            .start();
        for n in 0..500 {
            sender.send(n).await.unwrap();
        }
        drop(sender);
        let report = flow.drain(Duration::from_secs(5)).await;
        assert!(matches!(report.end, Ok(FlowEnd::Finished)), "{report:?}");
        assert_eq!(
            (report.taken, report.discarded, done.load(Ordering::SeqCst)),
            (500, 0, 500),
            "{lanes} lanes"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_takes_too_long_is_aborted() {
    let watched = Watched::new();
    let flow = numbers(watched.endless().chain(stream::pending()))
        .lanes(2)
        .per_lane(|lane| lane.then(|_| std::future::pending::<u64>()))
        .start();
    let start = tokio::time::Instant::now();
    let report = flow.drain(Duration::from_secs(5)).await;
    assert!(matches!(report.end, Err(FlowError::Aborted)), "{report:?}");
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    assert!(!watched.is_alive());
}
