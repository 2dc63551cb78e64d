use super::lane::InWindowsLane;
use super::late::LateItems;
use super::trigger::Triggering;
use super::window::Window;
use super::windowing::Windowing;
use crate::lane::StreamLane;
use crate::meter::LaneMeter;
use crate::reduce::{
    Emit, EmitState, Fold, Info, Items, KeepsState, MergeBy, MergeStates, Never, OnTrigger, ReduceLane,
    ReduceRules, Reducer, Spread, WithWindow,
};
use futures_core::Stream;
use std::fmt;

/// Puts windows over any `Stream`, without a flow.
///
/// # Examples
/// ```
/// use futures::{StreamExt, stream};
/// use gen_stage::window::{StreamWindow, Window};
///
/// # tokio_test::block_on(async {
/// let sums = stream::iter(1..=5)
///     .window(Window::count(2))
///     .reduce(|| 0, |sum, n| *sum += n)
///     .emit_state()
///     .into_stream();
/// assert_eq!(sums.collect::<Vec<u32>>().await, [3, 7, 5]);
/// # });
/// ```
pub trait StreamWindow: Stream + Sized {
    /// Puts the items into windows; to be reduced.
    ///
    /// The stream that comes out runs in the task that polls it. Windows that go by the clock need a tokio runtime
    /// with timers there.
    ///
    /// # Examples
    /// See [`StreamWindow`].
    fn window<K, C, O>(self, window: Window<K, C, O>) -> WindowedStream<Self, K, C, O>
    where
        K: Windowing<Self::Item>,
    {
        WindowedStream { stream: self, window, reducer: (), emit: Items, merge: Never }
    }

    /// Puts the items into the window that `window` makes of `by`, like [`Flow::window_by`](crate::Flow::window_by).
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::window::{StreamWindow, Window};
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let counts = stream::iter([("anna", 500), ("bert", 900), ("anna", 1_500)])
    ///     .window_by(|click| click.1, |at| Window::fixed(Duration::from_secs(1), at))
    ///     .reduce(|| 0, |n, _click| *n += 1)
    ///     .emit_state()
    ///     .with_window()
    ///     .into_stream();
    /// let counts = counts.map(|(window, n)| (window.start, n));
    /// assert_eq!(counts.collect::<Vec<(i64, u32)>>().await, [(0, 2), (1000, 1)]);
    /// # });
    /// ```
    fn window_by<A, F, K, C, O>(
        self,
        by: F,
        window: impl FnOnce(F) -> Window<K, C, O>,
    ) -> WindowedStream<Self, K, C, O>
    where
        F: FnMut(&Self::Item) -> A,
        K: Windowing<Self::Item>,
    {
        self.window(window(by))
    }
}

impl<S: Stream> StreamWindow for S {}

/// A stream with windows over it, whose set-up ends with [`into_stream`](WindowedStream::into_stream).
#[must_use = "windows do nothing until they are read as a stream"]
pub struct WindowedStream<S, K, C, O, R = (), E = Items, M = Never> {
    stream: S,
    window: Window<K, C, O>,
    reducer: R,
    emit: E,
    merge: M,
}

impl<S: Stream, K, C, O> WindowedStream<S, K, C, O> {
    /// Folds the items of each window into a state, like [`Flow::reduce`](crate::Flow::reduce).
    ///
    /// # Examples
    /// See [`StreamWindow`].
    pub fn reduce<A, I, F>(self, init: I, f: F) -> WindowedStream<S, K, C, O, Fold<I, F>>
    where
        I: FnMut() -> A,
        F: FnMut(&mut A, S::Item),
    {
        let reducer = Fold { init, f };
        WindowedStream { stream: self.stream, window: self.window, reducer, emit: Items, merge: Never }
    }
}

impl<S: Stream, K, C, O, R: KeepsState, M> WindowedStream<S, K, C, O, R, Items, M> {
    /// Makes each state the item that comes out, like [`Flow::emit_state`](crate::Flow::emit_state).
    ///
    /// # Examples
    /// See [`StreamWindow`].
    pub fn emit_state(self) -> WindowedStream<S, K, C, O, R, EmitState, M> {
        self.emit_by(EmitState)
    }

    /// Emits what `f` makes of the state at triggers, like [`Flow::on_trigger`](crate::Flow::on_trigger).
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::window::{StreamWindow, Window};
    ///
    /// # tokio_test::block_on(async {
    /// let sums = stream::iter(1..=5)
    ///     .window(Window::global().every(2))
    ///     .reduce(|| 0, |sum, n| *sum += n)
    ///     .on_trigger(|sum, _| [std::mem::take(sum)])
    ///     .into_stream();
    /// assert_eq!(sums.collect::<Vec<u32>>().await, [3, 7, 5]);
    /// # });
    /// ```
    pub fn on_trigger<U, F>(self, f: F) -> WindowedStream<S, K, C, O, R, OnTrigger<F>, M>
    where
        K: Windowing<S::Item>,
        U: IntoIterator,
        F: FnMut(&mut R::State, Info<K::Id>) -> U,
    {
        self.emit_by(OnTrigger(f))
    }

    fn emit_by<E>(self, emit: E) -> WindowedStream<S, K, C, O, R, E, M> {
        let Self { stream, window, reducer, merge, .. } = self;
        WindowedStream { stream, window, reducer, emit, merge }
    }
}

impl<S: Stream, K, C, O, R: KeepsState, E, M> WindowedStream<S, K, C, O, R, E, M> {
    /// Emits each item in a pair with its window, like [`Flow::with_window`](crate::Flow::with_window).
    ///
    /// # Examples
    /// See [`window_by`](StreamWindow::window_by).
    pub fn with_window(self) -> WindowedStream<S, K, C, O, R, WithWindow<E>, M> {
        let Self { stream, window, reducer, emit, merge } = self;
        WindowedStream { stream, window, reducer, emit: WithWindow(emit), merge }
    }
}

impl<S: Stream, K, C, O, R: KeepsState, E> WindowedStream<S, K, C, O, R, E> {
    /// Says how the states of two sessions become one, like [`Flow::merge_states`](crate::Flow::merge_states).
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::window::{StreamWindow, Window};
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let gap = Duration::from_millis(10);
    /// let lengths = stream::iter([0, 5, 20])
    ///     .window(Window::session(gap, |_: &i64| (), |time| *time))
    ///     .reduce(|| 0, |n, _| *n += 1)
    ///     .merge_states(|n, other| *n += other)
    ///     .on_trigger(|n, info| [(info.window.start, *n)])
    ///     .into_stream();
    /// assert_eq!(lengths.collect::<Vec<(i64, u32)>>().await, [(0, 2), (20, 1)]);
    /// # });
    /// ```
    pub fn merge_states<F>(self, f: F) -> WindowedStream<S, K, C, O, R, E, MergeBy<F>>
    where
        F: FnMut(&mut R::State, R::State),
    {
        let Self { stream, window, reducer, emit, .. } = self;
        WindowedStream { stream, window, reducer, emit, merge: MergeBy(f) }
    }
}

impl<S: Stream, K, C, O, R, E, M> WindowedStream<S, K, C, O, R, E, M>
where
    K: Windowing<S::Item, Places: Spread<S::Item>>,
    C: Triggering<S::Item, K::Places>,
    O: LateItems<S::Item>,
    R: Reducer<S::Item, E::Item>,
    E: Emit<<R as KeepsState>::State, K::Places, K::Id>,
    M: MergeStates<R::State, K::Places>,
{
    /// The stream of what the windows emit.
    ///
    /// # Panics
    /// A panic in a closure is raised where the stream is polled.
    ///
    /// # Drop
    /// The states of open windows are dropped.
    ///
    /// # Examples
    /// See [`StreamWindow`].
    pub fn into_stream(
        self,
    ) -> ReduceLane<
        InWindowsLane<StreamLane<S>, K, C, O, S::Item, K::Places, K::Id>,
        R,
        E,
        M,
        S::Item,
        K::Places,
        K::Id,
    > {
        let Self { stream, window, reducer, emit, merge } = self;
        let windowed = InWindowsLane::new(StreamLane::of(stream), window, LaneMeter::default());
        ReduceLane::new(windowed, ReduceRules { reducer, emit, merge, lane: (0, 1) })
    }
}

impl<S: fmt::Debug, K, C, O, R, E, M> fmt::Debug for WindowedStream<S, K, C, O, R, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowedStream").field("stream", &self.stream).finish_non_exhaustive()
    }
}
