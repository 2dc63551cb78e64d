use super::bounds::Reducible;
use super::flow::Flow;
use super::reduce::Reduce;
use crate::reduce::{KeepsState, WithWindow};

impl<P, R, E, M> Flow<Reduce<P, R, E, M>>
where
    P: Reducible,
    R: KeepsState,
{
    /// Emits each item in a pair with the window that it comes from.
    ///
    /// After [`emit_state`](Flow::emit_state) these are the states, after [`count_by`](Flow::count_by) and its like
    /// the pairs of keys and values. Windows are named as the kinds of [`Window`](crate::window::Window) say: those of
    /// time by their start and end.
    ///
    /// It comes last, after the operator that says what comes out. It is short for
    /// `on_trigger(|state, info| [(info.window, state.clone())])`. To tell emissions of one window apart, use
    /// [`on_trigger`](Flow::on_trigger), which is told the trigger too. What
    /// [`emit_and_reduce`](Flow::emit_and_reduce) emits at once belongs to no window.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let clicks = [("anna", 500), ("bert", 900), ("anna", 1_500), ("anna", 1_700)];
    /// let second = Window::fixed(Duration::from_secs(1), |click: &(&str, i64)| click.1);
    /// let mut counts: Vec<(i64, &str, u64)> = Flow::from_iter(clicks)
    ///     .lanes(1)
    ///     .window(second)
    ///     .count_by(|click| click.0)
    ///     .with_window()
    ///     .collect::<Vec<_>>()
    ///     .await
    ///     .into_iter()
    ///     .map(|(window, (user, n))| (window.start, user, n))
    ///     .collect();
    /// counts.sort();
    /// assert_eq!(counts, [(0, "anna", 1), (0, "bert", 1), (1000, "anna", 2)]);
    /// # });
    /// ```
    ///
    /// # Source
    /// None in Flow: it is `Flow.on_trigger/2` with the function that is written most.
    #[track_caller]
    pub fn with_window(self) -> Flow<Reduce<P, R, WithWindow<E>, M>> {
        self.operator("with_window", |reduce| Reduce {
            upstream: reduce.upstream,
            reducer: reduce.reducer,
            emit: WithWindow(reduce.emit),
            merge: reduce.merge,
        })
    }
}
