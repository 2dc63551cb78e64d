//! A function that takes flows is given one whose lanes cannot run on any thread.
//# 1
//~ `Rc<u64>` cannot be sent between threads safely

use gen_stage::prelude::*;
use std::rc::Rc;

fn shifted(flow: Flow<impl Flowing<Item = u64>>) -> Flow<impl Flowing<Item = u64>> {
    flow.map(|n| n + 1)
}

async fn wrong() {
    let offset = Rc::new(7u64);
    shifted(Flow::from_iter(0..9u64).map(move |n| n + *offset)).run().await;
}

fn main() {
    drop(wrong());
}
