//! What the parts of a lane say of themselves, for those who look.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Where a part of a lane says what it has: open windows, futures. A flow without a monitor keeps nothing here.
#[derive(Debug, Clone, Default)]
pub(crate) struct LaneMeter(Option<Arc<MeterCounts>>);

#[derive(Debug)]
struct MeterCounts {
    futures: AtomicU64,
    windows: AtomicU64,
    /// `NEVER`: there is none.
    watermark: AtomicI64,
}

/// No time was seen.
const NEVER: i64 = i64::MIN;

/// What a part of a lane has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MeterReading {
    pub(crate) futures: u64,
    pub(crate) windows: u64,
    pub(crate) watermark: Option<i64>,
}

impl LaneMeter {
    /// A meter that somebody may read.
    pub(crate) fn new() -> Self {
        let (futures, windows) = (AtomicU64::new(0), AtomicU64::new(0));
        Self(Some(Arc::new(MeterCounts { futures, windows, watermark: AtomicI64::new(NEVER) })))
    }

    /// Shows how many futures run, or have a result that was not taken yet.
    #[inline]
    pub(crate) fn show_futures(&self, futures: usize) {
        if let Some(counts) = &self.0 {
            counts.futures.store(futures as u64, Ordering::Relaxed);
        }
    }

    /// Shows how many windows are open, and the watermark.
    #[inline]
    pub(crate) fn show_windows(&self, open: usize, watermark: Option<i64>) {
        if let Some(counts) = &self.0 {
            counts.windows.store(open as u64, Ordering::Relaxed);
            counts.watermark.store(watermark.unwrap_or(NEVER), Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self) -> MeterReading {
        let Some(counts) = &self.0 else { return MeterReading { futures: 0, windows: 0, watermark: None } };
        let watermark = counts.watermark.load(Ordering::Relaxed);
        MeterReading {
            futures: counts.futures.load(Ordering::Relaxed),
            windows: counts.windows.load(Ordering::Relaxed),
            watermark: (watermark != NEVER).then_some(watermark),
        }
    }
}
