//! What is only readable takes no operator before the next layer.
//# 1
//~ the layer of this flow is closed
//~ this operator comes after a `reduce`

use gen_stage::prelude::*;

fn shifted(flow: Flow<impl Readable<Item = u64>>) -> Flow<impl Readable<Item = u64>> {
    flow.map(|n| n + 1)
}

async fn wrong() {
    shifted(Flow::from_iter(0..9u64)).run().await;
}

fn main() {
    drop(wrong());
}
