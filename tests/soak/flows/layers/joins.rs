//! Items of two flows that meet.

use super::{Dice, IntoItems, Layer, Start};
use crate::item::{Item, Items, item};
use gen_stage::flow::FullOuter;
use std::collections::HashMap;

pub(super) const LAYERS: &[(&str, Layer)] =
    &[("bounded_join", bounded_join), ("bounded_join_ref", bounded_join_ref)];

/// Keys are few, so that some are on one side only and some are there often.
const KEYS: u64 = 301;

fn bounded_join(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    let (n, other) = dice.other(100);
    dice.model.numbers = rows(&dice.model.numbers, n);
    dice.model.mixed();
    flow.bounded_join(FullOuter, other, |left| left.n % KEYS, |right| right.n % KEYS)
        .hash_seed(n)
        .lanes(lanes)
        .demand(max, min)
        .map(|(left, right): (Option<Item>, Option<Item>)| {
            row(left.map(|each| each.n), right.map(|each| each.n))
        })
        .map(item)
        .items()
}

fn bounded_join_ref(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    let (n, other) = dice.other(100);
    dice.model.numbers = rows(&dice.model.numbers, n);
    dice.model.mixed();
    // Texts, which lie elsewhere in memory than the items.
    let keyed = |each: Item| ((each.n % KEYS).to_string(), each);
    flow.map(keyed)
        .bounded_join_ref(FullOuter, other.map(keyed), |left| left.0.as_str(), |right| right.0.as_str())
        .hash_seed(n)
        .lanes(lanes)
        .demand(max, min)
        .map(|(left, right): (Option<(String, Item)>, Option<(String, Item)>)| {
            row(left.map(|each| each.1.n), right.map(|each| each.1.n))
        })
        .map(item)
        .items()
}

fn row(left: Option<u64>, right: Option<u64>) -> u64 {
    left.unwrap_or(0) + 7 * right.unwrap_or(0)
}

/// The rows of all with all, key by key.
fn rows(left: &[u64], right: u64) -> Vec<u64> {
    let mut sides = HashMap::<u64, (Vec<u64>, Vec<u64>)>::new();
    left.iter().for_each(|n| sides.entry(n % KEYS).or_default().0.push(*n));
    (0..right).for_each(|n| sides.entry(n % KEYS).or_default().1.push(n));
    let some = |side: Vec<u64>| -> Vec<Option<u64>> {
        if side.is_empty() { vec![None] } else { side.into_iter().map(Some).collect() }
    };
    let mut rows = Vec::new();
    for (left, right) in sides.into_values() {
        let (left, right) = (some(left), some(right));
        rows.extend(left.iter().flat_map(|left| right.iter().map(|right| row(*left, *right))));
    }
    rows
}
