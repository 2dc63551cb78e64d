//! `take` after a `reduce`: of what comes out, or of what comes in.
//# 1
//~ the layer of this flow is closed
//~ put it before the `reduce`, or open the next layer first
//~ for the adapter of this name of `StreamExt`, leave the flow with `into_stream`

use gen_stage::prelude::*;

async fn wrong() {
    let sums = Flow::from_iter(0..9u64).reduce(|| 0, |sum, n| *sum += n).emit_state();
    let first: Vec<u64> = sums.take(1).collect().await;
    assert_eq!(first.len(), 1);
}

fn main() {
    drop(wrong());
}
