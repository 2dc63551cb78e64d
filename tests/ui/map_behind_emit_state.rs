//! A layer that a reduce has closed takes no mapper.
//# 1
//~ the layer of this flow is closed
//~ after a `reduce`, `emit_state`, `on_trigger` or `combine`
//~ put it before the `reduce`, or open the next layer first
//~ leave the flow with `into_stream`

use gen_stage::prelude::*;

async fn wrong() {
    let sums = Flow::from_iter(0..9u64).reduce(|| 0, |sum, n| *sum += n).emit_state();
    sums.map(|sum: u64| sum + 1).run().await;
}

fn main() {
    drop(wrong());
}
