use super::bounds::OpenLayer;
use super::flow::Flow;
use super::plumbing::driver::DrainDriver;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use super::plumbing::tasks::{BoxedDriver, Failure, Tasks};
use std::future::poll_fn;

impl<P> Flow<P> {
    /// Runs the flow for its side effects: every lane, until all have ended. What comes out is dropped.
    ///
    /// Nothing crosses to the task that awaits this; items need not be `Send` in the last layer.
    ///
    /// # Panics
    /// Like every reader of a [`Flow`]; and when the flow is already being read.
    ///
    /// # Cancel safety
    /// Dropping the future drops the flow, with the items in flight.
    ///
    /// # Examples
    /// See [`inspect`](Flow::inspect).
    ///
    /// # Source
    /// `Flow.run/2`.
    pub async fn run(self)
    where
        P: Build<Bare, Lane: Send + 'static>,
    {
        let (mut plan, launch) = self.into_plan("run");
        let mut tasks = Tasks::new(&launch);
        tasks.building(|tasks| {
            let layer = plan.settings().layer.clone();
            let mut drivers: Vec<BoxedDriver> = Vec::new();
            plan.build(tasks, &mut |_, lane| drivers.push(Box::pin(DrainDriver::new(lane))));
            tasks.spawn_all(&layer, drivers);
        });
        if let Err(failure) = poll_fn(|cx| tasks.poll_ended(cx)).await {
            Failure::raise(failure);
        }
    }

    /// Calls `f` with every item that comes out, on every lane, until all have ended.
    ///
    /// `f` runs in the tasks of the lanes, on all cores, and not in the task that awaits this. For code that awaits,
    /// or that is not to run in parallel, read the flow: `while let Some(item) = flow.next().await`.
    ///
    /// # Ordering
    /// Each lane in order.
    ///
    /// # Panics
    /// Like every reader of a [`Flow`], with the panic of `f` too; and when the flow is already being read.
    ///
    /// # Cancel safety
    /// Dropping the future drops the flow, with the items in flight.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
    ///
    /// # tokio_test::block_on(async {
    /// let sum = Arc::new(AtomicU32::new(0));
    /// let adds = sum.clone();
    /// Flow::from_iter(1..=4).for_each(move |n| _ = adds.fetch_add(n, Ordering::Relaxed)).await;
    /// assert_eq!(sum.load(Ordering::Relaxed), 10);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.each/2` and `Flow.run/2`.
    #[track_caller]
    pub fn for_each<F>(self, f: F) -> impl Future<Output = ()>
    where
        P: Build<Bare, Lane: Send + 'static>,
        P: OpenLayer<Item: 'static>,
        F: FnMut(P::Item) + Clone + Send + 'static,
    {
        self.mapped("for_each", f).run()
    }
}
