//! What becomes of a stage, and of those around it, when something in it goes wrong.

mod dropped;
mod faulty;
mod matrix;
mod place;
mod races;
mod reasons;

use crate::support::settle;

async fn nothing_is_left(case: &str) {
    settle().await;
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks, 0, "{case}: tasks are left");
}
