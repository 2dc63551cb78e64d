//! A window is reduced before its items go to another layer.
//# 2
//~ is not `Bare`
//~ After a `window` comes a `reduce`

use gen_stage::prelude::*;
use gen_stage::window::Window;

async fn wrong() {
    Flow::from_iter(0..9u64).window(Window::count(2)).partition().run().await;
}

fn main() {
    drop(wrong());
}
