//! Batches are made before the window, or of what it emits.
//# 2
//~ the layer of this flow is closed
//~ after a `reduce` or a `window`
//~ put it before these, or open the next layer first

use gen_stage::prelude::*;
use gen_stage::window::Window;

async fn wrong() {
    Flow::from_iter(0..9u64).window(Window::count(2)).batch(10).run().await;
}

fn main() {
    drop(wrong());
}
