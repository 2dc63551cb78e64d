//! Sources, routes and the expectations that every operator has in common.

#![allow(dead_code, unused_imports, unused_macros, reason = "each test binary uses a part of this")]

pub(crate) mod children;
pub(crate) mod finisher_suite;
mod lines;
mod metrics_board;
pub(crate) mod operator_suite;
pub(crate) mod shapes;
pub(crate) mod slate;
pub(crate) mod stages;

pub(crate) use finisher_suite::finisher_suite;
pub(crate) use lines::Lines;
pub(crate) use metrics_board::MetricsBoard;
pub(crate) use operator_suite::operator_suite;

use futures::stream::{self, Stream, StreamExt};
use gen_stage::Flow;
use gen_stage::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A flow over a stream of which nothing is known.
pub(crate) type Numbers = gen_stage::testing::NumberFlow;

pub(crate) fn numbers(source: impl Stream<Item = u64> + Send + 'static) -> Numbers {
    source.boxed().flow()
}

pub(crate) fn counting(items: u64) -> Numbers {
    numbers(stream::iter(0..items))
}

pub(crate) fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items
}

/// The route table R4 of the scenarios: 1 to 10 over 4 partitions.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "a router is given a reference")]
pub(crate) fn r4(n: &u64) -> Option<usize> {
    Some(match n {
        2 | 6 | 8 => 0,
        10 => 1,
        1 | 5 | 7 | 9 => 2,
        3 | 4 => 3,
        other => panic!("R4 has no partition for {other}"),
    })
}

/// Counts itself while it is alive.
#[derive(Debug)]
pub(crate) struct Alive(Arc<AtomicUsize>);

impl Alive {
    pub(crate) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A stream that counts itself while it is alive, and how many items were taken from it.
pub(crate) struct Watched {
    pub(crate) alive: Arc<AtomicUsize>,
    pub(crate) taken: Arc<AtomicUsize>,
}

impl Watched {
    pub(crate) fn new() -> Self {
        Self { alive: Arc::default(), taken: Arc::default() }
    }

    pub(crate) fn endless(&self) -> impl Stream<Item = u64> + Send + 'static {
        let (alive, taken) = (Alive::new(&self.alive), self.taken.clone());
        stream::iter(0..).inspect(move |_| {
            let _ = &alive;
            taken.fetch_add(1, Ordering::SeqCst);
        })
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

/// Lets every task that can run do so, until all wait.
pub(crate) async fn settle() {
    for _ in 0..300 {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn seven(n: u64) {
    if n == 7 {
        std::panic::panic_any("seven");
    }
}

/// How many of some items are alive, were at most, and how often one was cloned.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    now: AtomicUsize,
    peak: AtomicUsize,
    clones: AtomicUsize,
}

impl Lives {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn now(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }

    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }

    pub(crate) fn clones(&self) -> usize {
        self.clones.load(Ordering::SeqCst)
    }

    fn one_more(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
    }
}

/// A number that is counted while it, or a clone of it, is alive.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) n: u64,
    lives: Arc<Lives>,
}

impl Live {
    pub(crate) fn new(n: u64, lives: &Arc<Lives>) -> Self {
        lives.one_more();
        Self { n, lives: lives.clone() }
    }
}

impl Clone for Live {
    fn clone(&self) -> Self {
        self.lives.clones.fetch_add(1, Ordering::SeqCst);
        Self::new(self.n, &self.lives)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.lives.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A row of a join of any mode, as one of the full outer join.
pub(crate) trait Paired<L, R> {
    fn paired(self) -> (Option<L>, Option<R>);
}

impl<L, R> Paired<L, R> for (L, R) {
    fn paired(self) -> (Option<L>, Option<R>) {
        (Some(self.0), Some(self.1))
    }
}

impl<L, R> Paired<L, R> for (L, Option<R>) {
    fn paired(self) -> (Option<L>, Option<R>) {
        (Some(self.0), self.1)
    }
}

impl<L, R> Paired<L, R> for (Option<L>, R) {
    fn paired(self) -> (Option<L>, Option<R>) {
        (self.0, Some(self.1))
    }
}

impl<L, R> Paired<L, R> for (Option<L>, Option<R>) {
    fn paired(self) -> Self {
        self
    }
}

/// The rows of a join of `$l` and `$r`, in any mode, sorted.
macro_rules! rows {
    ($flow:expr; $l:ty, $r:ty) => {
        $crate::support::sorted(
            $flow
                .map(|row| -> (Option<$l>, Option<$r>) { $crate::support::Paired::paired(row) })
                .collect::<Vec<_>>()
                .await,
        )
    };
}
pub(crate) use rows;
