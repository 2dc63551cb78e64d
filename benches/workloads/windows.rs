//! Counts and sums per key in windows of a second of event time, of items that come in order: 1000 keys, 100 items to
//! a millisecond.

use super::{BATCH, LANES, Peer, Workload, on_timely, work};
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use gen_stage::dispatch::hash_lane;
use gen_stage::window::Window;
use gen_stage::{Demand, Flow};
use std::collections::HashMap;
use std::time::Duration;
use timely::dataflow::InputHandle;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Input, Operator};
use tokio::sync::mpsc;

const KEYS: u64 = 1000;
const WINDOW: i64 = 1000;
/// Batches that wait between two tasks by hand.
const QUEUED: usize = 4;

pub(crate) fn workload() -> Workload {
    Workload {
        name: "keyed fixed windows",
        expected: one_loop,
        peers: vec![
            Peer::task("gen_stage, a lane of windows, 6 batches as by hand", 2_000_000, as_by_hand),
            Peer::task("gen_stage, a lane of windows", 2_000_000, |items| {
                ours::<1>(items, Demand::default())
            }),
            Peer::task("gen_stage, two lanes of windows", 2_000_000, |items| {
                ours::<LANES>(items, Demand::default())
            }),
            Peer::blocking("one loop", 2_000_000, one_loop),
            Peer::task("a task of windows, by hand", 2_000_000, by_hand::<1>),
            Peer::task("two tasks of windows, by hand", 2_000_000, by_hand::<LANES>),
            Peer::blocking("timely, two workers", 2_000_000, timely_windows),
        ],
    }
}

#[derive(Clone, Copy)]
struct Event {
    at: i64,
    key: u64,
    value: u64,
}

fn event(n: u64) -> Event {
    Event { at: (n / 100) as i64, key: work(n) % KEYS, value: n }
}

/// Of each key, how many and how much. The same hash for all peers.
type Sums = HashMap<u64, (u64, u64), foldhash::fast::FixedState>;

fn add(sums: &mut Sums, event: Event) {
    let (count, sum) = sums.entry(event.key).or_default();
    *count += 1;
    *sum += event.value;
}

/// Something of what a window has come to, in which the order of keys does not matter.
fn check(start: i64, sums: &Sums) -> u64 {
    let of_key =
        |(key, (count, sum)): (&u64, &(u64, u64))| work(key ^ work(*count) ^ work(*sum) ^ start as u64);
    sums.iter().map(of_key).fold(0, u64::wrapping_add)
}

/// With as many batches on their way as the tasks by hand have: `QUEUED`, one being filled and one being read.
fn as_by_hand(items: u64) -> BoxFuture<'static, u64> {
    let batch = BATCH as usize;
    let max = (QUEUED + 2) * batch;
    ours::<1>(items, Demand::new(max, max - batch).unwrap())
}

fn ours<const TASKS: usize>(items: u64, demand: Demand) -> BoxFuture<'static, u64> {
    let second = Window::fixed(Duration::from_millis(WINDOW as u64), |event: &Event| event.at);
    let windows = Flow::from_iter((0..items).map(event))
        .lanes(1)
        .partition_by(|event| event.key)
        .lanes(TASKS)
        .demand(demand.max(), demand.min())
        .window(second)
        .reduce(Sums::default, add)
        .on_trigger(|sums, info| [check(info.window.start, sums)]);
    async { windows.collect::<Vec<_>>().await.into_iter().fold(0, u64::wrapping_add) }.boxed()
}

/// The windows of one lane of items in order.
#[derive(Default)]
struct InOrder {
    start: i64,
    sums: Sums,
    check: u64,
}

impl InOrder {
    fn add(&mut self, event: Event) {
        if event.at >= self.start + WINDOW {
            self.close();
            self.start = event.at - event.at % WINDOW;
        }
        add(&mut self.sums, event);
    }

    fn close(&mut self) {
        self.check = self.check.wrapping_add(check(self.start, &self.sums));
        self.sums = Sums::default();
    }
}

fn one_loop(items: u64) -> u64 {
    let mut windows = InOrder::default();
    (0..items).map(event).for_each(|event| windows.add(event));
    windows.close();
    windows.check
}

/// One worker makes the items. The time of timely is the start of a window.
fn timely_windows(items: u64) -> u64 {
    on_timely(move |worker, checked| {
        let mut input = InputHandle::<i64, _>::new();
        worker.dataflow(|scope| {
            let by_key = Exchange::new(|(_, key, _): &(i64, u64, u64)| hash_lane(key, LANES) as u64);
            let mut open: HashMap<i64, Sums> = HashMap::new();
            scope.input_from(&mut input).sink(by_key, "windows", move |(input, frontier)| {
                input.for_each(|time, batch| {
                    let Some(start) = time.least() else { return };
                    let sums = open.entry(*start).or_default();
                    batch.drain(..).for_each(|(at, key, value)| add(sums, Event { at, key, value }));
                });
                open.retain(|start, sums| {
                    let is_open = frontier.less_equal(start);
                    if !is_open {
                        checked.set(checked.get().wrapping_add(check(*start, sums)));
                    }
                    is_open
                });
            });
        });
        if worker.index() > 0 {
            return;
        }
        for (n, event) in (0..items).map(|n| (n, event(n))) {
            input.advance_to(event.at - event.at % WINDOW);
            input.send((event.at, event.key, event.value));
            if n % BATCH == 0 {
                worker.step();
            }
        }
    })
}

fn by_hand<const TASKS: usize>(items: u64) -> BoxFuture<'static, u64> {
    async move {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..TASKS).map(|_| mpsc::channel::<Vec<Event>>(QUEUED)).unzip();
        tokio::spawn(async move {
            let batch = || Vec::with_capacity(BATCH as usize);
            let mut batches: [Vec<Event>; TASKS] = std::array::from_fn(|_| batch());
            for event in (0..items).map(event) {
                let lane = hash_lane(&event.key, TASKS);
                batches[lane].push(event);
                if batches[lane].len() == BATCH as usize {
                    senders[lane].send(std::mem::replace(&mut batches[lane], batch())).await.unwrap();
                }
            }
            for (sender, batch) in senders.iter().zip(batches) {
                sender.send(batch).await.unwrap();
            }
        });
        let windows = receivers.into_iter().map(|mut receiver| {
            tokio::spawn(async move {
                let mut windows = InOrder::default();
                while let Some(batch) = receiver.recv().await {
                    batch.into_iter().for_each(|event| windows.add(event));
                }
                windows.close();
                windows.check
            })
        });
        join_all(windows).await.into_iter().map(Result::unwrap).fold(0, u64::wrapping_add)
    }
    .boxed()
}
