use super::bounds::OpenLayer;
use super::flow::Flow;
use super::plumbing::envelope::{Bare, InWindow};
use super::plumbing::plan::{Build, Layered, Plan, Settings, To};
use super::plumbing::tasks::Tasks;
use crate::sealed::Sealed;
use crate::window::adapters::{InWindowsLane, LateItems, Triggering};
use crate::window::{Window, Windowing};
use std::fmt;

/// # Windows
impl<P> Flow<P> {
    /// Puts the items of each lane into windows, each to be reduced by itself.
    ///
    /// After it come operators that work item by item, if any, and then a [`reduce`](Flow::reduce) or its like. Each
    /// lane has windows of its own: after a partition, everything with one key is in the windows of one lane. Windows
    /// of event time are done when the slowest upstream of the lane has got past them: see
    /// [`window`](crate::window#time).
    ///
    /// # Demand
    /// Lanes take all their input, whatever the windows emit, as long as what they emit is read.
    ///
    /// # Ordering
    /// What windows emit comes out in the order of the items that caused it; windows that are done at the same item
    /// emit in their own order.
    ///
    /// # Errors
    /// Items that are too late for all their windows, or too far [ahead](Window::max_ahead), are counted
    /// ([`late`](Flow::late)), or go where [`late_output`](Window::late_output) says.
    ///
    /// # Panics
    /// A panic in a closure of the window ends the flow with that panic.
    ///
    /// # Examples
    /// How much each user clicked, minute by minute.
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// #[derive(Clone, Copy, Hash)]
    /// struct Click { user: u32, at: u64 }
    ///
    /// let clicks = [(1, 0), (2, 30_000), (1, 59_999), (1, 60_000)].map(|(user, at)| Click { user, at });
    /// let minute = Window::fixed(Duration::from_secs(60), |click: &Click| click.at);
    /// let mut counts: Vec<(i64, u32, u64)> = Flow::from_iter(clicks)
    ///     .partition_by(|click| click.user)
    ///     .window(minute)
    ///     .count_by(|click| click.user)
    ///     .on_trigger(|counts, info| {
    ///         let start = info.window.start;
    ///         std::mem::take(counts).into_iter().map(move |(user, n)| (start, user, n))
    ///     })
    ///     .collect()
    ///     .await;
    /// counts.sort();
    /// assert_eq!(counts, [(0, 1, 2), (0, 2, 1), (60_000, 1, 1)]);
    /// # });
    /// ```
    ///
    /// A flow with windows cannot be read before it is reduced:
    /// ```compile_fail,E0277
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    ///
    /// let numbers = Flow::from_iter(1..=5).window(Window::count(2)).collect::<Vec<u32>>();
    /// ```
    ///
    /// # Source
    /// The option `window` of Flow's layers. It takes effect where it stands in the chain: operators before it
    /// come before its counts and times, those after it come after.
    #[track_caller]
    pub fn window<K, C, O>(self, window: Window<K, C, O>) -> Flow<InWindows<P, K, C, O>>
    where
        P: OpenLayer,
        K: Windowing<P::Item>,
    {
        self.operator("window", |upstream| InWindows::new(upstream, window))
    }

    /// Puts the items of each lane into the window that `window` makes of `by`, a function of the items: their time, or
    /// the key of [`session_by_clock`](Window::session_by_clock).
    ///
    /// Does what [`window`](Flow::window) does, and `by` needs no types: the flow knows the type of its items, which
    /// may have a long name, or none. Closures of a window that is made before it is given to `window` have to name the
    /// type: `|click: &Click| click.at`.
    ///
    /// # Panics
    /// A panic in `window` is raised here, one in `by` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let second = Duration::from_secs(1);
    /// let clicks = [("anna", "/", 500), ("bert", "/", 900), ("anna", "/a", 1_500), ("anna", "/b", 700)];
    /// let counts = Flow::from_iter(clicks)
    ///     .lanes(1)
    ///     .window_by(|click| click.2, |at| Window::fixed(second, at).allowed_lateness(second))
    ///     .reduce(|| 0, |n, _click| *n += 1)
    ///     .on_trigger(|n, info| info.is_done().then_some((info.window.start, *n)));
    /// assert_eq!(counts.collect::<Vec<(i64, u32)>>().await, [(0, 3), (1000, 1)]);
    ///
    /// // Sessions have a key besides.
    /// let sessions = Flow::from_iter(clicks)
    ///     .lanes(1)
    ///     .window_by(|click| click.2, |at| Window::session(2 * second, |click| click.0, at))
    ///     .reduce(|| 0, |n, _click| *n += 1)
    ///     .merge_states(|n, other| *n += other)
    ///     .emit_state()
    ///     .with_window();
    /// let sessions: Vec<(&str, u32)> =
    ///     sessions.collect::<Vec<_>>().await.into_iter().map(|(session, n)| (session.key, n)).collect();
    /// assert_eq!(sessions, [("bert", 1), ("anna", 3)]);
    /// # });
    /// ```
    ///
    /// # Source
    /// As [`window`](Flow::window).
    #[track_caller]
    pub fn window_by<A, F, K, C, O>(
        self,
        by: F,
        window: impl FnOnce(F) -> Window<K, C, O>,
    ) -> Flow<InWindows<P, K, C, O>>
    where
        P: OpenLayer,
        F: FnMut(&P::Item) -> A,
        K: Windowing<P::Item>,
    {
        let window = window(by);
        self.operator("window_by", |upstream| InWindows::new(upstream, window))
    }
}

/// The plan behind [`Flow::window`].
#[must_use = "operators do nothing until the flow is read"]
pub struct InWindows<P, K, C, O> {
    upstream: P,
    window: Window<K, C, O>,
}

impl<P, K, C, O> InWindows<P, K, C, O> {
    pub(super) fn new(upstream: P, window: Window<K, C, O>) -> Self {
        Self { upstream, window }
    }
}

impl<P, K, C, O> Sealed for InWindows<P, K, C, O> {}

impl<P: Layered, K, C, O> Layered for InWindows<P, K, C, O> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P, K, C, O> Plan for InWindows<P, K, C, O>
where
    P: Plan,
    K: Windowing<P::Item>,
{
    type Item = P::Item;
    type Carries = InWindow<K::Places, K::Id>;

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.upstream.size_hint()
    }
}

impl<P, K, C, O> Build<InWindow<K::Places, K::Id>> for InWindows<P, K, C, O>
where
    P: Build<Bare>,
    K: Windowing<P::Item> + Clone,
    C: Triggering<P::Item, K::Places> + Clone,
    O: LateItems<P::Item> + Clone,
{
    type Lane = InWindowsLane<P::Lane, K, C, O, P::Item, K::Places, K::Id>;

    fn build(mut self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        self.window.late.count_in(tasks.late());
        let layer = self.settings().layer.clone();
        let mut number = 0;
        self.upstream.build(tasks, &mut |tasks, lane| {
            let meter = tasks.meter(&layer, number);
            number += 1;
            to(tasks, InWindowsLane::new(lane, self.window.clone(), meter));
        });
    }
}

impl<P: fmt::Debug, K: fmt::Debug, C: fmt::Debug, O: fmt::Debug> fmt::Debug for InWindows<P, K, C, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InWindows").field("upstream", &self.upstream).field("window", &self.window).finish()
    }
}
