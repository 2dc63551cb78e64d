//! A panic in any closure of a window reaches who reads, and nothing looks like an end.

use super::{ms, then_silence};
use crate::support::{Watched, numbers, seven};
use futures::{FutureExt, Stream, StreamExt};
use gen_stage::Flow;
use gen_stage::window::{OpenWindows, Single, Slot, Window, Windowing};
use std::panic::AssertUnwindSafe;

/// What is to panic with "seven", and the source that it reads.
macro_rules! panics {
    ($name:ident, $flow:ident => $build:expr) => {
        #[tokio::test]
        async fn $name() {
            for lanes in [1, 3] {
                let watched = Watched::new();
                let $flow = numbers(watched.endless().take(5000)).lanes(lanes);
                reaches_the_reader($build).await;
                assert!(!watched.is_alive(), "all lanes are gone by then");
            }
        }
    };
}

async fn reaches_the_reader<T>(flow: impl Stream<Item = T>) {
    let reading = flow.for_each(|_| async {});
    let payload =
        AssertUnwindSafe(reading).catch_unwind().await.expect_err("the panic is raised in the reader");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"seven"));
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "a window is given a reference")]
fn of_ten(n: &u64) -> u64 {
    *n
}

panics!(a_panic_in_a_time_reaches_the_reader, flow => flow
    .window(Window::sliding(ms(10), ms(5), |n: &u64| {
        seven(*n);
        *n
    }))
    .reduce(Vec::new, Vec::push));

panics!(a_panic_in_a_key_reaches_the_reader, flow => flow
    .window(Window::session(ms(10), |n: &u64| seven(*n), of_ten))
    .reduce(Vec::new, Vec::push)
    .merge_states(Extend::extend));

panics!(a_panic_in_an_init_reaches_the_reader, flow => flow
    .window(Window::fixed(ms(10), of_ten))
    .reduce(|| seven(7), |(), _| ())
    .emit_state());

panics!(a_panic_in_a_reduce_reaches_the_reader, flow => flow
    .window(Window::fixed(ms(10), of_ten))
    .reduce(|| (), |(), n| seven(n))
    .emit_state());

panics!(a_panic_in_an_emit_and_reduce_reaches_the_reader, flow => flow
    .window(Window::fixed(ms(10), of_ten))
    .emit_and_reduce(|| (), |(), n| {
        seven(n);
        [n]
    })
    .emit_nothing());

panics!(a_panic_in_an_on_trigger_in_the_middle_reaches_the_reader, flow => flow
.window(Window::fixed(ms(10), of_ten).every(2))
.reduce(|| (), |(), _| ())
.on_trigger(|(), info| {
    if !info.is_done() {
        seven(7);
    }
    [0]
}));

panics!(a_panic_in_an_on_trigger_at_the_end_of_input_reaches_the_reader, flow => flow
.window(Window::global())
.reduce(|| (), |(), _| ())
.on_trigger(|(), _| {
    seven(7);
    [0]
}));

panics!(a_panic_in_the_items_of_a_state_reaches_the_reader, flow => flow
    .window(Window::count(10))
    .reduce(|| (), |(), _| ())
    .on_trigger(|(), _| (0..10).inspect(|n| seven(*n))));

panics!(a_panic_in_an_operator_behind_the_window_reaches_the_reader, flow => flow
    .window(Window::count(10))
    .map(|n| {
        seven(n);
        n
    })
    .reduce(Vec::new, Vec::push));

panics!(a_panic_in_what_a_custom_trigger_keeps_reaches_the_reader, flow => flow
    .window(Window::global().trigger(|| seven(7), |(), n: u64, acts| acts.reduce(n)))
    .reduce(Vec::new, Vec::push));

panics!(a_panic_in_a_custom_trigger_reaches_the_reader, flow => flow
    .window(Window::global().trigger(|| (), |(), n: u64, acts| {
        seven(n);
        acts.reduce(n);
    }))
    .reduce(Vec::new, Vec::push));

#[tokio::test]
async fn a_panic_in_a_merge_reaches_the_reader() {
    let flow = Flow::from_iter([0u64, 16, 8])
        .lanes(1)
        .window(Window::session(ms(10), |_: &u64| (), of_ten).allowed_lateness(ms(100)))
        .reduce(Vec::new, Vec::push)
        .merge_states(|_, _| seven(7));
    reaches_the_reader(flow).await;
}

/// Panics where it is told to.
#[derive(Clone)]
struct Faulty(&'static str, Option<Slot>);

impl Faulty {
    fn at(&self, place: &str) {
        if self.0 == place {
            seven(7);
        }
    }
}

impl Windowing<u64> for Faulty {
    type Id = ();
    type Places = Single;

    fn start(&mut self, windows: &mut OpenWindows<()>) {
        self.at("start");
        self.1 = Some(windows.open((), 0));
    }

    fn place(&mut self, _: &u64, _: &mut OpenWindows<()>) -> Option<Single> {
        self.at("place");
        self.1.map(Single::new)
    }

    fn close_next(&mut self, _: &mut OpenWindows<()>) -> bool {
        self.at("close_next");
        false
    }

    fn finish_next(&mut self, windows: &mut OpenWindows<()>) -> bool {
        self.at("finish_next");
        self.1.take().map(|slot| windows.close(slot)).is_some()
    }
}

#[tokio::test]
async fn a_panic_in_a_windowing_reaches_the_reader() {
    for place in ["start", "place", "close_next", "finish_next"] {
        let flow = Flow::from_iter(0..10u64).lanes(2).window(Window::custom(Faulty(place, None)));
        reaches_the_reader(flow.reduce(Vec::new, Vec::push)).await;
    }
}

#[tokio::test]
async fn closing_a_window_that_is_not_open_is_a_panic_that_reaches_the_reader() {
    #[derive(Clone)]
    struct Twice;
    impl Windowing<u64> for Twice {
        type Id = ();
        type Places = Single;

        fn place(&mut self, _: &u64, windows: &mut OpenWindows<()>) -> Option<Single> {
            let slot = windows.open((), 0);
            windows.close(slot);
            windows.close(slot);
            None
        }

        fn close_next(&mut self, _: &mut OpenWindows<()>) -> bool {
            false
        }

        fn finish_next(&mut self, _: &mut OpenWindows<()>) -> bool {
            false
        }
    }
    let flow = Flow::from_iter(0..10u64).lanes(1).window(Window::custom(Twice)).reduce(Vec::new, Vec::push);
    let payload = AssertUnwindSafe(flow.collect::<Vec<u64>>()).catch_unwind().await.unwrap_err();
    let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref().copied());
    assert!(text.unwrap().starts_with("no window is open in this slot: it was closed"), "{text:?}");
}

#[tokio::test]
async fn nothing_comes_out_as_if_windows_were_done_when_another_lane_panics() {
    let flow = Flow::from_streams([then_silence([1u64, 2]), then_silence([7])])
        .lanes(2)
        .window(Window::fixed(ms(10), of_ten))
        .map(|n| {
            seven(n);
            n
        })
        .reduce(Vec::new, Vec::push)
        .emit_state();
    reaches_the_reader(StreamExt::inspect(flow, |list: &Vec<u64>| panic!("{list:?} came out"))).await;
}

#[tokio::test]
async fn a_panic_in_a_list_that_crossed_reaches_the_reader() {
    for in_time in [true, false] {
        let watched = Watched::new();
        let flow = numbers(watched.endless().take(5000)).lanes(2).partition();
        let window = Window::fixed(ms(10), move |n: &u64| {
            if in_time {
                seven(*n);
            }
            *n
        });
        reaches_the_reader(flow.window(window).reduce(|| (), |(), n| seven(n)).emit_state()).await;
        assert!(!watched.is_alive(), "all lanes are gone by then: {in_time}");
    }
}
