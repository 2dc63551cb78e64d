//! Behind an operator that takes batches apart there are none.
//# 1
//~ `map_batch` comes first in a layer
//~ the batches of this layer are already taken apart
//~ move it right after the source

use gen_stage::prelude::*;

async fn wrong() {
    Flow::from_iter(0..9u64).map(|n| n + 1).map_batch(|batch| batch).run().await;
}

fn main() {
    drop(wrong());
}
