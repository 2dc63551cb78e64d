//! A function that restores the order asks for it.
//# 2
//~ what comes out of `impl Flowing<Item = u64>` is not `Numbered`

use gen_stage::prelude::*;

fn in_order(flow: Flow<impl Flowing<Item = u64>>) -> Flow<impl Flowing<Item = u64>> {
    flow.ordered()
}

async fn wrong() {
    in_order(Flow::from_iter(0..9u64)).run().await;
}

fn main() {
    drop(wrong());
}
