//! What brings items together.

use super::{Dice, IntoItems, Layer, Start};
use crate::item::{Item, Items, item};

pub(super) const LAYERS: &[(&str, Layer)] = &[
    ("reduce", reduce),
    ("emit_and_reduce", emit_and_reduce),
    ("combine", combine),
    ("group_by", group_by),
    ("count_by", count_by),
    ("count_by_ref", count_by_ref),
    ("departition", departition),
    ("take_sort", take_sort),
];

fn reduce(flow: Start, _: &mut Dice<'_>) -> Items {
    flow.reduce(Vec::new, |items: &mut Vec<Item>, each| items.push(each)).items()
}

fn emit_and_reduce(flow: Start, _: &mut Dice<'_>) -> Items {
    let count = |count: &mut u64, each: Item| {
        *count += 1;
        [each]
    };
    flow.emit_and_reduce(|| 0, count).emit_nothing::<Item>().items()
}

/// The key in thousands, and how often it was there.
fn counted((key, count): (u64, u64)) -> Item {
    item(key * 1000 + count)
}

fn combine(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min), max_keys) = (dice.some(), dice.demand(), 1 + dice.below(12));
    dice.model.count_by(|n| n % 10);
    dice.model.mixed();
    flow.combine(
        max_keys,
        |counts, each: Item| *counts.at_owned(each.n % 10) += 1,
        |count: &mut u64, more| *count += more,
    )
    .hash_seed(max as u64)
    .lanes(lanes)
    .demand(max, min)
    .shuffle()
    .map(counted)
    .items()
}

fn group_by(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.mixed();
    let lanes = dice.some();
    flow.group_by(|each: &Item| each.n % 5).shuffle().lanes(lanes).flat_map(|(_, items)| items).items()
}

fn count_by(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.count_by(|n| n % 9);
    dice.model.mixed();
    flow.partition_by(|each| each.n % 9)
        .lanes(lanes)
        .demand(max, min)
        .count_by(|each: &Item| each.n % 9)
        .shuffle()
        .lanes(lanes)
        .map(counted)
        .items()
}

fn count_by_ref(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.count_by(|n| n % 9);
    dice.model.mixed();
    flow.map(|each| item(each.n % 9))
        .partition_by_ref(|each| &each.n)
        .lanes(lanes)
        .demand(max, min)
        .count_by_ref(|each: &Item| &each.n)
        .shuffle()
        .lanes(lanes)
        .map(counted)
        .items()
}

fn departition(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    let sum = dice.model.numbers.iter().fold(0u64, |sum, n| sum.wrapping_add(*n));
    dice.model.numbers = vec![sum % 100_000];
    dice.model.one_by_one();
    flow.partition()
        .lanes(lanes)
        .demand(max, min)
        .reduce(|| 0u64, |sum, each: Item| *sum = sum.wrapping_add(each.n))
        .emit_state()
        .departition(|| 0u64, |sum, n| *sum = sum.wrapping_add(n), |sum, _| item(sum % 100_000))
        .items()
}

fn take_sort(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min), most) = (dice.some(), dice.demand(), dice.some());
    dice.model.numbers.sort_unstable();
    dice.model.numbers.truncate(most);
    dice.model.one_by_one();
    flow.shuffle()
        .lanes(lanes)
        .demand(max, min)
        .reduce(Vec::new, |items: &mut Vec<Item>, each| items.push(each))
        .take_sort(most)
        .flat_map(|items| items)
        .items()
}
