use super::ms;
use crate::support::{counting, sorted};
use futures::{StreamExt, stream};
use gen_stage::Flow;
use gen_stage::window::{Session, Span, StreamWindow, Window};

fn span(start: i64, end: i64) -> Span {
    Span { start, end }
}

#[tokio::test]
async fn states_come_with_their_windows_early_and_at_the_end() {
    let window = Window::fixed(ms(10), |n: &u64| *n).every(8);
    let sums =
        counting(15).lanes(1).window(window).reduce(|| 0, |sum, n| *sum += n).emit_state().with_window();
    let (first, second) = (span(0, 10), span(10, 20));
    assert_eq!(sums.collect::<Vec<_>>().await, [(first, 28), (first, 45), (second, 60)]);
}

#[tokio::test]
async fn the_items_of_a_state_come_each_with_its_window() {
    let counts = counting(4).lanes(1).window(Window::count(3)).count_by(|n| n % 2).with_window();
    let counts = sorted(counts.collect::<Vec<_>>().await);
    assert_eq!(counts, [(0, (0, 2)), (0, (1, 1)), (1, (1, 1))]);
}

#[tokio::test]
async fn a_session_is_named_as_it_is_when_it_emits() {
    let sessions = Flow::from_iter([0i64, 16, 8])
        .lanes(1)
        .window(Window::session(ms(10), |_: &i64| 'a', |at| *at).allowed_lateness(ms(50)).every(2))
        .reduce(Vec::new, Vec::push)
        .emit_state()
        .with_window()
        .merge_states(Extend::extend);
    let got: Vec<(Session<char>, Vec<i64>)> = sessions.collect().await;
    let told: Vec<_> = got.into_iter().map(|(id, list)| (id.start, id.end, sorted(list))).collect();
    assert_eq!(told.last(), Some(&(0, 26, vec![0, 8, 16])));
}

#[tokio::test]
async fn what_lanes_emit_can_be_brought_together_with_it() {
    let parts = counting(20)
        .lanes(1)
        .partition_by(|n| n % 2)
        .lanes(2)
        .window(Window::fixed(ms(10), |n: &u64| *n))
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state()
        .with_window()
        .departition(Vec::new, Vec::push, |parts, _| sorted(parts));
    let (first, second) = (span(0, 10), span(10, 20));
    let expected = [vec![(first, 20), (first, 25)], vec![(second, 70), (second, 75)]];
    assert_eq!(parts.collect::<Vec<_>>().await, expected);
}

#[tokio::test]
async fn over_any_stream_too() {
    let sums = stream::iter(0..15u64)
        .window_by(|n| *n, |at| Window::fixed(ms(10), at))
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state()
        .with_window()
        .into_stream();
    assert_eq!(sums.collect::<Vec<_>>().await, [(span(0, 10), 45), (span(10, 20), 60)]);
}

/// Items whose type has no name.
#[tokio::test]
async fn a_window_by_items_without_a_name_needs_no_types() {
    let counts = counting(15)
        .lanes(1)
        .map(|n| (n, move || n + 1))
        .window_by(|item| item.0, |at| Window::sliding(ms(10), ms(10), at))
        .reduce(|| 0, |sum, item| *sum += (item.1)())
        .emit_state();
    assert_eq!(counts.collect::<Vec<u64>>().await, [55, 65]);
    let clicks = counting(4)
        .lanes(1)
        .map(|n| (n % 2, move || n))
        .window_by(|item| item.0, |key| Window::session_by_clock(ms(1000), key))
        .reduce(|| 0, |sum, item| *sum += (item.1)())
        .emit_state();
    assert_eq!(sorted(clicks.collect::<Vec<u64>>().await), [2, 4]);
}
