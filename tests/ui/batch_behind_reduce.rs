//! Operators that take bare items only say so as well.
//# 1
//~ the layer of this flow is closed
//~ put it before the `reduce`, or open the next layer first

use gen_stage::prelude::*;

async fn wrong() {
    let sums = Flow::from_iter(0..9u64).reduce(Vec::new, Vec::push);
    sums.batch(10).run().await;
}

fn main() {
    drop(wrong());
}
