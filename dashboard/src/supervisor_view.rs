//! A supervisor as JSON.

use crate::flow_view::millis;
use gen_stage::supervisor::{ChildCounts, ChildInfo, ChildState, SupervisorHandle};
use serde::Serialize;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// So many children are listed: those that were started first.
const LISTED: usize = 100;

#[derive(Debug, Serialize)]
pub(crate) struct SupervisorView {
    name: String,
    state: &'static str,
    end: Option<String>,
    counts: CountsView,
    children: Vec<ChildView>,
    more: usize,
}

#[derive(Debug, Serialize)]
struct CountsView {
    alive: usize,
    active: usize,
    restarting: usize,
    started: u64,
    completed: u64,
    stopped: u64,
    failed: u64,
    panicked: u64,
    aborted: u64,
    not_restarted: u64,
    ignored: u64,
    not_started: u64,
    refused: u64,
    unread: u64,
    restarts: u64,
}

#[derive(Debug, Serialize)]
struct ChildView {
    id: u64,
    label: Option<String>,
    state: &'static str,
    restarts: u32,
    age_ms: u64,
}

impl SupervisorView {
    /// The one place where the JSON of a supervisor is made.
    pub(crate) fn of<T: Send + 'static>(name: &str, handle: &SupervisorHandle<T>) -> Self {
        let children = handle.which_children();
        let end = end_of(handle);
        Self {
            name: name.into(),
            state: if end.is_some() { "ended" } else { "running" },
            end,
            counts: CountsView::of(&handle.count_children()),
            more: children.len().saturating_sub(LISTED),
            children: children.iter().take(LISTED).map(ChildView::of).collect(),
        }
    }
}

/// Why it has ended, if it has: its end is waited for, once, without patience.
fn end_of<T>(handle: &SupervisorHandle<T>) -> Option<String>
where
    T: Send + 'static,
{
    match pin!(handle.wait()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(report) => Some(report.end.to_string()),
        Poll::Pending => None,
    }
}

impl CountsView {
    fn of(counts: &ChildCounts) -> Self {
        Self {
            alive: counts.alive,
            active: counts.active,
            restarting: counts.restarting,
            started: counts.started,
            completed: counts.completed,
            stopped: counts.stopped,
            failed: counts.failed,
            panicked: counts.panicked,
            aborted: counts.aborted,
            not_restarted: counts.not_restarted,
            ignored: counts.ignored,
            not_started: counts.not_started,
            refused: counts.refused,
            unread: counts.unread,
            restarts: counts.restarts,
        }
    }
}

impl ChildView {
    fn of(child: &ChildInfo) -> Self {
        let state = match child.state {
            ChildState::Running => "running",
            ChildState::Restarting => "restarting",
            ChildState::Stopping => "stopping",
            _ => "other",
        };
        Self {
            id: child.id.number(),
            label: child.label.as_deref().map(String::from),
            state,
            restarts: child.restarts,
            age_ms: millis(child.age),
        }
    }
}
