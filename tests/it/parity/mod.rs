//! The numbered scenarios of GenStage's and Flow's own behaviour; `README.md` beside this accounts for each number.

mod buffer;
mod departition;
mod dispatch;
mod flow_ops;
mod join;
mod stage;
mod stream;
