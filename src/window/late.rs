use super::window::Window;
use super::windowing::Windowing;
use futures_core::Stream;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

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

/// Where items go when they come too late for all their windows, or too far ahead.
pub trait LateItems<T> {
    /// Waits until there is room for one more.
    #[doc(hidden)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Takes a late item; after `poll_ready`.
    #[doc(hidden)]
    fn take(&mut self, item: T);

    /// No more late items come.
    #[doc(hidden)]
    fn close(&mut self);

    /// Counts in `count` what is dropped, unless it is counted elsewhere.
    #[doc(hidden)]
    fn count_in(&mut self, count: &Arc<AtomicU64>);
}

/// Late items are dropped and counted.
#[derive(Debug, Clone, Default)]
pub struct Counted(pub(crate) Option<Arc<AtomicU64>>);

/// Late items go to a [`Late`] stream; once that is dropped, they are dropped and counted.
pub struct SideOutput<T> {
    sender: PollSender<T>,
    counted: Counted,
}

/// The items that came too late for all their windows, or too far [ahead](Window::max_ahead), from all lanes, as a
/// `Stream`.
///
/// Made by [`Window::late_output`](super::Window::late_output). Ends when all lanes have ended, or were dropped.
///
/// # Drop
/// Late items are dropped from then on, and counted: where [`count_late`](super::Window::count_late) says, or by the
/// flow, see [`Flow::late`](crate::Flow::late).
#[must_use = "lanes wait when nobody reads the late items"]
pub struct Late<T> {
    receiver: mpsc::Receiver<T>,
}

/// A side output, and what reads it.
pub(crate) fn side_output<T: Send + 'static>(capacity: usize, counted: Counted) -> (SideOutput<T>, Late<T>) {
    let (sender, receiver) = mpsc::channel(capacity);
    (SideOutput { sender: PollSender::new(sender), counted }, Late { receiver })
}

impl<T> LateItems<T> for Counted {
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn take(&mut self, item: T) {
        drop(item);
        match &self.0 {
            Some(count) => _ = count.fetch_add(1, Ordering::Relaxed),
            None => {
                tracing::debug!("an item came too late for its windows, or too far ahead, and was dropped");
            }
        }
    }

    fn close(&mut self) {}

    fn count_in(&mut self, count: &Arc<AtomicU64>) {
        self.0.get_or_insert_with(|| count.clone());
    }
}

impl<T: Send + 'static> LateItems<T> for SideOutput<T> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // An error means that no reader is left: then there is always room.
        let _ = ready!(self.sender.poll_reserve(cx));
        Poll::Ready(())
    }

    fn take(&mut self, item: T) {
        if let Err(refused) = self.sender.send_item(item) {
            if let Some(item) = refused.into_inner() {
                self.counted.take(item);
            }
        }
    }

    fn close(&mut self) {
        self.sender.close();
    }

    fn count_in(&mut self, count: &Arc<AtomicU64>) {
        LateItems::<T>::count_in(&mut self.counted, count);
    }
}

impl<T: Send + 'static> Clone for SideOutput<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), counted: self.counted.clone() }
    }
}

impl<T> Stream for Late<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.receiver.poll_recv(cx)
    }
}

impl<T> fmt::Debug for Late<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Late").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SideOutput<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SideOutput").field("counted", &self.counted).finish_non_exhaustive()
    }
}
