use super::{Peak, ms, pass, sent, so_far};
use crate::support::{Numbers, operator_suite, seven};
use futures::StreamExt;
use gen_stage::Flow;
use gen_stage::prelude::*;
use gen_stage::window::{Session, Window};
use proptest::prelude::*;

operator_suite!(
    |flow: Numbers| flow
        .window(Window::session_by_clock(ms(3_600_000), |n: &u64| n % 3))
        .reduce(Vec::new, Vec::push),
    |items| items,
    |flow: Numbers| flow
        .window(Window::session_by_clock(ms(3_600_000), |n: &u64| {
            seven(*n);
            0
        }))
        .reduce(Vec::new, Vec::push),
);

/// Sessions of 10 ms without an item, from time 0 on.
macro_rules! sessions {
    ($source:expr) => {
        $source
            .flow()
            .lanes(1)
            .window(Window::session_by_clock(ms(10), |item: &(char, u64)| item.0).clock_starts_at(0))
            .reduce(Vec::new, |list: &mut Vec<u64>, (_, n)| list.push(n))
            .on_trigger(|list, info| {
                let Session { key, start, end } = info.window;
                [(key, start, end, list.clone())]
            })
    };
}

#[tokio::test(start_paused = true)]
async fn a_session_goes_on_while_items_of_its_key_come() {
    let (sender, source) = sent();
    let mut got = sessions!(source);
    assert_eq!(so_far(&mut got).await, []);
    sender.unbounded_send(('a', 1)).unwrap();
    assert_eq!(so_far(&mut got).await, []);
    pass(ms(9)).await;
    sender.unbounded_send(('a', 2)).unwrap();
    sender.unbounded_send(('b', 3)).unwrap();
    assert_eq!(so_far(&mut got).await, []);
    pass(ms(9)).await;
    sender.unbounded_send(('b', 4)).unwrap();
    assert_eq!(so_far(&mut got).await, [], "18 ms");
    pass(ms(1)).await;
    assert_eq!(so_far(&mut got).await, [('a', 0, 19, vec![1, 2])], "nothing more need come");
    sender.unbounded_send(('a', 5)).unwrap();
    assert_eq!(so_far(&mut got).await, []);
    pass(ms(9)).await;
    assert_eq!(so_far(&mut got).await, [('b', 9, 28, vec![3, 4])]);
    drop(sender);
    assert_eq!(so_far(&mut got).await, [('a', 19, 29, vec![5])], "all are done with the input");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_comes_before_the_timer_is_seen_opens_a_session_of_its_own() {
    let (sender, source) = sent();
    let window = Window::session_by_clock(ms(10), |_: &u64| ()).clock_starts_at(0);
    // Without a flow, the lane is polled by the test alone.
    let mut lists = std::pin::pin!(
        gen_stage::window::StreamWindow::window(source, window)
            .reduce(Vec::new, Vec::push)
            .on_trigger(|list: &mut Vec<u64>, info| [(info.window.start, list.clone())])
            .into_stream()
    );
    sender.unbounded_send(1).unwrap();
    assert!(futures::poll!(lists.next()).is_pending());
    pass(ms(10)).await;
    sender.unbounded_send(2).unwrap();
    drop(sender);
    assert_eq!(lists.collect::<Vec<_>>().await, [(0, vec![1]), (10, vec![2])]);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_of_input_sessions_are_done_in_the_order_of_their_ends() {
    let clicks = async_stream::stream! {
        for (key, n) in [('a', 1), ('b', 2), ('a', 3), ('c', 4), ('b', 5)] {
            yield (key, n);
            tokio::time::sleep(ms(1)).await;
        }
    };
    let got: Vec<_> = sessions!(clicks).collect().await;
    assert_eq!(got, [('a', 0, 12, vec![1, 3]), ('c', 3, 13, vec![4]), ('b', 1, 14, vec![2, 5])]);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_what_is_open() {
    let peak = Peak::default();
    let of_peak = peak.clone();
    let clicks = async_stream::stream! {
        for n in 0..1000u64 {
            yield n;
            tokio::time::sleep(ms(1)).await;
        }
    };
    let done = clicks
        .flow()
        .lanes(1)
        .window(Window::session_by_clock(ms(10), |n: &u64| *n))
        .reduce(move || of_peak.state(), |_, _| ())
        .on_trigger(|_, _| [()]);
    assert_eq!(done.count().await, 1000);
    assert_eq!(peak.made(), 1000);
    assert!(peak.peak() <= 11, "{} sessions were open at once", peak.peak());
}

/// Pauses, and what comes after each.
type Steps = Vec<(u64, char)>;

/// The same, by looking at all sessions at each millisecond.
fn model(steps: &Steps) -> Vec<(char, i64, i64, Vec<u64>)> {
    let (mut open, mut done) = (Vec::<(char, i64, i64, Vec<u64>)>::new(), Vec::new());
    let mut now = 0;
    for (n, (pause, key)) in (0..).zip(steps) {
        now += *pause as i64;
        // In the order of their ends, and of those that end together, of their starts.
        open.sort_by_key(|session| session.2);
        while open.first().is_some_and(|first| first.2 <= now) {
            done.push(open.remove(0));
        }
        open.sort_by_key(|session| session.3[0]);
        match open.iter_mut().find(|session| session.0 == *key) {
            Some(session) => {
                session.2 = now + 10;
                session.3.push(n);
            }
            None => open.push((*key, now, now + 10, vec![n])),
        }
    }
    open.sort_by_key(|session| session.2);
    done.extend(open);
    done
}

proptest! {
    #[test]
    fn any_steps_make_the_sessions_of_the_model(
        steps in prop::collection::vec((0u64..15, prop::sample::select(vec!['a', 'b', 'c', 'd'])), 0..60)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let told = steps.clone();
        let got: Vec<_> = runtime.block_on(async move {
            let clicks = async_stream::stream! {
                for (n, (pause, key)) in (0..).zip(told) {
                    tokio::time::sleep(ms(pause)).await;
                    yield (key, n);
                }
            };
            sessions!(clicks).collect().await
        });
        prop_assert_eq!(got, model(&steps));
    }
}

#[test]
#[should_panic(expected = "the gap of a session by the clock must be a whole number of milliseconds")]
fn a_gap_of_nothing_is_refused() {
    let _ = Window::session_by_clock(ms(0), |n: &u64| *n);
}

#[test]
fn no_merge_of_states_is_asked_for() {
    // It compiles.
    let _ = Flow::from_iter([1])
        .window(Window::session_by_clock(ms(1), |n: &u64| *n))
        .reduce(Vec::new, Vec::push);
}
