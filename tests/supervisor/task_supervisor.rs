//! One task per item, with its result.

use crate::support::{Alive, Live, Lives, Watched, settle, sorted};
use futures::future::{BoxFuture, FutureExt, pending};
use futures::stream::{self, FusedStream, StreamExt};
use futures::{Sink, SinkExt, Stream};
use gen_stage::supervisor::{ChildError, StreamSupervised, TaskSupervisor, TaskSupervisorClosed};
use proptest::prelude::*;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep};
use tokio_test::task::spawn;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What a result is, in words: an output, or why there is none.
fn told<O: std::fmt::Debug>(result: Result<O, ChildError>) -> String {
    match result {
        Ok(output) => format!("{output:?}"),
        Err(ChildError::Panicked(panic)) => format!("panicked: {}", panic.message()),
        Err(ChildError::TimedOut) => "timed out".into(),
        Err(ChildError::Aborted) => "aborted".into(),
        Err(other) => format!("unknown: {other}"),
    }
}

async fn all<K, O: std::fmt::Debug>(
    results: impl Stream<Item = (K, Result<O, ChildError>)>,
) -> Vec<(K, String)> {
    results.map(|(key, result)| (key, told(result))).collect().await
}

fn pairs<const N: usize>(pairs: [(u64, &str); N]) -> Vec<(u64, String)> {
    pairs.map(|(key, text)| (key, text.to_string())).into()
}

/// Panics when it is dropped.
#[derive(Debug)]
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(self.0);
    }
}

/// Is ready at once, with a bomb that goes off when the future itself is dropped.
struct Mined<O>(Option<O>, #[expect(dead_code, reason = "it is there to be dropped")] Bomb);

impl<O: Unpin> Future for Mined<O> {
    type Output = O;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<O> {
        Poll::Ready(self.0.take().expect("it is polled once"))
    }
}

#[tokio::test]
async fn nothing_sent_is_the_end_when_it_is_closed() {
    let mut tasks = TaskSupervisor::new(3, |n: u64| async move { n });
    assert!(tasks.next().now_or_never().is_none(), "something may come");
    assert!(!tasks.is_terminated());
    tasks.close().await.unwrap();
    assert!(tasks.is_terminated());
    assert!(tasks.next().await.is_none());
    assert!(tasks.next().await.is_none(), "it stays ended");
    assert!(all(stream::empty::<u64>().supervised(3, |n| async move { n })).await.is_empty());
}

#[tokio::test]
async fn one_item_comes_back_with_its_result() {
    let mut tasks = TaskSupervisor::new(3, |n: u64| async move { n + 1 });
    tasks.send(1).await.unwrap();
    assert_eq!((tasks.outstanding(), tasks.size_hint()), (1, (1, None)));
    assert_eq!(tasks.next().await.map(|(n, result)| (n, told(result))), Some((1, "2".into())));
    tasks.close().await.unwrap();
    assert_eq!((tasks.outstanding(), tasks.size_hint()), (0, (0, Some(0))));
    assert!(tasks.next().await.is_none());
    assert_eq!(all(stream::iter([7]).supervised(1, |n| async move { n })).await, pairs([(7, "7")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_items_come_back_with_any_bound() {
    for n in [1, 2, 7, 1000, usize::MAX] {
        for ordered in [false, true] {
            let squares = stream::iter(0..5000_u64).supervised(n, |n| async move { n * n });
            let squares = if ordered { squares.ordered() } else { squares };
            let mut squares: Vec<(u64, u64)> =
                squares.map(|(n, square)| (n, square.unwrap())).collect().await;
            if !ordered {
                squares.sort_unstable();
            }
            assert!(squares.into_iter().eq((0..5000).map(|n| (n, n * n))), "{n}, ordered: {ordered}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_halves_go_to_two_tasks() {
    for n in [1, 4, 1000] {
        let (sink, results) = TaskSupervisor::new(n, |n: u64| async move { n }).split();
        let sending = tokio::spawn(stream::iter(0..10_000).map(Ok).forward(sink));
        let reading = tokio::spawn(results.map(|(_, n)| n.unwrap()).collect::<Vec<_>>());
        sending.await.unwrap().expect("it was not closed before");
        let mut got = reading.await.unwrap();
        got.sort_unstable();
        assert!(got.into_iter().eq(0..10_000), "{n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_goes_to_one_half_while_the_other_is_read() {
    let (sink, results) = TaskSupervisor::new(3, |n: u64| async move { 100 / (n % 10) }).split();
    let sending = tokio::spawn(crate::support::counting(1000).lanes(3).forward(sink));
    let (fine, failed): (Vec<_>, Vec<_>) =
        results.collect::<Vec<_>>().await.into_iter().partition(|(_, result)| result.is_ok());
    sending.await.unwrap().expect("it was not closed before");
    assert_eq!((fine.len(), failed.len()), (900, 100));
    assert!(failed.iter().all(|(n, _)| n % 10 == 0));
}

#[tokio::test]
async fn it_waits_for_a_pending_source_and_is_woken_by_it() {
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    let mut tasks = spawn(receiver.supervised(2, |n: u64| async move { n }));
    assert!(tasks.poll_next().is_pending());
    sender.unbounded_send(5).unwrap();
    assert!(tasks.is_woken());
    assert!(tasks.poll_next().is_pending(), "its task has not run");
    settle().await;
    assert!(tasks.is_woken(), "by its task");
    assert!(matches!(tasks.poll_next(), Poll::Ready(Some((5, Ok(5))))));
    assert!(tasks.poll_next().is_pending());
    drop(sender);
    assert!(tasks.is_woken());
    assert!(matches!(tasks.poll_next(), Poll::Ready(None)));
}

#[tokio::test]
async fn closing_wakes_a_reader_that_waits_for_nothing() {
    let (mut sink, results) = TaskSupervisor::new(1, |n: u64| async move { n }).split();
    let mut reading = spawn(results);
    assert!(reading.poll_next().is_pending());
    sink.close().await.unwrap();
    assert!(reading.is_woken());
    assert!(matches!(reading.poll_next(), Poll::Ready(None)));
}

#[tokio::test]
async fn closing_waits_neither_for_tasks_nor_for_their_reader() {
    let mut tasks = TaskSupervisor::new(2, |n: u64| async move {
        sleep(ms(n)).await;
    });
    tokio::time::pause();
    tasks.send(20).await.unwrap();
    tasks.send(10).await.unwrap();
    assert_eq!(tasks.flush().now_or_never(), Some(Ok(())));
    assert_eq!(tasks.close().now_or_never(), Some(Ok(())));
    assert_eq!(tasks.size_hint(), (2, Some(2)));
    assert!(!tasks.is_terminated());
    assert_eq!(all(&mut tasks).await, pairs([(10, "()"), (20, "()")]));
    assert!(tasks.is_terminated());
}

#[tokio::test]
async fn it_is_ready_while_there_is_room_and_reading_makes_some() {
    let mut tasks = TaskSupervisor::new(2, |n: u64| async move { n });
    tasks.send(1).await.unwrap();
    tasks.send(2).await.unwrap();
    let mut sending = spawn(());
    assert!(sending.enter(|cx, _| Pin::new(&mut tasks).poll_ready(cx)).is_pending());
    settle().await;
    assert!(!sending.is_woken(), "results that were not read take room");
    assert!(tasks.next().await.is_some());
    assert!(sending.is_woken(), "by the reader");
    assert!(sending.enter(|cx, _| Pin::new(&mut tasks).poll_ready(cx)).is_ready());
}

#[tokio::test]
#[should_panic(expected = "start_send on a sink that has not said that it is ready")]
async fn an_item_that_there_is_no_room_for_is_refused() {
    let mut tasks = TaskSupervisor::new(1, |n: u64| async move { n });
    Pin::new(&mut tasks).start_send(1).unwrap();
    let _ = Pin::new(&mut tasks).start_send(2);
}

#[tokio::test]
async fn an_item_that_is_sent_after_the_close_comes_back() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let mut tasks = TaskSupervisor::new(1, move |n: String| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { n }
    });
    tasks.send("first".into()).await.unwrap();
    tasks.close().await.unwrap();
    let TaskSupervisorClosed(item) = tasks.send("second".into()).await.unwrap_err();
    assert_eq!((item.as_str(), calls.load(Ordering::SeqCst)), ("second", 1));
    assert!(tasks.next().await.is_some());
    let TaskSupervisorClosed(item) = tasks.send("third".into()).await.unwrap_err();
    assert_eq!((item.as_str(), calls.load(Ordering::SeqCst)), ("third", 1));
    assert!(tasks.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn results_come_as_tasks_end_or_in_the_order_of_items() {
    let naps = || {
        stream::iter([30, 10, 20]).supervised(3, |n| async move {
            sleep(ms(n)).await;
            n
        })
    };
    assert_eq!(all(naps()).await, pairs([(10, "10"), (20, "20"), (30, "30")]));
    assert_eq!(all(naps().ordered()).await, pairs([(30, "30"), (10, "10"), (20, "20")]));
    let mut tasks = TaskSupervisor::new(3, |n: u64| sleep(ms(n))).key(|n| n * 2).ordered();
    for n in [30, 10, 20] {
        tasks.send(n).await.unwrap();
    }
    let start = Instant::now();
    sleep(ms(25)).await;
    assert!(tasks.next().now_or_never().is_none(), "two are done, and not the first");
    assert_eq!(tasks.outstanding(), 3);
    tasks.close().await.unwrap();
    assert_eq!(all(tasks).await, pairs([(60, "()"), (20, "()"), (40, "()")]));
    assert!(start.elapsed() < ms(35), "all three at the same time");
}

#[tokio::test(start_paused = true)]
async fn with_room_for_one_there_is_one_at_a_time() {
    let (start, running) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let naps = stream::iter([30, 10, 20]).supervised(1, |n| {
        let alive = Alive::new(&running);
        let running = running.clone();
        async move {
            sleep(ms(n)).await;
            let now = running.load(Ordering::SeqCst);
            drop(alive);
            now
        }
    });
    assert_eq!(all(naps).await, pairs([(30, "1"), (10, "1"), (20, "1")]));
    assert!(start.elapsed() >= ms(60));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_the_result_of_its_item_and_of_no_other() {
    let work = |n: u64| -> BoxFuture<'static, u64> {
        match n {
            1 => panic_any("factory"),
            2 => async { panic_any("future") }.boxed(),
            3 => Mined(Some(3), Bomb("drop")).boxed(),
            4 => async { panic!("at {}", 4) }.boxed(),
            5 => Mined(None, Bomb("second")).boxed(),
            n => async move { n }.boxed(),
        }
    };
    let results = all(stream::iter(0..7).supervised(2, work).ordered()).await;
    let expected = [
        (0, "0"),
        (1, "panicked: factory"),
        (2, "panicked: future"),
        (3, "panicked: drop"),
        (4, "panicked: at 4"),
        // The first of two is the one to be seen.
        (5, "panicked: it is polled once"),
        (6, "6"),
    ];
    assert_eq!(results, pairs(expected));
}

#[tokio::test]
async fn an_output_that_panics_with_its_future_hurts_nobody() {
    let mined = |n: u64| Mined(Some(Bomb("output")), Bomb(if n == 0 { "first" } else { "second" }));
    let results = all(stream::iter([0, 1]).supervised(1, mined)).await;
    assert_eq!(results, pairs([(0, "panicked: first"), (1, "panicked: second")]));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_takes_too_long_is_dropped() {
    let alive = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let mut tasks = TaskSupervisor::new(3, |n: u64| {
        let alive = Alive::new(&alive);
        async move {
            sleep(ms(n)).await;
            drop(alive);
        }
    })
    .timeout(ms(100));
    for n in [1_000_000, 99, 0] {
        tasks.send(n).await.unwrap();
    }
    tasks.close().await.unwrap();
    assert_eq!(all(tasks).await, pairs([(0, "()"), (99, "()"), (1_000_000, "timed out")]));
    assert!(start.elapsed() < ms(110));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_never_runs_out_of_work_is_timed_out_too() {
    let stopped = Arc::new(AtomicBool::new(false));
    let (stop, start) = (stopped.clone(), Instant::now());
    // Its budget is used up each time it pends.
    let busy = stream::iter([1]).supervised(1, |_| {
        let stopped = stopped.clone();
        async move {
            while !stopped.load(Ordering::SeqCst) {
                tokio::task::coop::consume_budget().await;
            }
        }
    });
    let ticking = tokio::spawn(async move {
        for _ in 0..500 {
            tokio::time::advance(ms(1)).await;
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert_eq!(all(busy.timeout(ms(50))).await, [(1, "timed out".to_string())]);
    assert!(start.elapsed() < ms(100));
    ticking.abort();
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_drop_of_a_task_that_took_too_long_is_its_result() {
    let slow = stream::iter([1, 2]).supervised(2, |n| {
        let bomb = (n == 1).then(|| Bomb("late"));
        async move {
            let _bomb = bomb;
            pending::<()>().await;
        }
    });
    let results = all(slow.timeout(ms(5)).ordered()).await;
    assert_eq!(results, [(1, "panicked: late".into()), (2, "timed out".into())]);
}

#[tokio::test(start_paused = true)]
async fn no_more_items_than_the_bound_are_outstanding() {
    for (n, ordered) in [(1, false), (5, false), (5, true), (64, true)] {
        let lives = Lives::new();
        let items = (0..500).map({
            let lives = lives.clone();
            move |n| Live::new(n, &lives)
        });
        let naps = stream::iter(items)
            .supervised(n, |live: Live| async move {
                sleep(ms(live.n % 7)).await;
                live
            })
            .key(|live| live.n);
        let mut naps = if ordered { naps.ordered() } else { naps };
        let mut read = 0;
        while let Some((_, live)) = naps.next().await {
            drop(live);
            read += 1;
            assert!(naps.outstanding() <= n);
            if read % 10 == 0 {
                sleep(ms(50)).await;
            }
        }
        assert_eq!((read, lives.now(), lives.peak(), lives.clones()), (500, 0, n, 0), "ordered: {ordered}");
    }
}

#[tokio::test]
async fn dropping_it_aborts_all_tasks_and_drops_all_results() {
    let (alive, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = TaskSupervisor::new(10, |n: u64| {
        let (running, output) = (Alive::new(&alive), Alive::new(&done));
        async move {
            if n % 2 == 0 {
                pending::<()>().await;
            }
            drop(running);
            output
        }
    });
    for n in 0..10 {
        tasks.send(n).await.unwrap();
    }
    settle().await;
    drop(tasks.next().await.unwrap());
    assert_eq!((alive.load(Ordering::SeqCst), done.load(Ordering::SeqCst)), (5, 9));
    drop(tasks);
    assert_eq!(done.load(Ordering::SeqCst), 5, "results are dropped at once");
    settle().await;
    assert_eq!((alive.load(Ordering::SeqCst), done.load(Ordering::SeqCst)), (0, 0));
}

#[tokio::test]
async fn dropping_the_stream_drops_its_source_and_aborts_all_tasks() {
    let (watched, alive) = (Watched::new(), Arc::new(AtomicUsize::new(0)));
    let mut tasks = Box::pin(watched.endless().supervised(5, |_| {
        let alive = Alive::new(&alive);
        async move {
            pending::<()>().await;
            drop(alive);
        }
    }));
    assert!(tasks.next().now_or_never().is_none());
    assert_eq!((watched.taken(), alive.load(Ordering::SeqCst), tasks.outstanding()), (5, 5, 5));
    drop(tasks);
    assert!(!watched.is_alive());
    settle().await;
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_comes_after_the_drop_is_dropped() {
    struct Says(mpsc::Sender<&'static str>);
    impl Drop for Says {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }
    let ((said, hear), (go, wait)) = (mpsc::channel(), mpsc::channel());
    let mut wait = Some(wait);
    let mut tasks = TaskSupervisor::new(1, move |()| {
        let (said, wait) = (said.clone(), wait.take().expect("there is one item"));
        async move {
            said.send("running").unwrap();
            wait.recv().unwrap();
            Says(said)
        }
    });
    tasks.send(()).await.unwrap();
    assert_eq!(hear.recv_timeout(ms(10_000)), Ok("running"));
    drop(tasks);
    go.send(()).unwrap();
    assert_eq!(hear.recv_timeout(ms(10_000)), Ok("dropped"));
}

#[tokio::test]
async fn tasks_run_while_nobody_polls_and_no_new_ones_are_started() {
    let (watched, done) = (Watched::new(), Arc::new(AtomicUsize::new(0)));
    let mut tasks = Box::pin(watched.endless().supervised(3, |n| {
        let done = done.clone();
        async move {
            tokio::task::yield_now().await;
            done.fetch_add(1, Ordering::SeqCst);
            n
        }
    }));
    settle().await;
    assert_eq!(watched.taken(), 0, "before the first poll");
    assert!(tasks.next().now_or_never().is_none());
    settle().await;
    assert_eq!((watched.taken(), done.load(Ordering::SeqCst)), (3, 3));
    assert!(tasks.next().await.is_some());
    settle().await;
    assert_eq!((watched.taken(), done.load(Ordering::SeqCst)), (3, 3));
}

#[test]
fn the_end_of_the_runtime_aborts_its_tasks() {
    for ordered in [false, true] {
        let runtime = Builder::new_current_thread().build().unwrap();
        let alive = Arc::new(AtomicUsize::new(0));
        let tasks = TaskSupervisor::new(5, |n: u64| {
            let alive = Alive::new(&alive);
            async move {
                if n > 1 {
                    pending::<()>().await;
                }
                drop(alive);
                n
            }
        });
        let tasks = tasks.on(runtime.handle().clone());
        let mut tasks = spawn(if ordered { tasks.ordered() } else { tasks });
        for n in 1..=3 {
            tasks.send(n).now_or_never().expect("there is room").unwrap();
        }
        runtime.block_on(settle());
        assert!(matches!(tasks.poll_next(), Poll::Ready(Some((1, Ok(1))))));
        assert!(tasks.poll_next().is_pending());
        drop(runtime);
        assert!(tasks.is_woken());
        assert_eq!(alive.load(Ordering::SeqCst), 0);
        // There is nothing any more to run this one.
        tasks.send(4).now_or_never().expect("there is room").unwrap();
        tasks.close().now_or_never().expect("closing does not wait").unwrap();
        let mut rest = all(tasks.into_inner()).now_or_never().expect("all have ended");
        rest.sort();
        assert_eq!(rest, pairs([(2, "aborted"), (3, "aborted"), (4, "aborted")]), "ordered: {ordered}");
    }
}

#[test]
#[should_panic(expected = "a task needs a tokio runtime, and its item was sent outside of one")]
fn an_item_that_is_sent_outside_of_a_runtime_is_refused() {
    let mut tasks = TaskSupervisor::new(1, |n: u64| async move { n });
    let _ = tasks.send(1).now_or_never();
}

#[tokio::test]
async fn a_panic_of_the_key_is_raised_where_the_item_is_sent() {
    let mut tasks = TaskSupervisor::new(1, |n: u64| async move { n }).key(|n| {
        crate::support::seven(*n);
        n + 1
    });
    let sent = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut tasks).start_send(7)));
    assert_eq!(sent.unwrap_err().downcast_ref::<&str>(), Some(&"seven"));
    assert_eq!(tasks.outstanding(), 0, "it took no room");
    tasks.send(8).await.unwrap();
    assert!(matches!(tasks.next().await, Some((9, Ok(8)))));
}

#[tokio::test]
async fn a_panic_of_the_source_is_raised_in_the_reader() {
    let source = stream::iter(0..10).inspect(|n| crate::support::seven(*n));
    let mut tasks = source.supervised(3, |n| async move { n }).ordered();
    for n in 0..4 {
        assert_eq!(tasks.next().await.map(|(n, result)| (n, told(result))), Some((n, n.to_string())));
    }
    let raised = AssertUnwindSafe(async { while tasks.next().await.is_some() {} }).catch_unwind().await;
    assert_eq!(raised.unwrap_err().downcast_ref::<&str>(), Some(&"seven"));
}

#[tokio::test]
async fn a_panic_in_the_drop_of_the_source_is_raised_once_behind_its_end() {
    struct Ends(#[expect(dead_code, reason = "it is there to be dropped")] Bomb);
    impl Stream for Ends {
        type Item = u64;

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
            Poll::Ready(None)
        }
    }
    let mut tasks = Ends(Bomb("source")).supervised(3, |n| async move { n });
    let raised = AssertUnwindSafe(tasks.next()).catch_unwind().await;
    assert_eq!(raised.unwrap_err().downcast_ref::<&str>(), Some(&"source"));
    assert!(tasks.is_terminated());
    assert!(tasks.next().now_or_never().expect("nothing is waited for").is_none());
}

#[test]
fn a_reader_that_goes_with_its_waker_may_take_the_runtime_along() {
    struct Last(#[expect(dead_code, reason = "it is there to be dropped")] Runtime);
    impl Wake for Last {
        fn wake(self: Arc<Self>) {}
    }
    let (done, ends) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().build().unwrap();
        let mut tasks = TaskSupervisor::new(1, |_: u64| pending::<()>()).on(runtime.handle().clone());
        tasks.send(1).now_or_never().expect("there is room").unwrap();
        let waker = Waker::from(Arc::new(Last(runtime)));
        assert!(tasks.poll_next_unpin(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        // Now the supervisor has the last that keeps the runtime, whose end is that of the task.
        assert!(tasks.next().now_or_never().is_none());
        let result = tasks.next().now_or_never().flatten();
        done.send(matches!(result, Some((1, Err(ChildError::Aborted))))).unwrap();
    });
    assert_eq!(ends.recv_timeout(ms(10_000)), Ok(true));
}

#[tokio::test]
#[should_panic(expected = "TaskSupervisor::new needs room for at least 1 item, given 0")]
async fn a_supervisor_without_room_is_refused() {
    let _ = TaskSupervisor::new(0, |n: u64| async move { n });
}

#[tokio::test]
#[should_panic(expected = "supervised needs room for at least 1 item, given 0")]
async fn a_stream_without_room_is_refused() {
    let _ = stream::iter([1]).supervised(0, |n| async move { n });
}

#[tokio::test]
#[should_panic(expected = "ordered must be said while no items are outstanding, there are 1")]
async fn an_order_for_items_on_their_way_is_refused() {
    let mut tasks = TaskSupervisor::new(3, |n: u64| async move { n });
    tasks.send(1).await.unwrap();
    let _ = tasks.ordered();
}

#[tokio::test]
async fn a_source_that_is_always_ready_gives_way() {
    let watched = Watched::new();
    let mut tasks = spawn(watched.endless().supervised(usize::MAX, |n| async move { n }));
    assert!(tasks.poll_next().is_pending(), "no task has run");
    assert!(tasks.is_woken(), "there is more to take");
    assert!((1..=128).contains(&watched.taken()), "{}", watched.taken());
}

#[tokio::test]
async fn a_reader_that_always_finds_a_result_gives_way() {
    let mut tasks = TaskSupervisor::new(1000, |n: u64| async move { n });
    for n in 0..1000 {
        tasks.send(n).await.unwrap();
    }
    settle().await;
    let ran = Arc::new(AtomicBool::new(false));
    let other = ran.clone();
    tokio::spawn(async move { other.store(true, Ordering::SeqCst) });
    for _ in 0..1000 {
        assert!(tasks.next().await.is_some());
    }
    assert!(ran.load(Ordering::SeqCst));
}

#[tokio::test]
async fn an_item_is_cloned_once_and_not_at_all_for_a_key() {
    let lives = Lives::new();
    let items = || stream::iter((0..10).map(|n| Live::new(n, &lives)).collect::<Vec<_>>());
    let by_key = items().supervised(3, |live| async move { live.n }).key(|live| live.n);
    assert_eq!(all(by_key).await.len(), 10);
    assert_eq!(lives.clones(), 0);
    assert_eq!(all(items().supervised(3, |live| async move { live.n })).await.len(), 10);
    assert_eq!((lives.clones(), lives.now()), (10, 0));
}

/// What a task is going to do.
#[derive(Debug, Clone, Copy)]
enum Act {
    End,
    PanicAtOnce,
    Panic,
    PanicInDrop,
}

fn jobs() -> impl Strategy<Value = Vec<(u64, Act)>> {
    let act = prop_oneof![
        4 => Just(Act::End),
        1 => Just(Act::PanicAtOnce),
        1 => Just(Act::Panic),
        1 => Just(Act::PanicInDrop),
    ];
    prop::collection::vec((0..20_u64, act), 0..40)
}

/// After so many milliseconds a task has taken too long; no task takes just as long.
const LIMIT: u64 = 25;

/// What is to come of a job, whatever the others do.
fn model((nap, act): (u64, Act)) -> String {
    match act {
        Act::PanicAtOnce => "panicked: at once".into(),
        // Dropping a task that has begun panics whether or not it got to its end.
        Act::PanicInDrop => "panicked: in drop".into(),
        _ if nap * 2 > LIMIT => "timed out".into(),
        Act::Panic => "panicked: at the end".into(),
        Act::End => format!("{nap}"),
    }
}

fn work((nap, act): (u64, Act)) -> impl Future<Output = u64> + Send + 'static {
    if let Act::PanicAtOnce = act {
        panic_any("at once");
    }
    let bomb = matches!(act, Act::PanicInDrop).then(|| Bomb("in drop"));
    async move {
        let _bomb = bomb;
        sleep(ms(nap * 2)).await;
        if let Act::Panic = act {
            panic_any("at the end");
        }
        nap
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_item_comes_out_once_with_its_result(
        jobs in jobs(),
        n in 1..=8_usize,
        ordered: bool,
        split: bool,
        pauses in prop::collection::vec(0..30_u64, 1..5),
    ) {
        let expected: Vec<(usize, String)> = jobs.iter().copied().map(model).enumerate().collect();
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (peak, running) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        let run = |(_, job)| {
            let alive = Alive::new(&running);
            peak.fetch_max(running.load(Ordering::SeqCst), Ordering::SeqCst);
            let work = work(job);
            async move {
                let _alive = alive;
                work.await
            }
        };
        let items = stream::iter(jobs.into_iter().enumerate());
        let read = async |results: Pin<Box<dyn Stream<Item = (usize, Result<u64, ChildError>)> + '_>>| {
            let reading = results.enumerate().then(async |(at, (number, result))| {
                sleep(ms(pauses[at % pauses.len()])).await;
                (number, told(result))
            });
            reading.collect::<Vec<_>>().await
        };
        let mut got = runtime.block_on(async {
            if split {
                let tasks = TaskSupervisor::new(n, run).key(|(number, _)| *number).timeout(ms(LIMIT));
                let (sink, results) = if ordered { tasks.ordered() } else { tasks }.split();
                let (sent, got) = futures::join!(items.map(Ok).forward(sink), read(Box::pin(results)));
                assert!(sent.is_ok());
                got
            } else {
                let tasks = items.supervised(n, run).key(|(number, _)| *number).timeout(ms(LIMIT));
                read(Box::pin(if ordered { tasks.ordered() } else { tasks })).await
            }
        });
        if !ordered && n > 1 {
            got.sort();
        }
        prop_assert_eq!(got, expected);
        prop_assert!(peak.load(Ordering::SeqCst) <= n);
        prop_assert_eq!(running.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn results_that_are_not_ordered_come_in_the_order_of_their_ends(
        naps in prop::collection::hash_set(1..5000_u64, 0..30).prop_map(Vec::from_iter).prop_shuffle(),
        n in 1..=8_usize,
    ) {
        // In sequence: always the next to end, and another one in its place at that time.
        let (mut waiting, mut running, mut now) = (naps.iter(), Vec::new(), 0);
        let mut ends = Vec::new();
        loop {
            while running.len() < n {
                let Some(nap) = waiting.next() else { break };
                running.push((now + nap * 100, *nap));
            }
            let Some(next) = running.iter().copied().min() else { break };
            running.retain(|other| *other != next);
            now = next.0;
            ends.push(next);
        }
        // Of those that end at the same time, any may come first.
        prop_assume!(ends.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let naps = stream::iter(naps).supervised(n, |nap| sleep(ms(nap * 100)));
        let got: Vec<u64> = runtime.block_on(naps.map(|(nap, _)| nap).collect());
        prop_assert_eq!(got, ends.into_iter().map(|(_, nap)| nap).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_handle_lists_the_tasks_that_run_and_cancels_them_by_their_keys() {
    for ordered in [false, true] {
        let tasks = TaskSupervisor::new(10, |n: u64| sleep(ms(n))).key(|n| n % 10);
        let (mut tasks, lists) =
            (if ordered { tasks.ordered() } else { tasks }, |keys: Vec<u64>| sorted(keys));
        let handle = tasks.handle();
        assert!(handle.children().is_empty());
        for n in [11, 21, 31, 12, 5] {
            tasks.send(n).await.unwrap();
        }
        assert_eq!(lists(handle.children()), [1, 1, 1, 2, 5]);
        sleep(ms(6)).await;
        assert_eq!(lists(handle.children()), [1, 1, 1, 2], "one has ended, and is not read");
        assert_eq!((handle.cancel(&5), handle.cancel(&7)), (0, 0));
        sleep(ms(9)).await;
        assert_eq!(handle.cancel(&1), 2);
        assert_eq!(handle.clone().cancel(&1), 0, "they are cancelled already");
        settle().await;
        assert!(handle.children().is_empty());
        tasks.close().await.unwrap();
        let mut results = all(tasks).await;
        if !ordered {
            results.sort();
        }
        let cancelled = "unknown: the child was cancelled";
        let in_order = [(1, "()"), (1, cancelled), (1, cancelled), (2, "()"), (5, "()")];
        assert_eq!(results, pairs(in_order));
    }
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_is_made_late_knows_the_tasks_that_run_already_and_none_of_those_that_are_gone() {
    let mut tasks = TaskSupervisor::new(3, |n: u64| sleep(ms(n)));
    tasks.send(100).await.unwrap();
    tasks.send(1).await.unwrap();
    sleep(ms(2)).await;
    let handle = tasks.handle();
    assert_eq!(handle.children(), [100]);
    assert!(matches!(tasks.next().await, Some((1, Ok(())))));
    // It sits where that one did.
    tasks.send(50).await.unwrap();
    assert_eq!(sorted(tasks.handle().children()), [50, 100]);
    assert_eq!(handle.cancel(&50), 1);
    assert!(matches!(tasks.next().await, Some((50, Err(ChildError::Cancelled)))));
    drop(tasks);
    assert!(handle.children().is_empty());
    assert_eq!(handle.cancel(&100), 0);
}

#[tokio::test(start_paused = true)]
async fn tasks_are_cancelled_while_a_stream_is_read_elsewhere() {
    let mut naps = stream::iter(1..=20).supervised(5, |n: u64| sleep(ms(n * 1000))).ordered();
    let handle = naps.handle();
    let reading = tokio::spawn(all(naps));
    settle().await;
    while !reading.is_finished() {
        let running = handle.children();
        assert!(running.len() <= 5);
        for n in running.iter().filter(|n| *n % 2 == 0) {
            assert_eq!(handle.cancel(n), 1);
        }
        sleep(ms(500)).await;
    }
    let results = reading.await.unwrap();
    let expected =
        (1..=20).map(|n| (n, if n % 2 == 0 { "unknown: the child was cancelled" } else { "()" }.to_string()));
    assert_eq!(results, expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn an_abort_that_no_handle_asked_for_is_none_of_a_handle() {
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let mut tasks = TaskSupervisor::new(2, |_: u64| pending::<()>()).on(runtime.handle().clone());
    let handle = tasks.handle();
    tasks.send(1).await.unwrap();
    runtime.shutdown_background();
    assert!(matches!(tasks.next().await, Some((1, Err(ChildError::Aborted)))));
    assert!(handle.children().is_empty());
}

#[test]
#[should_panic(expected = "key must be said before a handle is made, which goes by it")]
fn a_key_comes_before_the_handle() {
    let mut tasks = TaskSupervisor::new(2, |n: u64| async move { n });
    let _handle = tasks.handle();
    drop(tasks.key(|n| n + 1));
}
