use crate::start::then_silent;
use crate::support::{Watched, numbers, settle, sorted};
use futures::{FutureExt, StreamExt};
use gen_stage::Flow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_flow_read_as_a_stream_ends_by_its_token() {
    for lanes in [1, 2, 4] {
        let (watched, token) = (Watched::new(), CancellationToken::new());
        let mut flow = numbers(watched.endless()).lanes(lanes).stop_when(token.clone()).map(|n| n + 1);
        let mut out = Vec::new();
        for _ in 0..2000 {
            out.extend(flow.next().await);
        }
        token.cancel();
        let rest: Vec<_> = flow.by_ref().collect().await;
        out.extend(rest);
        assert!(sorted(out).into_iter().eq(1..=watched.taken() as u64), "{lanes} lanes");
        assert!(!watched.is_alive() && flow.discarded() == 0);
    }
}

#[tokio::test]
async fn a_token_ends_a_flow_that_waits_and_one_that_has_not_begun() {
    let token = CancellationToken::new();
    let flow = |lanes| numbers(then_silent(3)).lanes(lanes).stop_when(token.clone());
    let mut reading = tokio_test::task::spawn(flow(2).collect::<Vec<_>>());
    assert!(reading.poll().is_pending());
    settle().await;
    assert!(reading.poll().is_pending());
    token.cancel();
    settle().await;
    assert!(reading.is_woken());
    assert_eq!(sorted(reading.await), [0, 1, 2]);
    for lanes in [1, 2] {
        assert_eq!(flow(lanes).collect::<Vec<_>>().await, [0; 0], "nothing is taken any more");
    }
}

#[tokio::test]
async fn a_token_ends_iterators_and_adapters_on_sources_too() {
    let token = CancellationToken::new();
    let seen = Arc::new(AtomicUsize::new(0));
    let (counts, stop) = (seen.clone(), token.clone());
    let flow = Flow::from_iters([0u64.., 0..]).lanes(2).stop_when(token).per_lane(move |lane| {
        let (counts, stop) = (counts.clone(), stop.clone());
        lane.map(move |n| {
            if counts.fetch_add(1, Ordering::SeqCst) == 700 {
                stop.cancel();
            }
            n
        })
    });
    let got = flow.collect::<Vec<_>>().await.len();
    assert_eq!(got, seen.load(Ordering::SeqCst), "what was taken came out");
    assert!((701..=702).contains(&got), "one more each at most, item by item: {got}");
}

#[tokio::test]
async fn any_of_several_tokens_ends_a_flow_and_only_the_sources_above() {
    for at in 0..2 {
        let tokens = [CancellationToken::new(), CancellationToken::new()];
        let flow = numbers(then_silent(3))
            .lanes(1)
            .stop_when(tokens[0].clone())
            .partition()
            .lanes(1)
            .stop_when(tokens[1].clone());
        let mut reading = tokio_test::task::spawn(flow.collect::<Vec<_>>());
        assert!(reading.poll().is_pending());
        settle().await;
        tokens[at].cancel();
        assert_eq!(reading.await, [0, 1, 2]);
    }
}

#[tokio::test]
async fn an_empty_gate_changes_nothing() {
    let mut flow = Flow::from_iter(0..100u64).lanes(1).stop_when(CancellationToken::new());
    assert_eq!(futures::Stream::size_hint(&flow), (0, Some(100)), "it may end before");
    assert_eq!(flow.by_ref().collect::<Vec<_>>().await.len(), 100);
    assert_eq!(flow.next().now_or_never(), Some(None));
}
