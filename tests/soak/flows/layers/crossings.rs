//! What goes from lane to lane.

use super::{Dice, IntoItems, Layer, Start};
use crate::item::{Item, Items, item};
use gen_stage::Flow;

pub(super) const LAYERS: &[(&str, Layer)] = &[
    ("shuffle", shuffle),
    ("partition", partition),
    ("partition_by", partition_by),
    ("partition_by_ref", partition_by_ref),
    ("partition_with", partition_with),
    ("partition_of_the_source", partition_of_the_source),
    ("conflate", conflate),
    ("keep_newest", keep_newest),
    ("uniq", uniq),
    ("merge", merge),
    ("merge_with_nothing", merge_with_nothing),
    ("zip", zip),
];

fn shuffle(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.crosses(lanes);
    flow.shuffle().lanes(lanes).demand(max, min).items()
}

fn conflate(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.crosses(lanes);
    flow.map(|each| vec![each])
        .conflate(Extend::extend)
        .lanes(lanes)
        .demand(max, min)
        .flat_map(|piece| piece)
        .items()
}

/// With room for all: which are dropped otherwise is not known beforehand.
fn keep_newest(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.crosses(lanes);
    flow.keep_newest(usize::MAX).lanes(lanes).demand(max, min).items()
}

fn partition(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.crosses(lanes);
    flow.partition().hash_seed(lanes as u64).lanes(lanes).demand(max, min).items()
}

fn partition_by(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.crosses(lanes);
    flow.partition_by(|each| each.n % 7).lanes(lanes).demand(max, min).filter(|_| true).items()
}

fn partition_by_ref(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.crosses(lanes);
    flow.partition_by_ref(|each| &each.n).lanes(lanes).demand(max, min).items()
}

fn partition_with(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.filter(|n| n % 5 != 0);
    dice.model.crosses(lanes);
    flow.partition_with(lanes, move |each: &Item| (each.n % 5 != 0).then_some(each.n as usize % lanes))
        .demand(max, min)
        .items()
}

/// No layer is between the source and the partition: each number comes in the order of the source.
fn partition_of_the_source(flow: Start, dice: &mut Dice<'_>) -> Items {
    let lanes = dice.some();
    dice.model.mixed();
    dice.model.map(|n| n % 10);
    dice.model.filter(|n| n % 2 == 0);
    let source = futures::StreamExt::map(flow, |each| item(each.n % 10)).items();
    gen_stage::StreamFlow::flow(futures::StreamExt::enumerate(source))
        .partition_by(|(_, each)| each.n)
        .lanes(lanes)
        .emit_and_reduce(
            || [0; 10],
            |last, (at, each): (usize, Item)| {
                let last = &mut last[each.n as usize];
                assert!(*last <= at, "{} came out of order", each.n);
                *last = at;
                (each.n % 2 == 0).then_some(each)
            },
        )
        .emit_nothing::<Item>()
        .items()
}

fn uniq(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.uniq();
    dice.model.mixed();
    flow.partition().lanes(lanes).demand(max, min).uniq().items()
}

fn merge(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (n, other) = dice.other(200);
    dice.model.numbers.extend(0..n);
    dice.model.mixed();
    flow.merge(other).items()
}

fn merge_with_nothing(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.mixed();
    flow.merge(Flow::from_iter(Vec::<Item>::new()).lanes(lanes))
        .shuffle()
        .lanes(lanes)
        .demand(max, min)
        .partition_by(|each| each.n % 2)
        .lanes(lanes)
        .items()
}

/// The numbers 0, 1, 2 … are added, where it is known which comes first.
fn zip(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (n, other) = dice.other(200);
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    let in_order = dice.model.source_is_in_order();
    if !in_order {
        let counted = Flow::from_iter((0..).map(item)).lanes(lanes);
        return flow.zip(counted).lanes(lanes).demand(max, min).map(|(each, _)| each).items();
    }
    dice.model.take(n as usize);
    (0..).zip(&mut dice.model.numbers).for_each(|(at, n)| *n += at);
    dice.model.ordered();
    dice.model.crosses(lanes);
    flow.zip(other).lanes(lanes).demand(max, min).map(|(each, other)| item(each.n + other.n)).items()
}
