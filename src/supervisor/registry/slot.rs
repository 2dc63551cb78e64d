//! What is known of one child, and of one intake.

use super::returned::Value;
use crate::supervisor::child_info::{ChildState, NO_SLOT};
use crate::supervisor::outcome::Outcome;
use crate::supervisor::rule::Shutdown;
use std::sync::Arc;
use std::task::Waker;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A child, or room for one, in one cache line.
#[repr(align(64))]
pub(super) struct ChildSlot {
    /// 0 if the slot is free.
    pub(super) number: u64,
    /// When the child first waited after a poll; `None` before that.
    pub(super) began: Option<Instant>,
    /// Wakes its task, once it has waited for something.
    pub(super) waker: Option<Waker>,
    pub(super) rare: Option<Box<ChildExtras>>,
    pub(super) intake: u32,
    pub(super) restarts: u32,
    /// The next free slot, if this one is free.
    pub(super) next_free: u32,
    pub(super) state: ChildState,
    /// It is to be dropped in the middle of what it does.
    pub(super) killed: bool,
    /// It is to be restarted on request, whatever its outcome.
    pub(super) wanted: bool,
    /// It had not ended when the supervisor was told to stop.
    pub(super) reported: bool,
}

/// What most children never have.
#[derive(Default)]
pub(super) struct ChildExtras {
    pub(super) label: Option<Arc<str>>,
    pub(super) rule: Option<Shutdown>,
    pub(super) token: Option<CancellationToken>,
    /// When the last attempt began, if it was not the first.
    pub(super) restarted: Option<Instant>,
    /// Restarts since it last ran for long: its pauses grow with these.
    pub(super) streak: u32,
    /// Keeps the timer running by which the child has to end, if there is one.
    pub(super) timer: Option<oneshot::Sender<()>>,
    pub(super) ended: Vec<oneshot::Sender<Outcome>>,
    pub(super) on_restart: Vec<oneshot::Sender<Result<(), Outcome>>>,
    /// What its attempt returned, when it is about to end.
    pub(super) value: Option<Value>,
}

const _: () = assert!(size_of::<ChildSlot>() == 64, "a slot is one cache line");

impl ChildSlot {
    pub(super) fn empty() -> Self {
        Self {
            number: 0,
            began: None,
            waker: None,
            rare: None,
            intake: 0,
            restarts: 0,
            next_free: NO_SLOT,
            state: ChildState::Running,
            killed: false,
            wanted: false,
            reported: false,
        }
    }

    /// Only its name is known: it runs, and no request for it waits.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        let asked = self.killed | self.wanted | self.reported;
        self.rare.is_none() && self.state == ChildState::Running && !asked
    }

    /// Empties the slot of a child of which [nothing is known](Self::is_plain): the rest of it is as in an empty slot.
    #[inline]
    pub(super) fn empty_plain(&mut self, next_free: u32) {
        debug_assert!(self.is_plain() && self.restarts == 0, "a child that was restarted is not plain");
        (self.number, self.next_free) = (0, next_free);
        (self.began, self.waker) = (None, None);
    }

    /// It was asked to stop, for good or for a restart, and could see that.
    pub(super) fn was_asked(&self) -> bool {
        let has_token = self.rare.as_ref().is_some_and(|rare| rare.token.is_some());
        has_token && (self.state == ChildState::Stopping || self.wanted)
    }

    pub(super) fn rare(&mut self) -> &mut ChildExtras {
        self.rare.get_or_insert_default()
    }

    pub(super) fn label(&self) -> Option<Arc<str>> {
        self.rare.as_ref()?.label.clone()
    }

    pub(super) fn take_token(&mut self) -> Option<CancellationToken> {
        self.rare.as_mut()?.token.take()
    }
}

/// What is left of a child that has gone.
pub(super) struct Vacated {
    pub(super) reported: bool,
    pub(super) rare: Option<Box<ChildExtras>>,
    pub(super) intake: usize,
}

/// One place where items come from, and how many children of it there are.
#[derive(Default)]
pub(super) struct Intake {
    pub(super) running: usize,
    /// Wake when at most this many run.
    pub(super) wake_at: usize,
    pub(super) waker: Option<Waker>,
    /// No more items come: it is removed with its last child.
    pub(super) finished: bool,
}
