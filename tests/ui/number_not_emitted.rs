//! The state of a reduce that is no iterator needs `emit_state`.
//# 1
//~ nothing says what comes out of a state `u64`
//~ call `emit_state` after the `reduce`
//~ for anything else `on_trigger`

use gen_stage::prelude::*;

async fn wrong() {
    let sums: Vec<u64> = Flow::from_iter(0..9u64).reduce(|| 0, |sum: &mut u64, n| *sum += n).collect().await;
    drop(sums);
}

fn main() {
    drop(wrong());
}
