//! Rows of a join have no order.
//# 2
//~ is not `Numbered`
//~ put `ordered` before it
//~ a join

use gen_stage::flow::Inner;
use gen_stage::prelude::*;

async fn wrong() {
    let left = Flow::from_iter([(1, 'a')]);
    let rows = left.bounded_join(Inner, Flow::from_iter([(1, 'b')]), |left| left.0, |right| right.0);
    rows.ordered().run().await;
}

fn main() {
    drop(wrong());
}
