//! When sessions emit, and in which order.

use gen_stage::Flow;
use gen_stage::window::Window;
use std::time::Duration;

/// Sessions with a gap of 10 ms over one lane: key, start, end, trigger and number of items of each emission.
async fn sessions(lateness: u64, items: &[(char, i64)]) -> Vec<(char, i64, i64, String, u32)> {
    let by_key = Window::session(Duration::from_millis(10), |item: &(char, i64)| item.0, |item| item.1)
        .allowed_lateness(Duration::from_millis(lateness));
    Flow::from_iter(items.to_vec())
        .lanes(1)
        .window(by_key)
        .reduce(|| 0, |n, _| *n += 1)
        .merge_states(|n, others| *n += others)
        .on_trigger(|n, info| {
            let session = info.window;
            [(session.key, session.start, session.end, info.trigger.to_string(), *n)]
        })
        .collect()
        .await
}

#[tokio::test]
async fn sessions_that_are_open_at_the_end_are_done_in_the_order_of_their_ends() {
    let done = |key, start, end, n| (key, start, end, "done".to_string(), n);
    // The first one became the longer one.
    let got = sessions(0, &[('a', 0), ('b', 3), ('a', 9)]).await;
    assert_eq!(got, [done('b', 3, 13, 1), done('a', 0, 19, 2)]);
    // One whose end was passed is done first, though it would have gone on taking late items for longer.
    let got = sessions(100, &[('a', 0), ('b', 5), ('b', 14), ('c', 11)]).await;
    let passed = ('a', 0, 10, "watermark".to_string(), 1);
    assert_eq!(got, [passed, done('a', 0, 10, 1), done('c', 11, 21, 1), done('b', 5, 24, 2)]);
}

#[tokio::test]
async fn a_session_that_goes_on_after_its_end_was_passed_emits_when_its_new_end_is() {
    let got = sessions(100, &[('a', 0), ('b', 10), ('a', 5), ('b', 15)]).await;
    let emission = |key, start, end, trigger: &str, n| (key, start, end, trigger.to_string(), n);
    assert_eq!(
        got,
        [
            emission('a', 0, 10, "watermark", 1),
            emission('a', 0, 15, "watermark", 2),
            emission('a', 0, 15, "done", 2),
            emission('b', 10, 25, "done", 2),
        ]
    );
}
