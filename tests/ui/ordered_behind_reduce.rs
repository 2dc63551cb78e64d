//! A reduce has one order: that of its end.
//# 2
//~ what comes out of `Reduce<
//~ is not `Numbered`
//~ needs a flow whose items come `Numbered`
//~ The order is lost in the operator that is named above: put `ordered` before it

use gen_stage::prelude::*;

async fn wrong() {
    Flow::from_iter(0..9u64).reduce(Vec::new, Vec::push).ordered().run().await;
}

fn main() {
    drop(wrong());
}
