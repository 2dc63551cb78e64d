//! A function that takes flows which take operators is given one that is closed.
//# 4
//~ does not take every operator
//~ after a `reduce`, `emit_state`, `on_trigger` or `combine` the layer is closed

use gen_stage::prelude::*;

fn shifted(flow: Flow<impl Flowing<Item = u64>>) -> Flow<impl Flowing<Item = u64>> {
    flow.map(|n| n + 1)
}

async fn wrong() {
    let sums = Flow::from_iter(0..9u64).reduce(|| 0, |sum, n| *sum += n).emit_state();
    shifted(sums).run().await;
}

fn main() {
    drop(wrong());
}
