//! Batches that are read by reference.

use futures::StreamExt;
use gen_stage::dispatch::{Broadcast, Selector};
use gen_stage::prelude::*;
use gen_stage::stage::{ProducerHandle, Reason, Subscription, from_iter};
use std::sync::Arc;

/// Items of which each tells how many there are of it.
fn items(count: usize) -> Vec<Arc<usize>> {
    (0..count).map(Arc::new).collect()
}

fn copies(items: &[Arc<usize>]) -> Vec<usize> {
    items.iter().map(|item| Arc::strong_count(item) - 1).collect()
}

/// Three readers of all of `items`, which are asked for `max` at a time, in batches of `batch`.
async fn readers(
    items: &[Arc<usize>],
    max: usize,
    batch: usize,
) -> (ProducerHandle<Arc<usize>, Selector<Arc<usize>>>, [Subscription<Arc<usize>>; 3]) {
    let source = from_iter(items.to_vec()).stage().dispatcher(Broadcast::new()).accumulate().spawn();
    let open = || source.subscribe().demand(max, max - batch);
    let readers = [open().await.unwrap(), open().await.unwrap(), open().await.unwrap()];
    source.forward();
    (source, readers)
}

#[tokio::test]
async fn what_all_read_by_reference_is_there_once() {
    let items = items(4);
    let (_source, [mut one, mut two, mut three]) = readers(&items, 4, 4).await;
    let (one, two, three) = futures::join!(one.next_shared(), two.next_shared(), three.next_shared());
    let batches = [one, two, three].map(|batch| batch.expect("four items came"));
    assert_eq!(copies(&items), [1; 4]);
    assert!(batches.iter().all(|batch| **batch == *items));
    let [one, two, three] = batches;
    assert_eq!(one.into_vec(), items, "one has copies, which are dropped again");
    drop(two);
    let at = three.as_ptr();
    let own = three.into_vec();
    assert_eq!((own.as_ptr(), &own), (at, &items), "the last takes them as they are");
}

#[tokio::test]
async fn a_reader_that_wants_its_own_items_gets_copies_beside_those_that_do_not() {
    let items = items(3);
    let (_source, [mut one, mut two, mut three]) = readers(&items, 3, 3).await;
    let (own, shared, gone) = futures::join!(one.next_batch(), two.next_shared(), three.next_shared());
    drop(gone);
    assert_eq!(own.as_ref(), Some(&items));
    assert_eq!(shared.unwrap().as_ref(), items);
    drop(own);
    assert_eq!(copies(&items), [0; 3]);
}

#[tokio::test]
async fn a_long_batch_comes_in_pieces_that_share_it_and_what_is_left_is_counted() {
    let items = items(6);
    let (source, [mut one, mut two, mut three]) = readers(&items, 6, 2).await;
    let (first, second, third) = futures::join!(one.next_shared(), two.next_batch(), three.next());
    assert_eq!((first.as_deref(), second.as_deref()), (Some(&items[..2]), Some(&items[..2])));
    assert_eq!(third.as_ref(), Some(&items[0]));
    assert_eq!(three.next_shared().await.as_deref(), Some(&items[1..2]), "the rest of the batch begun");
    assert_eq!(one.next_shared().await.as_deref(), Some(&items[2..4]));
    drop((one, two, three, first, second, third));
    source.shutdown().await;
    let counts = source.counts();
    assert_eq!((counts.sent, counts.taken, counts.undelivered), (18, 4 + 2 + 2, 2 + 4 + 4));
    assert_eq!(copies(&items), [0; 6]);
}

#[tokio::test]
async fn a_failure_is_the_last_thing_read() {
    let numbers = from_iter(0..).stage().spawn();
    let mut read = numbers.subscribe().demand(2, 0).await.unwrap().fallible();
    assert_eq!(read.next_shared().await.unwrap().unwrap().as_ref(), [0, 1]);
    numbers.stop(Reason::failed("no more")).await;
    let last = read.next_shared().await.unwrap().unwrap_err();
    assert_eq!(last, Reason::failed("no more"));
    assert!(read.next_shared().await.is_none());
}
