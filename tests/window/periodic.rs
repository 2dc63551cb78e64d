use super::{ms, pass, sent, so_far};
use crate::support::{Numbers, numbers, operator_suite, seven};
use gen_stage::window::Window;

operator_suite!(
    |flow: Numbers| flow.window(Window::periodic(ms(3_600_000))).reduce(Vec::new, Vec::push),
    |items| items,
    |flow: Numbers| flow.window(Window::periodic(ms(3_600_000))).reduce(Vec::new, |items, n| {
        seven(n);
        items.push(n);
    }),
);

#[tokio::test(start_paused = true)]
async fn an_item_is_in_the_window_that_is_open_when_it_comes() {
    let (sender, source) = sent();
    let mut lists = numbers(source)
        .lanes(1)
        .window(Window::periodic(ms(100)))
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [(info.window, list.clone())]);
    assert_eq!(so_far(&mut lists).await, []);
    sender.unbounded_send(1).unwrap();
    pass(ms(90)).await;
    sender.unbounded_send(2).unwrap();
    assert_eq!(so_far(&mut lists).await, []);
    pass(ms(20)).await;
    assert_eq!(so_far(&mut lists).await, [(0, vec![1, 2])]);
    sender.unbounded_send(3).unwrap();
    pass(ms(100)).await;
    assert_eq!(so_far(&mut lists).await, [(1, vec![3])]);
    pass(ms(100)).await;
    assert_eq!(so_far(&mut lists).await, [(2, vec![])]);
    sender.unbounded_send(4).unwrap();
    drop(sender);
    assert_eq!(so_far(&mut lists).await, [(3, vec![4])], "the last is done with the input");
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_was_held_up_has_no_row_of_windows_to_make_up_for() {
    let (sender, source) = sent();
    let mut lists = numbers(source)
        .lanes(1)
        .demand(1, 0)
        .window(Window::periodic(ms(10)))
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [(info.window, list.clone())]);
    sender.unbounded_send(1).unwrap();
    assert_eq!(so_far(&mut lists).await, []);
    // Nobody reads for a hundred windows.
    pass(ms(1000)).await;
    sender.unbounded_send(2).unwrap();
    let read = so_far(&mut lists).await;
    assert!(read.len() <= 4, "{read:?}");
    assert_eq!(read[0], (0, vec![1]));
    drop(sender);
    let items: Vec<_> = read.into_iter().chain(so_far(&mut lists).await).flat_map(|(_, list)| list).collect();
    assert_eq!(items, [1, 2]);
}

#[test]
fn a_lane_without_a_timer_says_so() {
    use futures::FutureExt;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let flow = numbers(super::then_silence([1])).window(Window::periodic(ms(10))).reduce(Vec::new, Vec::push);
    let reading = std::panic::AssertUnwindSafe(flow.collect::<Vec<u64>>()).catch_unwind();
    let payload = runtime.block_on(reading).unwrap_err();
    let text = payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_string()));
    assert!(text.unwrap().contains("timers are disabled"));
}
