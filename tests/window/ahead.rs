use super::{done, ms, pass, sent, so_far, told};
use crate::support::sorted;
use futures::StreamExt;
use gen_stage::Flow;
use gen_stage::window::Window;
use proptest::collection::vec;
use proptest::prelude::{any, proptest};
use proptest::sample::Index;

#[tokio::test]
async fn an_item_that_is_too_far_ahead_is_in_no_window_is_counted_and_makes_nothing_late() {
    let window = Window::fixed(ms(1000), |time: &i64| *time).max_ahead(ms(3000));
    let mut lists = Flow::from_iter([0, 3000, 6001, i64::MAX, 6000, 2999, 6500])
        .lanes(1)
        .window(window)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [told(info, list.clone())]);
    let monitor = lists.monitor();
    let got: Vec<_> = lists.collect().await;
    assert_eq!(got, [done(0, vec![0]), done(3000, vec![3000]), done(6000, vec![6000, 6500])]);
    assert_eq!(monitor.late(), 3, "two too far ahead, and one too late");
}

#[tokio::test]
async fn sessions_refuse_what_is_too_far_ahead_too() {
    let window = Window::session(ms(10), |_: &i64| (), |time: &i64| *time).max_ahead(ms(100));
    let (window, late) = window.late_output(10);
    let counts = Flow::from_iter([0i64, 5, 106, 7, 105])
        .lanes(1)
        .window(window)
        .reduce(|| 0, |n, _| *n += 1)
        .merge_states(|n, more| *n += more)
        .emit_state();
    let (counts, late) = futures::join!(counts.collect::<Vec<u32>>(), late.collect::<Vec<i64>>());
    assert_eq!((counts, late), (vec![3, 1], vec![106]));
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_an_upstream_says_anew_where_it_is() {
    let (clicks, source) = sent();
    let window = Window::fixed(ms(1000), |time: &i64| *time).max_ahead(ms(5000)).idle_after(ms(10_000));
    let mut lists = Flow::from_streams([source])
        .lanes(1)
        .window(window)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [told(info, list.clone())]);
    let night = 8 * 3_600_000;
    for time in [0, night] {
        clicks.unbounded_send(time).unwrap();
    }
    assert_eq!(so_far(&mut lists).await, []);
    pass(ms(10_000)).await;
    assert_eq!(so_far(&mut lists).await, [done(0, vec![0])]);
    for time in [night, night + 5001, night + 1] {
        clicks.unbounded_send(time).unwrap();
    }
    drop(clicks);
    assert_eq!(lists.by_ref().collect::<Vec<_>>().await, [done(night, vec![night, night + 1])]);
    assert_eq!(lists.late(), 2);
}

#[tokio::test]
async fn an_upstream_may_be_far_ahead_of_another() {
    let window = Window::fixed(ms(1000), |time: &i64| *time).max_ahead(ms(1));
    let (live, old) = ([1_000_000i64, 1_000_001], [0i64, 1]);
    let mut counts = Flow::from_iters([live.to_vec(), old.to_vec()])
        .lanes(2)
        .partition_with(1, |_| Some(0))
        .window(window)
        .reduce(|| 0, |n, _| *n += 1)
        .emit_state();
    assert_eq!(sorted(counts.by_ref().collect::<Vec<u32>>().await), [2, 2]);
    assert_eq!(counts.late(), 0);
}

#[test]
#[should_panic(expected = "what an item may be ahead must be a whole number of milliseconds, from 1 to")]
fn a_distance_of_0_is_refused() {
    let _ = Window::fixed(ms(1), |time: &i64| *time).max_ahead(ms(0));
}

proptest! {
    /// Nothing is late here: all that is refused is too far ahead.
    #[test]
    fn an_item_is_refused_if_it_is_far_ahead_of_all_that_was_believed(
        mut times in vec(0i64..200, 0..60),
        wrong in vec((any::<Index>(), 0i64..1_000_000), 0..4),
        most in 1i64..100,
    ) {
        for (at, time) in wrong {
            times.insert(at.index(times.len() + 1), time);
        }
        let (mut seen, mut far) = (None, Vec::new());
        for time in &times {
            if seen.is_some_and(|seen| time - seen > most) {
                far.push(*time);
            } else {
                seen = seen.max(Some(*time));
            }
        }
        let window = Window::fixed(ms(10), |time: &i64| *time).allowed_lateness(ms(10_000_000));
        let (window, late) = window.max_ahead(ms(most as u64)).late_output(1000);
        let counts = Flow::from_iter(times).lanes(1).window(window).reduce(|| 0, |n, _| *n += 1).emit_state();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (_, late) = runtime.block_on(async { futures::join!(counts.collect::<Vec<u32>>(), late.collect::<Vec<_>>()) });
        assert_eq!(late, far);
    }
}
