//! A window is reduced before it is read.
//# 3
//~ what comes out of `InWindows<
//~ is not `Bare`
//~ After a `window` comes a `reduce`

use gen_stage::prelude::*;
use gen_stage::window::Window;

async fn wrong() {
    let numbers: Vec<u64> = Flow::from_iter(0..9u64).window(Window::count(2)).collect().await;
    drop(numbers);
}

fn main() {
    drop(wrong());
}
