//! Who reads what comes out at the end: in one go, in turns, from task to task, or not to the end.

use crate::item::Items;
use crate::moody::moody;
use crate::random::Random;
use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, poll};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::yield_now;

/// What was read, and whether that was to the end.
pub(crate) struct Read {
    pub(crate) numbers: Vec<u64>,
    pub(crate) whole: bool,
}

/// Reads in a way that the dice choose, and says which.
pub(crate) async fn read(items: Items, random: &mut Random) -> (&'static str, Read) {
    let (way, numbers) = match random.below(8) {
        0 => ("in one go", items.map(|item| item.n).collect().await),
        1 => ("item by item", in_loop(items, random, 0).await),
        2 => ("from task to task", from_task_to_task(items, random).await),
        3 => ("polled in tasks that end", polled_in_passing(items).await),
        4 => ("among others", among_others(items, random).await),
        5 => ("beside a clock", beside_a_clock(items).await),
        6 => {
            let numbers = items.take(random.below(30)).map(|item| item.n).collect().await;
            return ("and then not", Read { numbers, whole: false });
        }
        _ => ("lazily", in_loop(items, random, 20).await),
    };
    (way, Read { numbers, whole: true })
}

/// Lets others run now and then: so often of 100.
async fn in_loop(mut items: Items, random: &mut Random, lazy: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(item) = items.next().await {
        numbers.push(item.n);
        if random.chance(lazy) {
            yield_now().await;
        }
        if random.chance(lazy / 10) {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
    numbers
}

async fn from_task_to_task(mut items: Items, random: &mut Random) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        let some = random.below(20);
        let task = tokio::spawn(async move {
            let mut got = Vec::new();
            while got.len() < some {
                match items.next().await {
                    Some(item) => got.push(item.n),
                    None => return (items, got, true),
                }
            }
            (items, got, false)
        });
        let (back, got, ended) = task.await.expect("reading does not panic");
        items = back;
        numbers.extend(got);
        if ended {
            return numbers;
        }
    }
}

/// Whoever is woken by the first poll is not there any more.
async fn polled_in_passing(mut items: Items) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        let task = tokio::spawn(async move {
            let polled = poll!(items.next());
            (items, polled)
        });
        let (back, polled) = task.await.expect("reading does not panic");
        items = back;
        let next = match polled {
            Poll::Ready(next) => next,
            Poll::Pending => items.next().await,
        };
        match next {
            Some(item) => numbers.push(item.n),
            None => return numbers,
        }
    }
}

async fn among_others(mut items: Items, random: &mut Random) -> Vec<u64> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let reading = async move {
        while let Some(item) = items.next().await {
            sender.send(item.n).expect("there is a receiver");
        }
    };
    let mut all = FuturesUnordered::from_iter([reading.boxed()]);
    for _ in 0..5 {
        all.push(moody(random.fork()).boxed());
    }
    while all.next().await.is_some() {}
    std::iter::from_fn(|| receiver.try_recv().ok()).collect()
}

async fn beside_a_clock(mut items: Items) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut clock = tokio::time::interval(Duration::from_micros(100));
    loop {
        tokio::select! {
            _ = clock.tick() => {}
            item = items.next() => match item {
                Some(item) => numbers.push(item.n),
                None => return numbers,
            },
        }
    }
}
