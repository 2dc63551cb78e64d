//! An adapter may do anything with the items.
//# 2
//~ what comes out of `PerLane<
//~ is not `Numbered`
//~ needs a flow whose items come `Numbered`
//~ The order is lost in the operator that is named above: put `ordered` before it

use gen_stage::prelude::*;

async fn wrong() {
    Flow::from_iter(0..9u64).per_lane(|lane| lane).map(|n| n + 1).ordered().run().await;
}

fn main() {
    drop(wrong());
}
