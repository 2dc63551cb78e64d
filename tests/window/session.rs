mod order;

use super::{Peak, ms, sent, so_far};
use crate::support::{Numbers, operator_suite, seven, sorted};
use gen_stage::Flow;
use gen_stage::window::{Session, Window};
use std::time::Duration;

operator_suite!(
    |flow: Numbers| flow
        .window(Window::session(ms(3), |n: &u64| n / 10 % 2, |n| *n))
        .reduce(Vec::new, Vec::push)
        .merge_states(Extend::extend),
    |items| items,
    |flow: Numbers| flow
        .window(Window::session(
            ms(3),
            |n: &u64| {
                seven(*n);
                0
            },
            |n| *n
        ))
        .reduce(Vec::new, Vec::push)
        .merge_states(Extend::extend),
);

type Told = (char, i64, i64, String, Vec<i64>);

/// What comes out of sessions 10 ms apart, of pairs of a key and a time, and how many were late.
async fn sessions<I>(lateness: Duration, clicks: I) -> (Vec<Told>, u64)
where
    I: IntoIterator<Item = (char, i64), IntoIter: Send + 'static>,
{
    let window = Window::session(ms(10), |click: &(char, i64)| click.0, |click| click.1);
    let mut flow = Flow::from_iter(clicks)
        .lanes(1)
        .window(window.allowed_lateness(lateness))
        .reduce(Vec::new, |list, (_, time)| list.push(time))
        .merge_states(Extend::extend)
        .on_trigger(|list, info| {
            let Session { key, start, end } = info.window;
            [(key, start, end, info.trigger.to_string(), sorted(list.iter().copied()))]
        });
    let got = futures::StreamExt::collect(&mut flow).await;
    (got, flow.late())
}

fn done(key: char, start: i64, end: i64, list: &[i64]) -> Told {
    (key, start, end, "done".to_string(), list.to_vec())
}

fn watermark(key: char, start: i64, end: i64, list: &[i64]) -> Told {
    (key, start, end, "watermark".to_string(), list.to_vec())
}

#[tokio::test]
async fn items_less_than_the_gap_apart_are_one_session() {
    let (got, late) = sessions(ms(0), [('a', 0), ('a', 9), ('a', 18)]).await;
    assert_eq!((got, late), (vec![done('a', 0, 28, &[0, 9, 18])], 0));
}

#[tokio::test]
async fn an_item_exactly_the_gap_behind_the_last_opens_a_session_of_its_own() {
    let (got, late) = sessions(ms(0), [('a', 0), ('a', 10), ('a', 19)]).await;
    assert_eq!((got, late), (vec![done('a', 0, 10, &[0]), done('a', 10, 29, &[10, 19])], 0));
    // Also in front of one.
    let (got, late) = sessions(ms(100), [('a', 10), ('a', 0)]).await;
    assert_eq!(late, 0);
    assert_eq!(got[got.len() - 2..], [done('a', 0, 10, &[0]), done('a', 10, 20, &[10])]);
}

#[tokio::test]
async fn an_item_between_two_sessions_makes_one_of_them() {
    let (got, late) = sessions(ms(100), [('a', 0), ('a', 16), ('a', 40), ('a', 8), ('a', 39)]).await;
    assert_eq!(late, 0);
    assert_eq!(
        got,
        [
            watermark('a', 0, 10, &[0]),
            watermark('a', 16, 26, &[16]),
            done('a', 0, 26, &[0, 8, 16]),
            done('a', 39, 50, &[39, 40]),
        ]
    );
}

#[tokio::test]
async fn an_item_that_touches_one_side_exactly_merges_nothing() {
    let (got, late) = sessions(ms(100), [('a', 0), ('a', 18), ('a', 8)]).await;
    assert_eq!(late, 0);
    assert_eq!(got, [watermark('a', 0, 10, &[0]), done('a', 0, 18, &[0, 8]), done('a', 18, 28, &[18])]);
}

#[tokio::test]
async fn a_late_item_extends_a_session_to_the_left() {
    // Without lateness: by itself it would be too late, and the session it belongs to is open.
    let (got, late) = sessions(ms(0), [('a', 95), ('a', 100), ('a', 86), ('a', 76)]).await;
    assert_eq!((got, late), (vec![done('a', 86, 110, &[86, 95, 100])], 1));
}

#[tokio::test]
async fn sessions_of_different_keys_have_nothing_to_do_with_each_other() {
    let (got, late) = sessions(ms(0), [('a', 0), ('b', 5), ('a', 8), ('b', 16), ('c', 40)]).await;
    assert_eq!(late, 0);
    assert_eq!(
        got,
        [
            done('b', 5, 15, &[5]),
            done('a', 0, 18, &[0, 8]),
            done('b', 16, 26, &[16]),
            done('c', 40, 50, &[40]),
        ]
    );
}

#[tokio::test]
async fn sessions_that_are_open_in_the_end_are_done_in_the_order_of_their_ends() {
    let (got, _) = sessions(ms(0), [('a', 0), ('b', 3), ('a', 9)]).await;
    assert_eq!(got, [done('b', 3, 13, &[3]), done('a', 0, 19, &[0, 9])]);
}

#[tokio::test]
async fn a_session_that_a_late_item_makes_longer_emits_at_its_new_end_again() {
    let (got, late) = sessions(ms(100), [('a', 0), ('b', 10), ('a', 9), ('b', 30)]).await;
    assert_eq!(late, 0);
    assert_eq!(
        got,
        [
            watermark('a', 0, 10, &[0]),
            watermark('a', 0, 19, &[0, 9]),
            watermark('b', 10, 20, &[10]),
            done('a', 0, 19, &[0, 9]),
            done('b', 10, 20, &[10]),
            done('b', 30, 40, &[30]),
        ]
    );
}

#[tokio::test]
async fn a_session_is_done_while_others_go_on() {
    let (sender, source) = sent();
    let mut sizes = Flow::from_streams([source])
        .lanes(1)
        .window(Window::session(ms(10), |click: &(char, i64)| click.0, |click| click.1))
        .reduce(|| 0, |size, _| *size += 1)
        .merge_states(|size, other| *size += other)
        .on_trigger(|size, info| [(info.window.key, *size)]);
    sender.unbounded_send(('a', 0)).unwrap();
    for time in 0..50 {
        sender.unbounded_send(('b', time)).unwrap();
    }
    assert_eq!(so_far(&mut sizes).await, [('a', 1)]);
    drop(sender);
    assert_eq!(so_far(&mut sizes).await, [('b', 50)]);
}

#[tokio::test]
async fn behind_a_partition_by_the_same_key_sessions_are_whole() {
    let clicks: Vec<(u64, i64)> =
        (0..600).map(|n| (n % 6, n as i64 / 6 % 20 + n as i64 / 120 * 100)).collect();
    let sizes = Flow::from_iter(clicks)
        .lanes(1)
        .partition_by(|click| click.0)
        .lanes(4)
        .window(Window::session(ms(10), |click: &(u64, i64)| click.0, |click| click.1))
        .reduce(|| 0, |size, _| *size += 1)
        .merge_states(|size, other| *size += other)
        .on_trigger(|size, info| [(info.window.key, info.window.start, *size)]);
    let expected: Vec<_> = (0..6).flat_map(|key| (0..5).map(move |n| (key, n * 100, 20))).collect();
    assert_eq!(sorted(sizes.collect::<Vec<(u64, i64, u32)>>().await), expected);
}

#[tokio::test]
async fn states_are_dropped_when_their_sessions_are_done() {
    let peak = Peak::default();
    let states = peak.clone();
    let clicks = (0..30_000i64).map(|n| (n / 3, n / 3 * 5 + n % 3));
    let sizes = Flow::from_iter(clicks)
        .lanes(1)
        .window(Window::session(ms(10), |click: &(i64, i64)| click.0, |click| click.1))
        .reduce(move || (states.state(), 0), |(_, size), _| *size += 1)
        .merge_states(|(_, size), (_, other)| *size += other)
        .on_trigger(|(_, size), _| [*size]);
    let sizes: Vec<u32> = sizes.collect().await;
    assert_eq!(sizes, [3; 10_000]);
    assert!(peak.peak() <= 4, "{} states were alive together", peak.peak());
}

#[tokio::test]
async fn times_at_the_ends_of_what_fits_are_in_sessions_of_their_own() {
    for lateness in [0, i64::MAX as u64 / 4] {
        let (got, late) = sessions(ms(lateness), [('a', i64::MIN), ('a', 0), ('a', i64::MAX)]).await;
        assert_eq!(late, 0);
        let lists: Vec<_> = got.into_iter().filter(|told| told.3 == "done").map(|told| told.4).collect();
        assert_eq!(lists, [[i64::MIN], [0], [i64::MAX]]);
    }
}

#[test]
#[should_panic(expected = "the gap of a session must be a whole number of milliseconds, from 1 to")]
fn sessions_without_a_gap_are_refused() {
    let _ = Window::session(ms(0), |_: &u64| 0, |n| *n);
}
