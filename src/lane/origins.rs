use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// From which upstream the items of a lane come: what a watermark must know.
///
/// Shared by the lane where items come in, which writes it, and by a window further down the same lane, which reads it
/// while it is given an item. Both are polled by one task, so that nothing is ever waited for.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Origins(Arc<SharedOrigins>);

#[derive(Debug)]
struct SharedOrigins {
    /// The upstream of the item now on its way, and how often an upstream has ended, in one word: a window looks at
    /// it for every item.
    version: AtomicU64,
    /// The upstream whose times are behind those of the others.
    slowest: AtomicUsize,
    ended: Box<[AtomicBool]>,
    /// Which upstreams had nothing when they were polled; empty where the lane does not tell.
    waiting: Box<[AtomicBool]>,
}

/// The low half is the upstream, the high half counts ends.
const END: u64 = 1 << 32;

impl Origins {
    pub(crate) fn new(upstreams: usize) -> Self {
        Self::with(upstreams, 0)
    }

    /// For a lane that tells which upstreams had nothing, by [`set_waiting`](Origins::set_waiting).
    pub(crate) fn with_waiting(upstreams: usize) -> Self {
        Self::with(upstreams, upstreams)
    }

    fn with(upstreams: usize, waiting: usize) -> Self {
        let flags = |length| (0..length).map(|_| AtomicBool::new(false)).collect();
        let (version, slowest) = (AtomicU64::new(0), AtomicUsize::new(0));
        Self(Arc::new(SharedOrigins { version, slowest, ended: flags(upstreams), waiting: flags(waiting) }))
    }

    /// How many upstreams there were at the start.
    pub(crate) fn upstreams(&self) -> usize {
        self.0.ended.len()
    }

    /// Changes when the upstream does, and when one ends.
    #[inline(always)]
    pub(crate) fn version(&self) -> u64 {
        self.0.version.load(Ordering::Relaxed)
    }

    /// The upstream of the item that is on its way.
    pub(crate) fn current(&self) -> usize {
        (self.version() % END) as usize
    }

    pub(crate) fn has_ended(&self, upstream: usize) -> bool {
        self.0.ended[upstream].load(Ordering::Relaxed)
    }

    /// Whether the upstream had nothing since the last [`ask`](Origins::ask); one not polled since may have something.
    pub(crate) fn is_waiting(&self, upstream: usize) -> bool {
        self.0.waiting.get(upstream).is_none_or(|waiting| waiting.load(Ordering::Relaxed))
    }

    /// Forgets which upstreams had nothing.
    pub(crate) fn ask(&self) {
        for waiting in &self.0.waiting {
            waiting.store(false, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_waiting(&self, upstream: usize) {
        self.0.waiting[upstream].store(true, Ordering::Relaxed);
    }

    /// The upstream to be read first: what the others send is kept until it has got as far.
    pub(crate) fn slowest(&self) -> usize {
        self.0.slowest.load(Ordering::Relaxed)
    }

    pub(crate) fn set_slowest(&self, upstream: usize) {
        self.0.slowest.store(upstream, Ordering::Relaxed);
    }

    pub(crate) fn set_current(&self, upstream: usize) {
        let version = self.version();
        self.0.version.store(version - version % END + upstream as u64, Ordering::Relaxed);
    }

    pub(crate) fn set_ended(&self, upstream: usize) {
        self.0.ended[upstream].store(true, Ordering::Relaxed);
        self.0.version.fetch_add(END, Ordering::Relaxed);
    }
}
