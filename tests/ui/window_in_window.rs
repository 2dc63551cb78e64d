//! One window to a layer.
//# 3
//~ the layer of this flow is closed
//~ after a `reduce` or a `window`

use gen_stage::prelude::*;
use gen_stage::window::Window;

async fn wrong() {
    Flow::from_iter(0..9u64)
        .window(Window::count(4))
        .window(Window::count(2))
        .reduce(Vec::new, Vec::push)
        .run()
        .await;
}

fn main() {
    drop(wrong());
}
