use super::{done, ms, pass, sent, so_far, then_silence, told};
use crate::support::settle;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use gen_stage::Flow;
use gen_stage::window::Window;

/// Lists of windows of a second, of upstreams that are idle after 10 s; within one lane or in front of it.
macro_rules! idle {
    ($sources:expr, $across:expr) => {{
        let sources: Vec<BoxStream<'static, i64>> = $sources.into_iter().collect();
        let lanes = sources.len();
        let window = Window::fixed(ms(1000), |time: &i64| *time).idle_after(ms(10_000));
        let flow = Flow::from_streams(sources);
        if $across {
            let flow = flow.lanes(lanes).partition_with(1, |_| Some(0)).window(window);
            flow.reduce(Vec::new, Vec::push).on_trigger(|list, info| [told(info, list.clone())]).boxed()
        } else {
            let flow = flow.lanes(1).window(window);
            flow.reduce(Vec::new, Vec::push).on_trigger(|list, info| [told(info, list.clone())]).boxed()
        }
    }};
}

#[tokio::test(start_paused = true)]
async fn an_idle_upstream_holds_nothing_until_it_sends_again() {
    for across in [false, true] {
        let ((a, first), (b, second)) = (sent(), sent());
        let mut lists = idle!([first, second], across);
        assert_eq!(so_far(&mut lists).await, []);
        // Nothing comes from b, and from a something every 6 s.
        for time in [0, 1500] {
            a.unbounded_send(time).unwrap();
            pass(ms(6000)).await;
        }
        assert_eq!(so_far(&mut lists).await, [done(0, vec![0])], "b is idle: {across}");
        // What b sends now is late, or holds the watermark again.
        b.unbounded_send(200).unwrap();
        b.unbounded_send(1600).unwrap();
        settle().await;
        a.unbounded_send(5000).unwrap();
        assert_eq!(so_far(&mut lists).await, [], "{across}");
        b.unbounded_send(2000).unwrap();
        assert_eq!(so_far(&mut lists).await, [done(1000, vec![1500, 1600])], "{across}");
        drop((a, b));
        assert_eq!(so_far(&mut lists).await, [done(2000, vec![2000]), done(5000, vec![5000])], "{across}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_was_ahead_of_an_idle_one_closes_windows_from_then_on() {
    for across in [false, true] {
        let ((a, first), (b, second)) = (sent(), sent());
        let window = Window::fixed(ms(1000), |time: &i64| *time);
        let window = window.idle_after(ms(10_000)).allowed_lateness(ms(300));
        let sources: [BoxStream<'static, i64>; 2] = [first, second];
        let flow = Flow::from_streams(sources);
        let mut lists = if across {
            let flow = flow.lanes(2).partition_with(1, |_| Some(0)).window(window);
            flow.reduce(Vec::new, Vec::push).on_trigger(|list, info| [told(info, list.clone())]).boxed()
        } else {
            let flow = flow.lanes(1).window(window);
            flow.reduce(Vec::new, Vec::push).on_trigger(|list, info| [told(info, list.clone())]).boxed()
        };
        a.unbounded_send(100).unwrap();
        a.unbounded_send(1200).unwrap();
        assert_eq!(so_far(&mut lists).await, []);
        b.unbounded_send(1050).unwrap();
        assert_eq!(so_far(&mut lists).await, [(0, "watermark".to_owned(), vec![100])]);
        for time in [1210, 1220, 1230] {
            a.unbounded_send(time).unwrap();
            assert_eq!(so_far(&mut lists).await, [], "{across}");
            pass(ms(6000)).await;
        }
        a.unbounded_send(1310).unwrap();
        assert_eq!(so_far(&mut lists).await, [done(0, vec![100])], "b is idle: {across}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_whose_items_all_go_into_one_window_is_not_idle() {
    for across in [false, true] {
        let (a, first) = sent();
        let mut lists = idle!([first], across);
        assert_eq!(so_far(&mut lists).await, []);
        for time in 0..5 {
            a.unbounded_send(time).unwrap();
            pass(ms(6000)).await;
            assert_eq!(so_far(&mut lists).await, [], "{across}");
        }
        drop(a);
        assert_eq!(so_far(&mut lists).await, [done(0, vec![0, 1, 2, 3, 4])], "{across}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_all_upstreams_are_idle_every_open_window_is_done() {
    for across in [false, true] {
        let ((a, first), (b, second)) = (sent(), sent());
        let mut lists = idle!([first, second], across);
        a.unbounded_send(300).unwrap();
        b.unbounded_send(5000).unwrap();
        assert_eq!(so_far(&mut lists).await, []);
        pass(ms(9000)).await;
        assert_eq!(so_far(&mut lists).await, [], "{across}");
        pass(ms(2000)).await;
        assert_eq!(so_far(&mut lists).await, [done(0, vec![300]), done(5000, vec![5000])], "{across}");
        // These windows do not come back; later ones are as ever.
        a.unbounded_send(5001).unwrap();
        a.unbounded_send(6000).unwrap();
        assert_eq!(so_far(&mut lists).await, [], "{across}");
        pass(ms(11_000)).await;
        assert_eq!(so_far(&mut lists).await, [done(6000, vec![6000])], "{across}");
        b.unbounded_send(7000).unwrap();
        drop((a, b));
        assert_eq!(so_far(&mut lists).await, [done(7000, vec![7000])], "{across}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_last_upstream_that_is_not_idle_ends_every_open_window_is_done() {
    for across in [false, true] {
        let (a, first) = sent();
        let mut lists = idle!([then_silence([2500]), first], across);
        assert_eq!(so_far(&mut lists).await, []);
        for time in [0, 1500] {
            a.unbounded_send(time).unwrap();
            pass(ms(6000)).await;
        }
        assert_eq!(so_far(&mut lists).await, [done(0, vec![0])], "{across}");
        drop(a);
        let expected = [done(1000, vec![1500]), done(2000, vec![2500])];
        assert_eq!(so_far(&mut lists).await, expected, "{across}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_has_ended_is_not_waited_for() {
    for across in [false, true] {
        let mut lists = idle!([then_silence([0, 1500]), stream::iter([200]).boxed()], across);
        assert_eq!(so_far(&mut lists).await, [done(0, vec![0, 200])], "{across}");
        pass(ms(11_000)).await;
        assert_eq!(so_far(&mut lists).await, [done(1000, vec![1500])], "{across}");
    }
}

#[tokio::test(start_paused = true)]
async fn items_that_wait_for_a_slow_reader_do_not_make_their_upstream_idle() {
    let sources = [
        stream::iter(vec![5000i64, 7000]).boxed(),
        stream::empty().boxed(),
        stream::iter(vec![1500i64, 1600]).boxed(),
    ];
    let mut items = Flow::from_streams(sources)
        .lanes(1)
        .demand(1, 0)
        .window(Window::fixed(ms(1000), |time: &i64| *time).idle_after(ms(10_000)))
        .emit_and_reduce(|| (), |(), time| [time])
        .emit_nothing();
    let mut got = vec![items.next().await.unwrap()];
    // Nobody reads for an hour, and what is there waits.
    pass(ms(3_600_000)).await;
    got.extend(items.by_ref().collect::<Vec<i64>>().await);
    got.sort_unstable();
    assert_eq!((got, items.late()), (vec![1500, 1600, 5000, 7000], 0));
}

#[tokio::test(start_paused = true)]
async fn sessions_of_idle_upstreams_are_done() {
    let (sender, source) = sent();
    let mut sizes = Flow::from_streams([source])
        .lanes(1)
        .window(Window::session(ms(1000), |_: &i64| (), |time| *time).idle_after(ms(10_000)))
        .reduce(|| 0, |size, _| *size += 1)
        .merge_states(|size, other| *size += other)
        .on_trigger(|size, info| [(info.window.start, info.window.end, *size)]);
    for time in [0, 999] {
        sender.unbounded_send(time).unwrap();
    }
    assert_eq!(so_far(&mut sizes).await, []);
    pass(ms(11_000)).await;
    assert_eq!(so_far(&mut sizes).await, [(0, 1999, 2)]);
    // Behind what is done: late. Across its end: a session of its own.
    for time in [900, 1500] {
        sender.unbounded_send(time).unwrap();
    }
    drop(sender);
    assert_eq!(so_far(&mut sizes).await, [(1500, 2500, 1)]);
    assert_eq!(sizes.late(), 1);
}

#[tokio::test(start_paused = true)]
async fn windows_within_their_lateness_are_done_when_all_is_idle() {
    let (sender, source) = sent();
    let window = Window::sliding(ms(1000), ms(500), |time: &i64| *time)
        .allowed_lateness(ms(60_000))
        .idle_after(ms(10_000));
    let mut lists = Flow::from_streams([source])
        .lanes(1)
        .window(window)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [told(info, list.clone())]);
    for time in [600, 1600] {
        sender.unbounded_send(time).unwrap();
    }
    let watermark = super::watermark;
    assert_eq!(so_far(&mut lists).await, [watermark(0, vec![600]), watermark(500, vec![600])]);
    pass(ms(11_000)).await;
    let expected = [done(0, vec![600]), done(500, vec![600]), done(1000, vec![1600]), done(1500, vec![1600])];
    assert_eq!(so_far(&mut lists).await, expected);
    drop(sender);
    assert_eq!(so_far(&mut lists).await, []);
}

#[test]
#[should_panic(expected = "the time after which an upstream is idle must be longer than 0 ns, given 0ns")]
fn an_upstream_that_is_idle_at_once_is_refused() {
    let _ = Window::fixed(ms(1000), |time: &i64| *time).idle_after(ms(0));
}
