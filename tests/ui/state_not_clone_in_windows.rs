//! With windows, a state that may come out early is cloned.
//# 1
//~ State: Clone

use gen_stage::prelude::*;
use gen_stage::window::Window;

struct State;

async fn wrong() {
    let windows = Flow::from_iter(0..9u64).window(Window::count(4).every(2));
    windows.reduce(|| State, |_, _| ()).emit_state().run().await;
}

fn main() {
    drop(wrong());
}
