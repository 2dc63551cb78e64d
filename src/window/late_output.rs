use super::late::{Counted, Late, SideOutput, side_output};
use super::window::Window;
use super::windowing::Windowing;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

impl<K, C> Window<K, C, Counted> {
    /// Adds the number of items that came too late to `count`, from all lanes.
    ///
    /// Without this, the flow counts them: see [`Flow::late`](crate::Flow::late).
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let late = Arc::new(AtomicU64::new(0));
    /// let second = Window::fixed(Duration::from_secs(1), |time: &i64| *time);
    /// let counts = Flow::from_iter([0, 1000, 999])
    ///     .lanes(1)
    ///     .window(second.count_late(&late))
    ///     .reduce(|| 0, |n, _| *n += 1)
    ///     .emit_state();
    /// assert_eq!(counts.collect::<Vec<u32>>().await, [1, 1]);
    /// assert_eq!(late.load(Ordering::Relaxed), 1);
    /// # });
    /// ```
    pub fn count_late(mut self, count: &Arc<AtomicU64>) -> Self {
        self.late = Counted(Some(count.clone()));
        self
    }

    /// Sends items that came too late to a `Stream` of their own, from all lanes; with room for `capacity` of them,
    /// at least 1.
    ///
    /// A lane waits while there is no room: read both outputs.
    ///
    /// # Panics
    /// When `capacity` is 0.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let second = Window::fixed(Duration::from_secs(1), |time: &i64| *time);
    /// let (second, late) = second.late_output(100);
    /// let counts = Flow::from_iter([0, 1000, 999])
    ///     .lanes(1)
    ///     .window(second)
    ///     .reduce(|| 0, |n, _| *n += 1)
    ///     .emit_state();
    /// let (counts, late) = futures::join!(counts.collect::<Vec<u32>>(), late.collect::<Vec<i64>>());
    /// assert_eq!((counts, late), (vec![1, 1], vec![999]));
    /// # });
    /// ```
    ///
    /// # Source
    /// Asked for; Flow drops them silently.
    #[track_caller]
    pub fn late_output<T>(self, capacity: usize) -> (Window<K, C, SideOutput<T>>, Late<T>)
    where
        K: Windowing<T>,
        T: Send + 'static,
    {
        assert!(capacity > 0, "the output of late items must have room for at least 1 item, given 0");
        let (late, output) = side_output(capacity, self.late);
        let window = Window {
            kind: self.kind,
            trigger: self.trigger,
            late,
            periods: self.periods,
            idle: self.idle,
            max_ahead: self.max_ahead,
            triggers: self.triggers,
        };
        (window, output)
    }
}
