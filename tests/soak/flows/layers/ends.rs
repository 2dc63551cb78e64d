//! Flows that are read, stopped, or made into stages, and go on as streams.

use super::{Dice, IntoItems, Layer, Start};
use crate::item::{Item, Items};
use futures::stream;
use futures::{FutureExt, SinkExt, StreamExt};
use gen_stage::prelude::*;
use gen_stage::stage::{Output, StageError, Upstream};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

pub(super) const LAYERS: &[(&str, Layer)] = &[
    ("collect", collect),
    ("for_each", for_each),
    ("forward", forward),
    ("start", start),
    ("stop_when", stop_when),
    ("through_stages", through_stages),
    ("into_stage", into_stage),
    ("from_stages", from_stages),
    ("stage_in_lane", stage_in_lane),
    ("polled_by_hand", polled_by_hand),
];

struct Pass;

impl ProducerConsumer for Pass {
    type Input = Item;
    type Item = Item;

    async fn handle_items(
        &mut self,
        items: Vec<Item>,
        _: &Upstream,
        out: &mut Output<Item>,
    ) -> Result<(), StageError> {
        out.emit(items);
        Ok(())
    }
}

fn collect(flow: Start, _: &mut Dice<'_>) -> Items {
    flow.collect::<Vec<Item>>().into_stream().flat_map(stream::iter).items()
}

fn for_each(flow: Start, _: &mut Dice<'_>) -> Items {
    let came = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&came);
    let all = async move {
        flow.for_each(move |each| keep.lock().unwrap().push(each)).await;
        std::mem::take(&mut *came.lock().unwrap())
    };
    all.into_stream().flat_map(stream::iter).items()
}

fn forward(flow: Start, _: &mut Dice<'_>) -> Items {
    let (sender, receiver) = futures::channel::mpsc::channel(3);
    let sender = sender.sink_map_err(|error| panic!("{error}"));
    // Read beside the end of what feeds it.
    let forwarding =
        flow.forward(sender).map(|sent: Result<(), std::convert::Infallible>| sent.expect("it is read"));
    stream::select(receiver.map(Some), forwarding.into_stream().map(|()| None))
        .filter_map(async |each| each)
        .items()
}

fn start(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.mixed();
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    let send = move |each: Item| {
        let sender = sender.clone();
        async move { sender.send(each).await.ok() }
    };
    let flow = flow.map_async(3, send);
    async move {
        let running = flow.start();
        let receiver = tokio_stream::wrappers::ReceiverStream::new(receiver);
        receiver.map(move |each| {
            let _ = &running;
            each
        })
    }
    .flatten_stream()
    .items()
}

fn stop_when(flow: Start, _: &mut Dice<'_>) -> Items {
    flow.stop_when(CancellationToken::new()).items()
}

fn through_stages(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.mixed();
    let stages: Vec<_> =
        (0..dice.random.between(1, 3)).map(|_| Pass.stage().stop_when_alone().spawn()).collect();
    flow.through_stages(stages).lanes(lanes).demand(max, min).items()
}

fn into_stage(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (max, min) = dice.demand();
    let stage = flow.into_stage();
    async move {
        let handle = stage.await.expect("it has no consumers that could refuse");
        let subscription = handle.subscribe().demand(max, min).await.expect("it is there");
        subscription.map(move |each| {
            let _ = &handle;
            each
        })
    }
    .flatten_stream()
    .items()
}

fn from_stages(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.crosses(lanes);
    let stage = gen_stage::stage::from_stream(flow).stage();
    async move { Flow::from_stages([stage.spawn()]).lanes(lanes).demand(max, min) }.flatten_stream().items()
}

fn stage_in_lane(flow: Start, _: &mut Dice<'_>) -> Items {
    flow.per_lane(|lane| Pass.through(lane)).items()
}

fn polled_by_hand(mut flow: Start, _: &mut Dice<'_>) -> Items {
    stream::poll_fn(move |cx| flow.poll_next_unpin(cx)).items()
}
