use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Where the items of a source come in: it may be shut from outside, and counts them.
///
/// Most flows have no token that could shut them: their gates are empty, and looked at once a batch.
#[derive(Clone, Default)]
pub struct SourceGate(Option<Box<Latch>>);

struct Latch {
    /// Any of these shuts it.
    signals: Vec<ShutToken>,
    counters: Vec<Arc<AtomicU64>>,
    shut: bool,
}

/// A token of this gate's own, so that lanes that look at their tokens do not get in each other's way.
struct ShutToken {
    token: CancellationToken,
    waiting: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl SourceGate {
    /// A gate that any of `tokens` shuts, and that counts in each of `counters`.
    pub(crate) fn new(tokens: &[CancellationToken], counters: &[Arc<AtomicU64>]) -> Self {
        if tokens.is_empty() {
            return Self::default();
        }
        let signals = tokens.iter().map(ShutToken::of).collect();
        Self(Some(Box::new(Latch { signals, counters: counters.to_vec(), shut: false })))
    }

    /// Whether nothing more may pass.
    #[inline]
    pub(crate) fn is_shut(&mut self) -> bool {
        match &mut self.0 {
            None => false,
            Some(latch) => latch.is_shut(),
        }
    }

    /// Waits until nothing more may pass: for a source that has nothing ready.
    pub(crate) fn poll_shut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().map_or(Poll::Pending, |latch| latch.poll_shut(cx))
    }

    /// Counts items that have passed.
    #[inline]
    pub(crate) fn count(&self, items: usize) {
        if let Some(latch) = &self.0 {
            latch.count(items);
        }
    }
}

impl Latch {
    #[inline(never)]
    fn is_shut(&mut self) -> bool {
        self.shut |= self.signals.iter().any(|signal| signal.token.is_cancelled());
        self.shut
    }

    #[inline(never)]
    fn poll_shut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Each of them, so that each wakes this task.
        for signal in &mut self.signals {
            let token = &signal.token;
            let waiting = signal.waiting.get_or_insert_with(|| Box::pin(token.clone().cancelled_owned()));
            self.shut |= waiting.as_mut().poll(cx).is_ready();
        }
        if self.shut { Poll::Ready(()) } else { Poll::Pending }
    }

    #[inline(never)]
    fn count(&self, items: usize) {
        for counter in &self.counters {
            counter.fetch_add(items as u64, Ordering::Relaxed);
        }
    }
}

impl ShutToken {
    fn of(token: &CancellationToken) -> Self {
        Self { token: token.child_token(), waiting: None }
    }
}

impl Clone for Latch {
    fn clone(&self) -> Self {
        let signals = self.signals.iter().map(|signal| ShutToken::of(&signal.token)).collect();
        Self { signals, counters: self.counters.clone(), shut: self.shut }
    }
}

impl fmt::Debug for SourceGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signals = self.0.as_ref().map_or(0, |latch| latch.signals.len());
        f.debug_struct("SourceGate").field("signals", &signals).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn any_token_shuts_it_and_wakes_who_waits() {
        let tokens = [CancellationToken::new(), CancellationToken::new()];
        for at in 0..2 {
            let tokens = [tokens[0].child_token(), tokens[1].child_token()];
            let mut gate = SourceGate::new(&tokens, &[]);
            assert!(!gate.is_shut());
            let mut waiting = tokio_test::task::spawn(std::future::poll_fn(|cx| gate.poll_shut(cx)));
            assert!(waiting.poll().is_pending());
            tokens[at].cancel();
            assert!(waiting.is_woken());
            assert!(waiting.poll().is_ready());
            drop(waiting);
            assert!(gate.is_shut());
            assert!(gate.clone().is_shut(), "as is a copy of it");
        }
    }

    #[test]
    fn every_counter_counts_what_passes() {
        let counters = [Arc::default(), Arc::default()];
        let gate = SourceGate::new(&[CancellationToken::new()], &counters);
        gate.count(3);
        gate.clone().count(4);
        assert!(counters.iter().all(|counter| counter.load(Ordering::Relaxed) == 7));
        assert!(SourceGate::new(&[], &counters).0.is_none(), "nobody can shut it, and so nobody asks");
    }
}
