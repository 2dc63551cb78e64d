//! From stage to stage, along their subscriptions.

use super::status::{StageRef, Status};
use crate::dispatch::StageId;
use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Whether a stage of a [`StageGraph`](super::StageGraph) has answered.
///
/// # Examples
/// See [`StageGraph`](super::StageGraph).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StageState {
    /// It runs.
    Running,
    /// It runs and did not answer in time: its code is at work, or stuck. Of its subscriptions, those are known that
    /// the stages at their other ends tell of.
    Silent,
    /// It has ended. A stage at the other end of a subscription has not yet been told, or the walk began here.
    Ended,
}

/// A stage that the walk came to.
pub(super) struct Walked {
    pub(super) stage: StageRef,
    pub(super) state: StageState,
    /// What it answered, if it is running.
    pub(super) status: Option<Status>,
}

/// A walk that is under way.
#[derive(Default)]
pub(super) struct Walk {
    seen: HashSet<StageId>,
    asked: Vec<(StageRef, oneshot::Receiver<Status>)>,
    walked: Vec<Walked>,
}

impl Walk {
    pub(super) fn from(stages: impl IntoIterator<Item = StageRef>) -> Self {
        let mut walk = Self::default();
        stages.into_iter().for_each(|stage| walk.come_to(&stage));
        walk
    }

    /// Walks until all that were come to have answered, or the time is over.
    pub(super) async fn run(mut self, patience: Duration) -> Vec<Walked> {
        // Those that have not answered by then are silent.
        let _ = timeout(patience, poll_fn(|cx| self.poll_answers(cx))).await;
        let silent = self.asked.into_iter();
        self.walked.extend(silent.map(|(stage, _)| Walked {
            stage,
            state: StageState::Silent,
            status: None,
        }));
        self.walked
    }

    /// Asks a stage, unless it was asked.
    fn come_to(&mut self, stage: &StageRef) {
        if self.seen.insert(stage.id()) {
            self.asked.push((stage.clone(), stage.post_status()));
        }
    }

    fn poll_answers(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut at = 0;
        while let Some((_, answer)) = self.asked.get_mut(at) {
            let Poll::Ready(answered) = Pin::new(answer).poll(cx) else {
                at += 1;
                continue;
            };
            // Those that this one names come last, and so are polled too.
            let (stage, _) = self.asked.swap_remove(at);
            let status = answered.ok();
            for peer in status.iter().flat_map(Status::peers) {
                self.come_to(peer);
            }
            let state = if status.is_some() { StageState::Running } else { StageState::Ended };
            self.walked.push(Walked { stage, state, status });
        }
        if self.asked.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }
}
