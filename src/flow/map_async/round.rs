use crate::coop::give_way;
use crate::flow::map_async::limit::{LanePermits, Permit};
use crate::lane::Each;
use std::ops::ControlFlow;
use std::task::{Context, Poll};
use tokio::task::coop;

/// One reading of the upstream, which starts futures.
///
/// One permit is for all futures that are ready at once, one after the other. It is released with the round, as the next
/// poll may be far off.
pub(in crate::flow) struct Round<'a> {
    permits: &'a mut LanePermits,
    permit: Option<Permit>,
    /// The reader had enough.
    stopped: bool,
    /// The budget of the task is used up: from then on, tokio's futures are pending for no other reason.
    tired: bool,
}

/// What the lane does after a round.
pub(in crate::flow) enum Then {
    GoOn,
    /// It waits: for permits, for its upstream, or for what it has started.
    Wait,
    Return(Poll<Each>),
}

impl<'a> Round<'a> {
    /// Waits for a permit.
    pub(in crate::flow) fn poll_begin(permits: &'a mut LanePermits, cx: &mut Context<'_>) -> Poll<Self> {
        permits.poll_permit(cx).map(|permit| Self {
            permits,
            permit: Some(permit),
            stopped: false,
            tired: false,
        })
    }

    /// The permit, for a future that is pending.
    #[inline]
    pub(in crate::flow) fn take(&mut self) -> Option<Permit> {
        self.permit.take()
    }

    /// Looks for another permit, if there is room for another future; breaks if there is none.
    #[inline]
    pub(in crate::flow) fn go_on(&mut self, has_room: bool) -> ControlFlow<()> {
        self.tired = !coop::has_budget_remaining();
        if !self.tired && has_room {
            self.permit = self.permits.try_permit();
        }
        if self.permit.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    /// Notes what the reader said.
    #[inline(always)]
    pub(in crate::flow) fn passed(&mut self, flow: ControlFlow<()>) -> ControlFlow<()> {
        self.stopped = flow.is_break();
        flow
    }

    /// Ends the round with what the upstream answered.
    pub(in crate::flow) fn end(self, polled: Poll<Each>, ended: &mut bool, cx: &mut Context<'_>) -> Then {
        match polled {
            Poll::Ready(Each::Stopped) if self.stopped => Then::Return(polled),
            Poll::Ready(Each::Stopped) if self.tired => Then::Return(give_way(cx)),
            Poll::Ready(Each::Stopped) => Then::GoOn,
            Poll::Ready(Each::Ended) => {
                *ended = true;
                Then::GoOn
            }
            Poll::Pending => Then::Wait,
        }
    }
}
