//! Lanes, demands and items at random, for properties of single operators.

use futures::future::{BoxFuture, LocalBoxFuture};
use gen_stage::Flow;
use gen_stage::flow::adapters::Source;
use gen_stage::lane::Iter;
use proptest::prelude::*;

#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) lanes: usize,
    pub(crate) demand: usize,
    pub(crate) items: Vec<u16>,
    threads: usize,
}

pub(crate) fn shape() -> impl Strategy<Value = Shape> {
    let demand = prop::sample::select(vec![1_usize, 2, 3, 10, 1000]);
    (1_usize..9, demand, prop::collection::vec(any::<u16>(), 0..400), 1_usize..3)
        .prop_map(|(lanes, demand, items, threads)| Shape { lanes, demand, items, threads })
}

impl Shape {
    /// The items over the lanes.
    pub(crate) fn flow(&self) -> Flow<Source<Iter<std::vec::IntoIter<u16>>>> {
        Flow::from_iter(self.items.clone()).lanes(self.lanes).demand(self.demand, self.demand / 2)
    }

    /// The items in one lane.
    pub(crate) fn one_lane(&self) -> Flow<Source<Iter<std::vec::IntoIter<u16>>>> {
        self.flow().lanes(1)
    }

    pub(crate) fn run<R: Send + 'static>(&self, flow: impl Future<Output = R> + Send + 'static) -> R {
        run(self.threads, flow)
    }
}

/// Runs in a task: on a runtime of one thread, or on one of several.
pub(crate) fn run<R: Send + 'static>(threads: usize, flow: impl Future<Output = R> + Send + 'static) -> R {
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(threads).build().unwrap();
    // Boxed, as a task of tokio would be compiled for each flow.
    let flow: BoxFuture<'static, R> = Box::pin(flow);
    let task = runtime.spawn(flow);
    runtime.block_on(task).unwrap()
}

/// Runs with a clock that stands still while anything can run.
pub(crate) fn paused<R>(flow: impl Future<Output = R>) -> R {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let flow: LocalBoxFuture<'_, R> = Box::pin(flow);
    builder.enable_time().start_paused(true).build().unwrap().block_on(flow)
}
