//! Sessions become one, and their states have to.
//# 1
//~ the windows of this flow may be merged, and nothing says how their states become one
//~ call `merge_states` after the `reduce`

use gen_stage::prelude::*;
use gen_stage::window::Window;
use std::time::Duration;

async fn wrong() {
    let session = Window::session(Duration::from_secs(1), |n: &i64| n % 3, |n: &i64| *n);
    Flow::from_iter(0..9i64).window(session).reduce(Vec::new, Vec::push).run().await;
}

fn main() {
    drop(wrong());
}
