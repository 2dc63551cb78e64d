//! Operators on results are for results.
//# 1
//~ Result<
//~ u64

use gen_stage::prelude::*;

async fn wrong() {
    let skipped = Default::default();
    Flow::from_iter(0..9u64).skip_errors(&skipped).run().await;
}

fn main() {
    drop(wrong());
}
