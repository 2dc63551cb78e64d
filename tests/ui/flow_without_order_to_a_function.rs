//! A function that takes flows in order is given one that has lost it.
//# 4
//~ what comes out of `Exchange<
//~ is not `Numbered`

use gen_stage::prelude::*;

fn shifted(flow: Flow<impl InOrder<Item = u64>>) -> Flow<impl InOrder<Item = u64>> {
    flow.map(|n| n + 1)
}

async fn wrong() {
    shifted(Flow::from_iter(0..9u64).partition()).run().await;
}

fn main() {
    drop(wrong());
}
