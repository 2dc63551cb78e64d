//! The same with windows.
//# 1
//~ nothing says what comes out of a state `u64`
//~ call `emit_state` after the `reduce`

use gen_stage::prelude::*;
use gen_stage::window::Window;

async fn wrong() {
    let counted = Flow::from_iter(0..9u64).window(Window::count(2));
    counted.reduce(|| 0, |sum: &mut u64, n| *sum += n).run().await;
}

fn main() {
    drop(wrong());
}
