//! Where items come from: the sink, requests, and stages, each with places of its own.

use super::{Intake, Phase, REQUESTED, Registry, SINK};
use crate::supervisor::end::SupervisorEnd;
use crate::supervisor::report::SupervisorReport;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

impl Registry {
    #[inline]
    pub(super) fn intake(&mut self, at: usize) -> Option<&mut Intake> {
        if at == SINK { Some(&mut self.sink) } else { self.intakes.get_mut(at - 1)?.as_mut() }
    }

    pub(super) fn forget_intake(&mut self, at: usize) {
        if at > REQUESTED {
            self.intakes[at - 1] = None;
        }
    }

    /// Opens the intake of a stage that is read.
    pub(in crate::supervisor) fn open_intake(&mut self) -> usize {
        self.reading += 1;
        // After that of requests, which always stays.
        let at = self.intakes.iter().position(Option::is_none).unwrap_or_else(|| {
            self.intakes.push(None);
            self.intakes.len() - 1
        });
        self.intakes[at] = Some(Intake::default());
        at + 1
    }

    /// Closes the intake of a stage that is no longer read. Its children live on.
    pub(in crate::supervisor) fn close_intake(&mut self, at: usize) {
        self.reading -= 1;
        let mut empty = false;
        if let Some(intake) = self.intake(at) {
            (intake.finished, intake.waker) = (true, None);
            empty = intake.running == 0;
        }
        if empty {
            self.forget_intake(at);
        }
        self.check_over();
    }

    /// How many children of a stage run; wakes when there are at most `wake_at`. `None`: nothing more is taken.
    pub(in crate::supervisor) fn poll_intake(
        &mut self,
        at: usize,
        wake_at: Option<usize>,
        cx: &Context<'_>,
    ) -> Option<usize> {
        if !matches!(self.phase, Phase::Running) {
            return None;
        }
        let intake = self.intake(at)?;
        intake.wake_at = wake_at.unwrap_or(0);
        intake.waker = Some(cx.waker().clone());
        Some(intake.running)
    }

    pub(super) fn wake_intakes(&mut self) {
        let after = self.after.add();
        for intake in self.intakes.iter_mut().flatten().chain([&mut self.sink]) {
            after.wakers.extend(intake.waker.take());
        }
    }

    /// How many children the sink may start, once it has used up its last answer: enough to bring them back to `max`.
    /// When `max` of them run, it may start none until they have fallen to `min`.
    pub(in crate::supervisor) fn poll_places(
        &mut self,
        (max, min): (usize, usize),
        cx: &Context<'_>,
    ) -> Poll<Result<usize, SupervisorEnd>> {
        match &self.phase {
            Phase::Running => {}
            Phase::Draining(_) | Phase::Stopping(_) => {
                return match self.poll_sink_over(cx) {
                    Poll::Ready(report) => Poll::Ready(Err(report.end.clone())),
                    Poll::Pending => Poll::Pending,
                };
            }
            Phase::Over(report) => return Poll::Ready(Err(report.end.clone())),
        }
        let running = self.sink.running;
        self.sink_max = max;
        self.sink_full = running >= if self.sink_full { min + 1 } else { max };
        if !self.sink_full {
            return Poll::Ready(Ok(max - running));
        }
        self.sink.wake_at = min;
        let old = self.sink.waker.replace(cx.waker().clone());
        self.replaced(old);
        Poll::Pending
    }

    /// Waits for the report, for the sink: the end wakes it whether or not it also waits for a place.
    pub(in crate::supervisor) fn poll_sink_over(&mut self, cx: &Context<'_>) -> Poll<Arc<SupervisorReport>> {
        if let Some(report) = self.report() {
            return Poll::Ready(report);
        }
        let old = self.closing.replace(cx.waker().clone());
        self.replaced(old);
        Poll::Pending
    }

    /// Wakers are not dropped under the lock: each may be the last thing that keeps its task alive.
    pub(super) fn replaced(&mut self, old: Option<Waker>) {
        if old.is_some() {
            self.after.add().old.extend(old);
        }
    }
}
