use super::flow::Flow;
use super::monitor::{Losses, Monitor};
use super::topology::Topology;
use std::sync::Arc;
use tokio::runtime::Handle;

/// # The flow as a whole
impl<P> Flow<P> {
    /// Runs the lanes on the named runtime, wherever the flow is read.
    ///
    /// So a flow that keeps cores busy need not hold up a runtime that serves connections. By default the lanes run
    /// on the runtime in which the flow is first polled.
    ///
    /// # Panics
    /// When the flow is already being read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// let cores = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    /// let flow = Flow::from_iter(1..=3u64).map(|n| n * 10).on(cores.handle().clone());
    /// // Read without any runtime of tokio's.
    /// let mut tens: Vec<u64> = futures::executor::block_on(flow.collect());
    /// tens.sort();
    /// assert_eq!(tens, [10, 20, 30]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn on(mut self, runtime: Handle) -> Self {
        self.plan_mut("another runtime");
        self.launch.runtime = Some(runtime);
        self
    }

    /// Names this flow in messages: in errors, spans and log lines. Nothing else goes by it.
    ///
    /// Of two flows that become one, the name of the first counts.
    ///
    /// # Panics
    /// When the flow is already being read.
    ///
    /// # Examples
    /// See [`label`](Flow::label).
    #[track_caller]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.plan_mut("another name");
        self.launch.name = Some(name.into());
        self
    }

    /// Says what the flow is made of so far: its layers, the operators in each, and where in the code they are.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// let clicks = Flow::from_iter([(1, "a"), (2, "b"), (1, "c")])
    ///     .label("read")
    ///     .filter(|(_, page)| *page != "b")
    ///     .partition_by(|(user, _)| *user)
    ///     .label("count")
    ///     .lanes(2)
    ///     .demand(100, 50)
    ///     .count_by(|(user, _)| *user)
    ///     .named("clicks");
    /// let topology = clicks.describe();
    /// let [read, count] = &topology.layers[..] else { panic!("two layers") };
    /// assert_eq!((read.opened_by.name, read.operators[0].name), ("from_iter", "filter"));
    /// assert_eq!((count.opened_by.name, count.lanes, &count.fed_by), ("partition_by", Some(2), &vec![0]));
    /// println!("{topology}");
    /// # let (file, text) = (file!(), topology.to_string());
    /// # let lines = text.lines().map(|line| line.split(&format!(" ({file}:")).next().unwrap()).collect::<Vec<_>>();
    /// # assert_eq!(lines, ["the flow `clicks`", "the layer `read`", "  filter", "the layer `count`", "  count_by"]);
    /// # assert!(text.contains("): partition_by, 2 lanes, demand 50 to 100\n"), "{text}");
    /// ```
    /// That prints:
    /// ```text
    /// the flow `clicks`
    /// the layer `read` (src/main.rs:3): from_iter, a lane for each core
    ///   filter (src/main.rs:5)
    /// the layer `count` (src/main.rs:6): partition_by, 2 lanes, demand 50 to 100
    ///   count_by (src/main.rs:10)
    /// ```
    #[must_use]
    pub fn describe(&self) -> Topology {
        self.launch.describe()
    }

    /// Makes a monitor that looks at the flow: while it runs, and after it was collected. See [`Monitor::stats`].
    ///
    /// A flow that was merged into another, joined with it or made part of its stages is counted with the other.
    ///
    /// # Panics
    /// When the flow is already being read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let mut counts = Flow::from_iter([0, 1000, 999])
    ///     .lanes(1)
    ///     .window(Window::fixed(Duration::from_secs(1), |time: &i64| *time))
    ///     .reduce(|| 0, |n, _| *n += 1)
    ///     .emit_state();
    /// let monitor = counts.monitor();
    /// assert_eq!(counts.collect::<Vec<u32>>().await, [1, 1]);
    /// assert_eq!((monitor.late(), monitor.discarded()), (1, 0));
    /// # });
    /// ```
    #[track_caller]
    pub fn monitor(&mut self) -> Monitor {
        self.plan_mut("a monitor");
        self.launch.monitor()
    }

    /// How many items have so far been dropped before an operator or the reader took them.
    ///
    /// That happens where a lane ends before its input does, as with `take(10)` after other operators: items already
    /// on their way to it, and those that a partition sends there, have no reader. Nor have those that an operator in
    /// the lane still holds: a future under way, an item that waits for its rate or its batch, one of [`zip`](Flow::zip)
    /// without a partner.
    ///
    /// Not counted: items that an operator drops on purpose; those that a [`flat_map`](Flow::flat_map) has not made yet;
    /// states, and windows that are open; what a [`per_lane`](Flow::per_lane) adapter holds; and what tasks have in hand
    /// that are stopped because the flow is dropped or has failed.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let mut flow = Flow::from_iter(0..100)
    ///     .lanes(1)
    ///     .shuffle()
    ///     .lanes(1)
    ///     .demand(10, 0)
    ///     .take(4);
    /// assert_eq!(StreamExt::count(flow.by_ref()).await, 4);
    /// assert_eq!(flow.discarded(), 6);
    /// # });
    /// ```
    #[must_use]
    pub fn discarded(&self) -> u64 {
        self.losses().map_or(0, Losses::discarded)
    }

    /// How many items have so far been dropped because they came too late for all their [windows](Flow::window), or too
    /// far [ahead](crate::window::Window::max_ahead).
    ///
    /// Items that go to an output of their own, or are counted elsewhere, are not counted here. To read this number
    /// after a method that takes the flow, `collect` for example, see [`monitor`](Flow::monitor).
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let mut counts = Flow::from_iter([0, 1000, 999])
    ///     .lanes(1)
    ///     .window(Window::fixed(Duration::from_secs(1), |time: &i64| *time))
    ///     .reduce(|| 0, |n, _| *n += 1)
    ///     .emit_state();
    /// assert_eq!(counts.by_ref().collect::<Vec<u32>>().await, [1, 1]);
    /// assert_eq!(counts.late(), 1);
    /// # });
    /// ```
    #[must_use]
    pub fn late(&self) -> u64 {
        self.losses().map_or(0, Losses::late)
    }

    /// How many items have so far given way to newer ones while they were held by [`keep_newest`](Flow::keep_newest),
    /// [`sample`](Flow::sample) or [`debounce`](Flow::debounce).
    ///
    /// What [`conflate`](Flow::conflate) folds into another item is not counted, for it comes out with that. To read
    /// this number after a method that takes the flow, `collect` for example, see [`monitor`](Flow::monitor).
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let mut newest = Flow::from_iter(0..1000).keep_newest(10);
    /// let monitor = newest.monitor();
    /// let came = newest.count().await;
    /// assert_eq!(came + monitor.replaced(), 1000);
    /// # });
    /// ```
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.losses().map_or(0, Losses::replaced)
    }
}
