use crate::support::stages::{Say, double, doubled, identity, until};
use crate::support::{Watched, counting, numbers, settle, seven, sorted};
use futures::{FutureExt, StreamExt, stream};
use gen_stage::Flow;
use gen_stage::flow::{FlowEnd, FlowError, FlowHandle};
use gen_stage::prelude::*;
use gen_stage::stage::ProducerConsumerHandle;
use proptest::prelude::*;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

/// A stage that ends with its last producer.
fn doubling() -> ProducerConsumerHandle<u64, u64, (), Say> {
    double().stage().stop_when_alone().spawn()
}

#[tokio::test]
async fn everything_goes_through_the_stages_and_on() {
    for stages in [1, 2, 5] {
        for lanes in [1, 2, 8] {
            let flow = counting(3000)
                .lanes(lanes)
                .map(|n| n + 1)
                .through_stages((0..stages).map(|_| doubling()))
                .lanes(lanes)
                .map(|n| n - 1);
            let got = sorted(flow.collect::<Vec<_>>().await);
            assert_eq!(got, doubled(0..3000), "{stages} stages, {lanes} lanes");
        }
    }
}

#[tokio::test]
async fn nothing_and_one_item_go_through() {
    for items in [0, 1] {
        let flow = counting(items).lanes(3).through_stages([doubling(), doubling()]);
        assert_eq!(flow.collect::<Vec<_>>().await, doubled(0..items));
    }
}

#[tokio::test]
async fn one_stage_between_single_lanes_keeps_the_order() {
    let flow = counting(2000).lanes(1).through_stages([doubling()]).lanes(1);
    assert_eq!(flow.collect::<Vec<_>>().await, doubled(0..2000));
}

#[tokio::test]
async fn max_demand_1_gets_everything_through() {
    let flow =
        counting(50).lanes(2).demand(1, 0).through_stages([doubling(), doubling()]).lanes(2).demand(1, 0);
    assert_eq!(sorted(flow.collect::<Vec<_>>().await), doubled(0..50));
}

#[tokio::test]
async fn it_goes_on_as_any_layer_does() {
    let flow = counting(100)
        .lanes(2)
        .through_stages([doubling()])
        .partition()
        .lanes(3)
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state()
        .through_stages([doubling()]);
    assert_eq!(flow.collect::<Vec<_>>().await.into_iter().sum::<u64>(), 4 * 4950);
}

#[tokio::test]
async fn the_stages_are_not_the_flows() {
    let stage = identity();
    let log = stage.log();
    let stage = stage.stage().spawn();
    let mut flow = counting(10).lanes(1).through_stages([stage.clone()]).lanes(1);
    for n in 0..10 {
        assert_eq!(flow.next().await, Some(n));
    }
    settle().await;
    assert_eq!(flow.next().now_or_never(), None, "its input has ended, the stage has not");
    drop(flow);
    settle().await;
    assert!(stage.status().await.is_ok());
    assert_eq!(log.cancelled(), ["down normal"]);

    let flow = counting(3).lanes(1).through_stages([stage.clone()]).lanes(1).per_lane(|lane| lane.take(3));
    assert_eq!(flow.collect::<Vec<_>>().await, [0, 1, 2], "it serves another one");
}

#[tokio::test]
async fn a_reader_that_stops_stops_the_source() {
    let watched = Watched::new();
    let stage = identity().stage().spawn();
    let mut flow =
        numbers(watched.endless()).lanes(2).demand(10, 5).through_stages([stage]).lanes(2).demand(10, 5);
    assert!(flow.next().await.is_some());
    settle().await;
    let taken = watched.taken();
    settle().await;
    assert_eq!(watched.taken(), taken);
    // 10 each: to two lanes, in front of the stage, behind it, to two lanes, to the reader from each of them.
    assert!(taken <= 10 * (2 + 2 + 2 + 1 + 2 + 2), "{taken} items were taken");
    drop(flow);
    settle().await;
    assert!(!watched.is_alive());
}

#[tokio::test]
async fn a_failure_above_the_stages_is_raised_in_the_reader() {
    for lanes in [1, 3] {
        let stage = identity().stage().spawn();
        let flow = counting(1000)
            .lanes(lanes)
            .map(|n| {
                seven(n);
                n
            })
            .through_stages([stage.clone()]);
        let caught = AssertUnwindSafe(flow.collect::<Vec<_>>()).catch_unwind().await;
        assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"seven"), "{lanes} lanes");
        settle().await;
        assert!(stage.status().await.is_ok(), "the stage is not the flow's");
    }
}

#[tokio::test]
async fn a_stage_that_fails_fails_the_flow() {
    for failing in [Say::Fail("no paper"), Say::Panic("no paper")] {
        let stage = identity().stage().spawn();
        let other = identity().stage().spawn();
        let watched = Watched::new();
        let flow = numbers(watched.endless()).lanes(2).through_stages([stage.clone(), other.clone()]);
        let mut reading = Box::pin(AssertUnwindSafe(flow.run()).catch_unwind());
        assert!((&mut reading).now_or_never().is_none());
        stage.try_cast(failing).unwrap();
        let payload = reading.await.unwrap_err();
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string)).unwrap();
        assert!(text.contains("no paper"), "{text}");
        settle().await;
        assert!(!watched.is_alive());
        assert!(other.status().await.is_ok(), "the other one did not fail");
    }
}

#[tokio::test]
async fn a_stage_that_has_ended_fails_the_flow() {
    let gone = identity().stage().spawn();
    gone.shutdown().await;
    let flow = counting(10).through_stages([gone]);
    assert!(AssertUnwindSafe(flow.collect::<Vec<_>>()).catch_unwind().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn shutting_down_drains_stages_that_end_with_their_producers() {
    for lanes in [1, 3] {
        let watched = Watched::new();
        let out = crate::support::stages::Log::default();
        let outs = out.clone();
        let flow: FlowHandle = numbers(watched.endless())
            .lanes(lanes)
            .demand(100, 50)
            .through_stages([doubling(), doubling()])
            .lanes(lanes)
            .demand(100, 50)
            .inspect(move |n: &u64| outs.push(*n))
            .start();
        for _ in 0..30 {
            tokio::task::yield_now().await;
        }
        let report = flow.shutdown(LONG).await;
        assert!(matches!(report.end, Ok(FlowEnd::Drained)), "{report:?}");
        assert!(report.taken > 0);
        assert_eq!(report.taken, watched.taken() as u64);
        assert_eq!(sorted(out.all()), doubled(0..report.taken));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_lives_on_holds_up_a_shutdown_until_its_deadline() {
    let stage = identity().stage().spawn();
    let flow = numbers(stream::pending()).through_stages([stage.clone()]).start();
    settle().await;
    let report = flow.shutdown(Duration::from_secs(5)).await;
    assert!(matches!(report.end, Err(FlowError::Aborted)));
    assert_eq!(report.drained_for, Some(Duration::from_secs(5)));
    assert!(stage.status().await.is_ok());
}

#[tokio::test]
async fn no_task_outlives_the_flow() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let stage = identity().stage().spawn();
    settle().await;
    let before = tasks();
    let mut flow = counting(1_000_000).lanes(3).through_stages([stage.clone()]).lanes(2);
    assert!(flow.next().await.is_some());
    drop(flow);
    until("they are gone", || {
        tasks() == before || {
            std::thread::yield_now();
            false
        }
    })
    .await;
}

#[test]
#[should_panic(expected = "through_stages needs at least 1 stage, given 0")]
fn a_way_through_no_stages_is_refused() {
    let none = Vec::<ProducerConsumerHandle<u64, u64>>::new();
    let _ = Flow::from_iter(0..3u64).through_stages(none);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// As every item twice, whatever the lanes, stages and demand.
    #[test]
    fn it_is_what_the_stages_make(
        items in 0u64..1000,
        lanes in 1usize..=8,
        below in 1usize..=8,
        stages in 1usize..=4,
        max in prop::sample::select(vec![1usize, 2, 3, 10, 1000]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let got = runtime.block_on(async {
            let flow = counting(items).lanes(lanes).demand(max, max / 2);
            let flow = flow.through_stages((0..stages).map(|_| doubling())).lanes(below).demand(max, max / 2);
            flow.collect::<Vec<_>>().await
        });
        assert_eq!(sorted(got), doubled(0..items));
    }
}

#[tokio::test]
async fn dropping_the_flow_at_any_moment_leaves_the_stages_alive() {
    for turns in 0..60 {
        let stage = identity().stage().spawn();
        let watched = Watched::new();
        let mut flow = numbers(watched.endless()).lanes(2).through_stages([stage.clone()]).lanes(2);
        assert!(flow.next().now_or_never().is_none());
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        drop(flow);
        settle().await;
        assert!(stage.status().await.is_ok() && !watched.is_alive(), "after {turns} turns");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_state_comes_out_behind_stages_when_a_lane_above_them_fails() {
    for _ in 0..100 {
        let flow = counting(1000)
            .lanes(2)
            .map(|n| {
                seven(n);
                n
            })
            .through_stages([doubling()])
            .lanes(1)
            .reduce(|| 0, |sum, n| *sum += n)
            .emit_state();
        let states = crate::support::stages::Log::default();
        let seen = states.clone();
        let reading = StreamExt::for_each(flow, move |state: u64| {
            seen.push(state);
            async {}
        });
        let caught = AssertUnwindSafe(reading).catch_unwind().await;
        assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"seven"));
        assert!(states.is_empty(), "{states:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_input_waits_for_who_reads_the_stages() {
    for round in 0..300 {
        let flow = counting(1).lanes(2).through_stages([doubling(), doubling()]).lanes(3);
        assert_eq!(flow.collect::<Vec<_>>().await, doubled(0..1), "round {round}");
    }
}
