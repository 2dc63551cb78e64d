//! Which items would be paired is left to chance.
//# 2
//~ what comes out of `Exchange<
//~ is not `Numbered`
//~ The order is lost in the operator that is named above: put `ordered` before it

use gen_stage::prelude::*;

async fn wrong() {
    Flow::from_iter(0..9u64).partition().zip(Flow::from_iter(0..9u64)).run().await;
}

fn main() {
    drop(wrong());
}
