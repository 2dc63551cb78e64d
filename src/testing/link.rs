use crate::sync::{keep_waker, unpoisoned};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::timeout;

/// What a probe and the other end, a source or a sink, have in common.
pub(super) struct ProbeLink<S>(Arc<Mutex<ProbeEnds<S>>>);

pub(super) struct ProbeEnds<S> {
    pub(super) state: S,
    /// Set while the other end waits for the probe.
    other: Option<Waker>,
    /// Set while the probe waits for the other end.
    probe: Option<Waker>,
}

/// What probes say when they waited in vain.
pub(super) trait Seen {
    fn seen(&self) -> String;
}

impl<S: Seen> ProbeLink<S> {
    pub(super) fn new(state: S) -> Self {
        Self(Arc::new(Mutex::new(ProbeEnds { state, other: None, probe: None })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ProbeEnds<S>> {
        unpoisoned(self.0.lock())
    }

    pub(super) fn seen(&self) -> String {
        self.lock().state.seen()
    }

    /// Changes the state, and wakes the source or the sink.
    pub(super) fn tell_other(&self, change: impl FnOnce(&mut S)) {
        let mut ends = self.lock();
        change(&mut ends.state);
        let waker = ends.other.take();
        drop(ends);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Changes the state, and wakes the probe.
    pub(super) fn tell_probe(&self, change: impl FnOnce(&mut S)) {
        let mut ends = self.lock();
        change(&mut ends.state);
        let waker = ends.probe.take();
        drop(ends);
        waker.into_iter().for_each(Waker::wake);
    }

    /// The source or the sink waits for the probe, and the probe looks at that. Under the lock under which there was
    /// nothing to go on with: what the probe does after that wakes.
    pub(super) fn wait<T>(mut ends: MutexGuard<'_, ProbeEnds<S>>, cx: &Context<'_>) -> Poll<T> {
        let probe = ends.probe.take();
        keep_waker(ends, |ends| &mut ends.other, cx.waker());
        probe.into_iter().for_each(Waker::wake);
        Poll::Pending
    }

    /// The probe waits for a state; false if it has not come in this time of tokio's clock.
    pub(super) async fn comes_within(&self, time: Duration, reached: impl Fn(&S) -> bool) -> bool {
        let comes = poll_fn(|cx| {
            let ends = self.lock();
            if reached(&ends.state) {
                return Poll::Ready(());
            }
            keep_waker(ends, |ends| &mut ends.probe, cx.waker());
            Poll::Pending
        });
        timeout(time, comes).await.is_ok()
    }
}

impl<S> Clone for ProbeLink<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
