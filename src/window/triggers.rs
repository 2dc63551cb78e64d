use crate::sync::{keep_waker, unpoisoned};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Waker};

/// Sets off windows from outside: see [`Window::triggered_by`](super::Window::triggered_by).
///
/// A cheap handle; clones set off the same windows.
///
/// # Examples
/// ```
/// use futures::{StreamExt, stream};
/// use gen_stage::prelude::*;
/// use gen_stage::window::{Triggers, Window};
///
/// # tokio_test::block_on(async {
/// let sample = Triggers::new();
/// // A source that has no more for now.
/// let numbers = stream::iter(1..=4).chain(stream::pending());
/// let mut sums = numbers
///     .flow()
///     .lanes(1)
///     .window(Window::global().triggered_by(&sample))
///     .reduce(|| 0, |sum, n| *sum += n)
///     .on_trigger(|sum, info| [(*sum, info.trigger.to_string())]);
///
/// assert!(futures::poll!(sums.next()).is_pending(), "the first poll starts the flow");
/// while sample.fire("sample") == 0 {
///     tokio::task::yield_now().await;
/// }
/// assert_eq!(sums.next().await.unwrap().1, "sample");
/// # });
/// ```
///
/// # Source
/// The message `{:trigger, name}` to a stage of Flow.
#[derive(Clone, Default)]
pub struct Triggers {
    lanes: Arc<Mutex<Vec<Weak<Mutex<Calls>>>>>,
}

/// The calls that wait for one lane.
#[derive(Default)]
struct Calls {
    names: VecDeque<&'static str>,
    waker: Option<Waker>,
}

/// The side of a lane, which listens.
#[derive(Default)]
pub(crate) struct TriggerListener(Vec<Arc<Mutex<Calls>>>);

impl Triggers {
    /// Makes a handle that no window listens to yet.
    ///
    /// # Examples
    /// ```
    /// assert_eq!(gen_stage::window::Triggers::new().fire("nobody listens"), 0);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes every open window of every lane that listens emit, with [`Trigger::Named`](super::Trigger::Named), and
    /// returns the number of these lanes.
    ///
    /// A lane does so when its task gets to it, after the items it has in hand. If an earlier call with this name still
    /// waits for the lane, the two are one. A lane listens from its first poll on.
    ///
    /// # Examples
    /// See [`Triggers`].
    #[allow(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn fire(&self, name: &'static str) -> usize {
        // Held until the lock is released: dropping the last owner of a lane drops its waker.
        let mut reached = Vec::new();
        unpoisoned(self.lanes.lock()).retain(|lane| {
            let alive = lane.upgrade();
            let is_alive = alive.is_some();
            reached.extend(alive);
            is_alive
        });
        for lane in &reached {
            let mut calls = unpoisoned(lane.lock());
            if !calls.names.contains(&name) {
                calls.names.push_back(name);
            }
            let waker = calls.waker.take();
            drop(calls);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        reached.len()
    }
}

impl TriggerListener {
    /// Makes a lane listen to `triggers`.
    pub(crate) fn listen(&mut self, triggers: &[Triggers]) {
        for triggers in triggers {
            let calls = Arc::default();
            unpoisoned(triggers.lanes.lock()).push(Arc::downgrade(&calls));
            self.0.push(calls);
        }
    }

    /// Takes the next call; if none waits, the next one wakes the task.
    pub(crate) fn take(&self, cx: &Context<'_>) -> Option<&'static str> {
        for calls in &self.0 {
            let mut calls = unpoisoned(calls.lock());
            if let Some(name) = calls.names.pop_front() {
                return Some(name);
            }
            keep_waker(calls, |calls| &mut calls.waker, cx.waker());
        }
        None
    }
}

impl fmt::Debug for Triggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Triggers").field("lanes", &unpoisoned(self.lanes.lock()).len()).finish()
    }
}

impl fmt::Debug for TriggerListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TriggerListener").field("to", &self.0.len()).finish()
    }
}
