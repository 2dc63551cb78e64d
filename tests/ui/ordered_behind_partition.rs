//! A partition loses the order of the source.
//# 2
//~ what comes out of `Exchange<
//~ is not `Numbered`
//~ needs a flow whose items come `Numbered`
//~ The order is lost in the operator that is named above: put `ordered` before it

use gen_stage::prelude::*;

async fn wrong() {
    Flow::from_iter(0..9u64).partition().map(|n| n + 1).ordered().run().await;
}

fn main() {
    drop(wrong());
}
