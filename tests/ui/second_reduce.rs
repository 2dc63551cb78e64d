//! One reduce to a layer.
//# 2
//~ the layer of this flow is closed
//~ after a `reduce`, `emit_state`, `on_trigger` or `combine`
//~ put it before the `reduce`, or open the next layer first
//~ leave the flow with `into_stream`

use gen_stage::prelude::*;

async fn wrong() {
    let twice = Flow::from_iter(0..9u64).reduce(Vec::new, Vec::push).reduce(Vec::new, Vec::push);
    twice.run().await;
}

fn main() {
    drop(wrong());
}
