use crate::support::{Numbers, counting, operator_suite, seven};
use futures::FutureExt;
use gen_stage::Flow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

operator_suite!(
    |flow: Numbers| flow.reduce(BTreeSet::new, |set, n| _ = set.insert(n)),
    |items| items,
    |flow: Numbers| flow.reduce(Vec::new, |items, n| {
        seven(n);
        items.push(n);
    }),
);

mod states {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.lanes(1).reduce(|| 100, |sum, n| *sum += n).emit_state(),
        |items| vec![100 + items.iter().sum::<u64>()],
        |flow: Numbers| flow
            .reduce(
                || 0,
                |sum, n| {
                    seven(n);
                    *sum += n;
                }
            )
            .emit_state(),
    );
}

#[tokio::test]
async fn every_lane_has_a_state_also_without_items() {
    let states: Vec<u64> = counting(1).lanes(3).reduce(|| 5, |sum, n| *sum += n).emit_state().collect().await;
    assert_eq!(states, [5, 5, 5]);
}

/// A state whose items are those of an iterator.
struct Emitting<I>(I);

impl<I: Iterator> IntoIterator for Emitting<I> {
    type Item = I::Item;
    type IntoIter = I;

    fn into_iter(self) -> I {
        self.0
    }
}

#[tokio::test]
async fn the_items_of_a_large_state_are_emitted_only_as_they_are_read() {
    use futures::StreamExt;
    let emitted = Arc::new(AtomicUsize::new(0));
    let counts = emitted.clone();
    let mut flow = Flow::from_iter(0..1u64).lanes(1).demand(10, 5).reduce(
        move || {
            let counts = counts.clone();
            Emitting((0..100_000u64).inspect(move |_| _ = counts.fetch_add(1, Ordering::SeqCst)))
        },
        |_, _| (),
    );
    assert_eq!(flow.next().await, Some(0));
    crate::support::settle().await;
    assert!(emitted.load(Ordering::SeqCst) <= 10);
}

#[tokio::test]
async fn a_layer_behind_a_reduce_takes_what_it_emits() {
    let sums: Vec<u64> = counting(100)
        .lanes(4)
        .reduce(|| 0, |sum, n| *sum += n)
        .emit_state()
        .shuffle()
        .lanes(1)
        .map(|sum| sum * 2)
        .reduce(|| 0, |all, sum| *all += sum)
        .emit_state()
        .collect()
        .await;
    assert_eq!(sums, [2 * 4950]);
}

#[tokio::test]
async fn no_state_comes_out_of_any_lane_when_one_panics() {
    // Lane 0 panics when the others have long reduced everything and wait.
    let flow = Flow::from_iters([vec![1u64, 7], vec![2], vec![3]]).lanes(3).reduce(Vec::new, |items, n| {
        seven(n);
        items.push(n);
    });
    let got = Arc::new(AtomicUsize::new(0));
    let counts = got.clone();
    let reading = futures::StreamExt::for_each(flow, move |_| {
        counts.fetch_add(1, Ordering::SeqCst);
        async {}
    });
    assert!(std::panic::AssertUnwindSafe(reading).catch_unwind().await.is_err());
    assert!(got.load(Ordering::SeqCst) <= 2, "the states of lanes that had ended may be out, no others");
}
