//! A window would never be closed if its lane ended.
//# 3
//~ the layer of this flow is closed
//~ after a `reduce` or a `window`
//~ put it before these, or open the next layer first

use gen_stage::prelude::*;
use gen_stage::window::Window;

async fn wrong() {
    let counts = Flow::from_iter(0..9u64).window(Window::count(2)).take(5).reduce(|| 0, |n, _| *n += 1).emit_state();
    let counts: Vec<u64> = counts.collect().await;
    assert_eq!(counts.len(), 3);
}

fn main() {
    drop(wrong());
}
