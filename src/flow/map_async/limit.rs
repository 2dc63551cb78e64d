//! How many futures of one layer may be in flight, over all of its lanes.
use crate::coop::give_way;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Permits that the lanes of a layer share.
///
/// A permit is never set aside for a lane that waits: that lane may not be polled for long, while another could use it.
/// Releasing a permit wakes all lanes that wait, and the first to be polled gets it.
pub(in crate::flow) struct Limit {
    state: Mutex<Permits>,
}

struct Permits {
    free: usize,
    /// The lanes whose last poll found no permit free, in the order of these polls.
    waiting: Vec<Waiting>,
}

impl Permits {
    /// Takes a lane off the list of those that wait.
    fn take_waiting(&mut self, lane: usize) -> Option<Waiting> {
        let at = self.waiting.iter().position(|waiting| waiting.lane == lane)?;
        Some(self.waiting.remove(at))
    }
}

struct Waiting {
    lane: usize,
    /// `None` once the lane was woken: it may try now, and has not yet.
    waker: Option<Waker>,
}

impl Limit {
    pub(in crate::flow) fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(Permits { free: permits, waiting: Vec::new() }) })
    }

    fn lock(&self) -> MutexGuard<'_, Permits> {
        // No code of users runs under this lock but the clone of a waker.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self) {
        let mut state = self.lock();
        state.free += 1;
        if state.waiting.is_empty() {
            return;
        }
        let wakers: Vec<Waker> =
            state.waiting.iter_mut().filter_map(|waiting| waiting.waker.take()).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The right to have one future in flight; released when it is dropped.
pub(in crate::flow) struct Permit(Arc<Limit>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Where one lane gets its permits.
pub(in crate::flow) struct LanePermits {
    limit: Arc<Limit>,
    lane: usize,
    /// The lane has let the others go first, and takes the next permit it finds.
    stepped_back: bool,
}

impl LanePermits {
    pub(in crate::flow) fn new(limit: Arc<Limit>, lane: usize) -> Self {
        Self { limit, lane, stepped_back: false }
    }

    /// Waits for a permit. If one is free while other lanes wait, lets these go first, once.
    pub(in crate::flow) fn poll_permit(&mut self, cx: &mut Context<'_>) -> Poll<Permit> {
        let mut state = self.limit.lock();
        let waited = state.take_waiting(self.lane);
        let free = state.free > 0;
        let steps_back = free && !state.waiting.is_empty() && !self.stepped_back;
        if !free {
            let waker = Some(cx.waker().clone());
            state.waiting.push(Waiting { lane: self.lane, waker });
        } else if !steps_back {
            // The lanes that were woken had their chance, and may not be polled for long.
            state.waiting.retain(|waiting| waiting.waker.is_some());
            state.free -= 1;
        }
        drop(state);
        // Dropping its waker runs users' code.
        drop(waited);
        if !free {
            return Poll::Pending;
        }
        self.stepped_back = steps_back;
        if steps_back {
            return give_way(cx);
        }
        Poll::Ready(Permit(Arc::clone(&self.limit)))
    }

    /// Takes one more permit at once, if one is free and no lane waits for it.
    pub(in crate::flow) fn try_permit(&mut self) -> Option<Permit> {
        let mut state = self.limit.lock();
        if state.free == 0 || !state.waiting.is_empty() {
            return None;
        }
        state.free -= 1;
        drop(state);
        Some(Permit(Arc::clone(&self.limit)))
    }
}

impl Drop for LanePermits {
    fn drop(&mut self) {
        let waited = self.limit.lock().take_waiting(self.lane);
        drop(waited);
    }
}

impl fmt::Debug for LanePermits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LanePermits").field("free", &self.limit.lock().free).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{LanePermits, Limit, Permit};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    struct WaitingLane {
        gate: LanePermits,
        woken: Arc<Counted>,
    }

    impl WaitingLane {
        fn poll(&mut self) -> Poll<Permit> {
            let waker = Waker::from(Arc::clone(&self.woken));
            self.gate.poll_permit(&mut Context::from_waker(&waker))
        }

        fn woken(&self) -> usize {
            self.woken.0.swap(0, Ordering::SeqCst)
        }
    }

    fn lanes(permits: usize, lanes: usize) -> Vec<WaitingLane> {
        let limit = Limit::new(permits);
        (0..lanes)
            .map(|at| WaitingLane { gate: LanePermits::new(limit.clone(), at), woken: Arc::default() })
            .collect()
    }

    #[test]
    fn there_are_as_many_permits_as_were_made() {
        let mut lane = lanes(3, 1).remove(0);
        let held: Vec<Permit> = (0..3).filter_map(|_| lane.gate.try_permit()).collect();
        assert_eq!(held.len(), 3);
        assert!(lane.gate.try_permit().is_none());
        drop(held);
        assert_eq!(lane.gate.limit.lock().free, 3);
    }

    #[test]
    fn a_release_wakes_all_that_wait_and_the_first_to_come_has_it() {
        let mut lanes = lanes(1, 3);
        let held = lanes[0].poll();
        assert!(lanes[1].poll().is_pending() && lanes[2].poll().is_pending());
        drop(held);
        assert_eq!((lanes[1].woken(), lanes[2].woken()), (1, 1));
        // Lane 1 is not polled. Lane 2 leaves it the chance, and then goes on.
        assert!(lanes[2].poll().is_pending());
        assert_eq!(lanes[2].woken(), 1, "it comes back by itself");
        let held = lanes[2].poll();
        assert!(held.is_ready());
        assert!(lanes[1].poll().is_pending());
        drop(held);
        assert_eq!(lanes[1].woken(), 1);
    }

    #[test]
    fn a_lane_that_comes_back_for_more_lets_those_that_wait_go_first() {
        let mut lanes = lanes(1, 2);
        for _ in 0..3 {
            let held = lanes[0].poll();
            assert!(held.is_ready());
            assert!(lanes[1].poll().is_pending());
            drop(held);
            assert!(lanes[0].gate.try_permit().is_none() && lanes[0].poll().is_pending());
            assert_eq!(lanes[1].woken(), 1);
            let held = lanes[1].poll();
            assert!(held.is_ready());
            assert!(lanes[0].poll().is_pending());
            drop(held);
        }
    }

    #[test]
    fn a_lane_that_goes_waits_no_more() {
        let mut lanes = lanes(1, 2);
        let held = lanes[0].poll();
        assert!(lanes[1].poll().is_pending());
        lanes.pop();
        drop(held);
        assert!(lanes[0].gate.try_permit().is_some());
    }
}
