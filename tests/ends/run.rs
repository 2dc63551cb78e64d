//! `run` and `for_each`.

use crate::support::{counting, finisher_suite, seven, sorted};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

// Nothing comes of it: the suite sees that all items pass.
finisher_suite!(u64, |flow, _| flow.run(), |_| (), a_flow_that_was_begun_is_refused("be run"));

mod for_each {
    use super::*;
    finisher_suite!(
        u64,
        |flow, _| async {
            let (sender, seen) = mpsc::channel();
            flow.for_each(move |n| sender.send(n).unwrap()).await;
            sorted(seen.try_iter())
        },
        |items| items,
        a_flow_that_was_begun_is_refused("be extended"),
        a_panic_in_its_closure_reaches_whoever_awaits(|flow| flow.for_each(seven)),
    );
}

#[tokio::test]
async fn run_after_reduce_runs_the_reduce() {
    let sum = Arc::new(AtomicU64::new(0));
    let adds = sum.clone();
    counting(10).reduce(Vec::<u64>::new, move |_, n| _ = adds.fetch_add(n, Ordering::Relaxed)).run().await;
    assert_eq!(sum.load(Ordering::Relaxed), 45);
}

#[tokio::test]
async fn what_comes_out_last_need_not_be_send() {
    // Not Send: made and dropped in the same task.
    counting(10).map(Rc::new).run().await;
}
