use crate::support::{finisher_suite, sorted};
use futures::stream::FusedStream;
use futures::{Stream, StreamExt};
use gen_stage::prelude::*;

finisher_suite!(
    u64,
    |flow, _| async { sorted(flow.into_stream().collect::<Vec<_>>().await) },
    |items| items,
    of_a_flow_that_was_begun_it_takes_the_rest,
);

#[tokio::test(start_paused = true)]
async fn a_dropped_stream_counts_what_is_left_of_its_batch_as_discarded() {
    let mut flow = Flow::from_iter(0..10).lanes(1).demand(10, 0);
    let monitor = flow.monitor();
    let mut stream = flow.into_stream();
    assert_eq!(stream.next().await, Some(0));
    let unread = stream.size_hint();
    assert_eq!(unread, (9, Some(9)));
    drop(stream);
    assert_eq!(monitor.discarded(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_stream_says_how_much_is_left_item_by_item() {
    let mut stream = Flow::from_iter(0..1000).lanes(1).map(|n| n * 2).into_stream();
    for n in 0..1000 {
        assert_eq!(stream.size_hint(), (1000 - n, Some(1000 - n)));
        assert!(!stream.is_terminated());
        assert_eq!(stream.next().await, Some(n * 2));
    }
    assert_eq!(stream.next().await, None);
    assert!(stream.is_terminated());
    assert_eq!((stream.next().await, stream.size_hint()), (None, (0, Some(0))));
}
