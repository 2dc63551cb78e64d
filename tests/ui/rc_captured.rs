//! Lanes run on any thread.
//# 1
//~ `Rc<u64>` cannot be sent between threads safely

use gen_stage::prelude::*;
use std::rc::Rc;

async fn wrong() {
    let offset = Rc::new(7u64);
    let shifted: Vec<u64> = Flow::from_iter(0..9u64).map(move |n| n + *offset).collect().await;
    drop(shifted);
}

fn main() {
    drop(wrong());
}
