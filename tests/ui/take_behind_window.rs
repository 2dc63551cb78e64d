//! A window would never be closed if its lane ended.
//# 3
//~ is not `Bare`
//~ needs a flow whose items come `Bare`
//~ After a `window` comes a `reduce`

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
