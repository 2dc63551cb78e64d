//! Nor does one that a combine has closed.
//# 1
//~ the layer of this flow is closed
//~ after a `reduce`, `emit_state`, `on_trigger` or `combine`
//~ put it before the `reduce`, or open the next layer first
//~ leave the flow with `into_stream`

use gen_stage::prelude::*;

async fn wrong() {
    let sums =
        Flow::from_iter(0..9u64).combine(100, |sums, n| *sums.at_owned(n % 3) += n, |sum, more| *sum += more);
    sums.map(|(key, sum): (u64, u64)| key + sum).run().await;
}

fn main() {
    drop(wrong());
}
