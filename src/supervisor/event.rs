use super::child_info::ChildId;
use crate::failure::Panic;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Something that happened to a child.
///
/// # Examples
/// See [`SupervisorHandle::events`](super::SupervisorHandle::events).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// Which child. A child that could not be started has a name too.
    pub child: ChildId,
    /// What [`label_by`](super::DynamicSupervisor::label_by) calls it.
    pub label: Option<Arc<str>>,
    /// What happened.
    pub what: EventKind,
}

/// What happened to a child.
///
/// # Examples
/// See [`SupervisorHandle::events`](super::SupervisorHandle::events).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EventKind {
    /// It was started.
    Started,
    /// There was nothing to start for the item.
    Ignored,
    /// It could not be started: an error.
    StartFailed(Arc<dyn Error + Send + Sync>),
    /// It could not be started: a panic.
    StartPanicked(Panic),
    /// It came to its end by itself.
    Completed,
    /// It came to its end after it was asked to stop: see [`Outcome::Stopped`](super::Outcome::Stopped).
    Stopped,
    /// It returned an error.
    Failed(Arc<dyn Error + Send + Sync>),
    /// It panicked.
    Panicked(Panic),
    /// It was dropped in the middle of what it did.
    Aborted,
    /// It was started again.
    Restarted {
        /// How often so far.
        restarts: u32,
    },
    /// It waited to be restarted, and will not be.
    NotRestarted,
    /// Restarting it would have been one restart too many: the supervisor stops all children.
    GivenUp,
    /// Events before the next one were dropped, because they were not read in time.
    Missed {
        /// How many.
        events: u64,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let EventKind::Missed { events } = self.what {
            return write!(f, "{events} events missed");
        }
        match &self.label {
            Some(label) => write!(f, "{label}: ")?,
            None => write!(f, "child {}: ", self.child)?,
        }
        match &self.what {
            EventKind::Started => f.write_str("started"),
            EventKind::Ignored => f.write_str("ignored"),
            EventKind::StartFailed(error) => write!(f, "not started: {error}"),
            EventKind::StartPanicked(panic) => write!(f, "not started, panicked: {}", panic.message()),
            EventKind::Completed => f.write_str("completed"),
            EventKind::Stopped => f.write_str("stopped"),
            EventKind::Failed(error) => write!(f, "failed: {error}"),
            EventKind::Panicked(panic) => write!(f, "panicked: {}", panic.message()),
            EventKind::Aborted => f.write_str("aborted"),
            EventKind::Restarted { restarts } => write!(f, "restarted ({restarts})"),
            EventKind::NotRestarted => f.write_str("not restarted"),
            EventKind::GivenUp => f.write_str("given up"),
            EventKind::Missed { .. } => Ok(()),
        }
    }
}

/// The readers of events, each with the events it has not read yet.
#[derive(Debug, Default)]
pub(super) struct EventListeners(Vec<Option<EventListener>>);

#[derive(Debug)]
pub(super) struct EventListener {
    queue: VecDeque<Event>,
    capacity: usize,
    /// How many events before the first of the queue were dropped.
    missed: u64,
    waker: Option<Waker>,
}

impl EventListeners {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, capacity: usize) -> usize {
        let listener = EventListener { queue: VecDeque::new(), capacity, missed: 0, waker: None };
        let at = self.0.iter().position(Option::is_none).unwrap_or_else(|| {
            self.0.push(None);
            self.0.len() - 1
        });
        self.0[at] = Some(listener);
        at
    }

    pub(super) fn remove(&mut self, at: usize) -> Option<EventListener> {
        let removed = self.0[at].take();
        while self.0.last().is_some_and(Option::is_none) {
            self.0.pop();
        }
        removed
    }

    /// Keeps an event for every reader. Readers to wake go to `wakers`, events to drop to `dropped`.
    pub(super) fn tell(&mut self, event: &Event, wakers: &mut Vec<Waker>, dropped: &mut Vec<Event>) {
        for listener in self.0.iter_mut().flatten() {
            if listener.queue.len() == listener.capacity {
                dropped.extend(listener.queue.pop_front());
                listener.missed += 1;
            }
            listener.queue.push_back(event.clone());
            wakers.extend(listener.waker.take());
        }
    }

    /// Wakes every reader: no more events come.
    pub(super) fn wake_all(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.0.iter_mut().flatten().filter_map(|listener| listener.waker.take()));
    }

    pub(super) fn poll(
        &mut self,
        at: usize,
        over: bool,
        cx: &Context<'_>,
        old: &mut Option<Waker>,
    ) -> Poll<Option<Event>> {
        let Some(listener) = self.0.get_mut(at).and_then(Option::as_mut) else {
            return Poll::Ready(None);
        };
        if let (1.., Some(front)) = (listener.missed, listener.queue.front()) {
            let events = std::mem::take(&mut listener.missed);
            return Poll::Ready(Some(Event {
                child: front.child,
                label: front.label.clone(),
                what: EventKind::Missed { events },
            }));
        }
        match listener.queue.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if over => Poll::Ready(None),
            None => {
                *old = listener.waker.replace(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
