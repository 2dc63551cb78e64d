//! The numbered scenarios of GenStage's and Flow's own behaviour; `README.md` beside this accounts for each number.

mod buffer;
mod dispatch;
mod flow_ends;
mod flow_ops;
mod stage;
mod stream;
