//! What holds for every public type.

use futures::stream;
use gen_stage::dispatch::{ByHash, ByKey, ByKeyRef, ByRouter};
use gen_stage::edge::{Counts, Receiver, Sender};
use gen_stage::flow::{Combiner, Shuffle, Source, SourceLane};
use gen_stage::lane::{Foreign, Inlet, Iter};
use gen_stage::prelude::*;
use gen_stage::{Demand, DemandError};
use std::cell::Cell;
use std::fmt::Debug;

fn send<T: Send>() {}
fn sync<T: Sync>() {}
fn unpin<T: Unpin>() {}

/// May be sent, and not shared.
type Unshared = Cell<u64>;
type Range = std::ops::Range<u64>;

#[test]
fn values_can_be_sent_and_never_need_to_be_shared() {
    send::<Flow<Source<Iter<Range>>>>();
    send::<Flow<Source<Foreign<stream::Iter<std::vec::IntoIter<Unshared>>>>>>();
    send::<Sender<Unshared>>();
    send::<Receiver<Unshared>>();
    send::<Inlet<Unshared>>();
    send::<SourceLane<Iter<Range>>>();
    send::<Combiner<String, Unshared>>();
    sync::<Sender<Unshared>>();
    sync::<Demand>();
    sync::<DemandError>();
    sync::<Counts>();
}

#[test]
fn a_flow_can_be_moved_while_it_runs() {
    unpin::<Flow<Source<Foreign<stream::BoxStream<'static, u64>>>>>();
    unpin::<Receiver<std::marker::PhantomPinned>>();
    unpin::<Inlet<std::marker::PhantomPinned>>();
}

#[test]
fn debug_shows_the_right_name_and_no_closure() {
    let shown: Vec<(&str, Box<dyn Debug>)> = vec![
        ("Demand", Box::new(Demand::default())),
        ("ByHash", Box::new(ByHash)),
        ("ByKey", Box::new(ByKey::new(|n: &u64| *n))),
        ("ByKeyRef", Box::new(ByKeyRef::new(|n: &u64| n))),
        ("ByRouter", Box::new(ByRouter::new(|_: &u64| None))),
        ("Shuffle", Box::new(Shuffle)),
        ("Sender", Box::new(gen_stage::edge::edge::<u64>(Demand::default()).0)),
        ("Receiver", Box::new(gen_stage::edge::edge::<u64>(Demand::default()).1)),
        ("Iter", Box::new(Iter::new(0..3, 1))),
        ("Foreign", Box::new(Foreign::new(stream::iter(0..3), 1))),
        ("Flow", Box::new(Flow::from_iter(0..3).map(|n| n).partition())),
    ];
    for (name, value) in shown {
        let debug = format!("{value:?}");
        assert!(debug.starts_with(name), "{name}: {debug}");
    }
}

#[tokio::test]
async fn debug_of_a_flow_tells_its_state() {
    let mut flow = Flow::from_iter(0..3).lanes(1);
    assert!(format!("{flow:?}").contains("planned"));
    futures::StreamExt::next(&mut flow).await;
    assert!(format!("{flow:?}").contains("running"));
    while futures::StreamExt::next(&mut flow).await.is_some() {}
    assert!(format!("{flow:?}").contains("done"));
}
