//! The numbered scenarios of GenStage's and Flow's own behaviour; `README.md` beside this accounts for each number.

#[path = "../support/mod.rs"]
mod support;

/// Items from a source on one lane, partitioned to one lane, both with this demand: what most scenarios of windows
/// and triggers are about.
macro_rules! one_partition {
    ($items:expr, $demand:expr) => {{
        let (max, min) = $demand;
        Flow::from_iter($items).lanes(1).demand(max, min).partition_with(1, |_| Some(0)).demand(max, min)
    }};
    ($items:expr) => {
        one_partition!($items, $crate::LARGE)
    };
}

/// The default demand: 100 items cross at once.
const LARGE: (usize, usize) = (1000, 500);

/// Five items cross at once.
const SMALL: (usize, usize) = (5, 0);

mod buffer;
mod departition;
mod dispatch;
mod flow_ends;
mod flow_ops;
mod flow_reduce;
mod join;
mod stage;
mod stream;
mod trigger;
mod window_count;
mod window_fixed;
mod window_periodic;
