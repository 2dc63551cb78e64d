//! What keeps to its lane.

use super::{Dice, IntoItems, Layer, Start};
use crate::item::{Item, Items, item};
use futures::StreamExt;
use gen_stage::flow::Throttle;
use std::sync::Arc;
use std::time::Duration;

pub(super) const LAYERS: &[(&str, Layer)] = &[
    ("map", map),
    ("filter", filter),
    ("reject", reject),
    ("filter_map", filter_map),
    ("flat_map", flat_map),
    ("flat_map_ok", flat_map_ok),
    ("map_batch", map_batch),
    ("per_lane", per_lane),
    ("batch", batch),
    ("batch_within", batch_within),
    ("batch_ordered", batch_ordered),
    ("throttle", throttle),
    ("uniq_in_order", uniq_in_order),
    ("dedup", dedup),
    ("skip_errors", skip_errors),
    ("dead_letters", dead_letters),
    ("boxed", boxed),
    ("take", take),
    ("take_of_all_lanes", take_of_all_lanes),
    ("take_in_order", take_in_order),
    ("skip", skip),
    ("take_while", take_while),
    ("take_while_in_order", take_while_in_order),
    ("take_while_of_parts", take_while_of_parts),
    ("take_while_then_hold", take_while_then_hold),
    ("take_of_futures", take_of_futures),
    ("enumerate", enumerate),
    ("scan", scan),
    ("boxed_in_order", boxed_in_order),
];

fn map(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.map(|n| n + 1);
    flow.map(|each| item(each.n + 1)).items()
}

fn filter(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.filter(|n| n % 3 != 0);
    flow.filter(|each| each.n % 3 != 0).items()
}

fn reject(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.filter(|n| n % 5 != 0);
    flow.reject(|each| each.n % 5 == 0).inspect(|each| assert!(each.n % 5 != 0)).items()
}

fn filter_map(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.filter(|n| n >= 3);
    dice.model.map(|n| n - 3);
    flow.filter_map(|each| each.n.checked_sub(3).map(item)).items()
}

fn copies(each: &Item, of: u64) -> Vec<Item> {
    vec![each.clone(); (each.n % of) as usize]
}

fn flat_map(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.repeat(|n| n % 4);
    flow.flat_map(|each| copies(&each, 4)).items()
}

fn flat_map_ok(flow: Start, dice: &mut Dice<'_>) -> Items {
    // Errors, which are those that end with 3, pass once.
    dice.model.repeat(|n| if n % 10 == 3 { 1 } else { n % 3 });
    flow.map(|each| if each.n % 10 == 3 { Err(each) } else { Ok(each) })
        .flat_map_ok(|each| copies(&each, 3))
        .map(|each| each.unwrap_or_else(|each| each))
        .items()
}

fn map_batch(flow: Start, _: &mut Dice<'_>) -> Items {
    flow.map_batch(|batch: Vec<Item>| batch).items()
}

fn per_lane(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.map(|n| n + 2);
    flow.per_lane(|lane| lane.map(|each| item(each.n + 2))).items()
}

fn batch(flow: Start, dice: &mut Dice<'_>) -> Items {
    flow.batch(dice.some()).flat_map(|batch| batch).items()
}

fn batch_within(flow: Start, dice: &mut Dice<'_>) -> Items {
    let most = Duration::from_micros(dice.below(3000) as u64);
    flow.batch(dice.some()).within(most).flat_map(|batch| batch).items()
}

fn batch_ordered(flow: Start, dice: &mut Dice<'_>) -> Items {
    // Each lane makes batches of its own, and they come out where their last items were.
    dice.model.mixed();
    if dice.lanes == 1 {
        dice.model.ordered();
    }
    flow.batch(dice.some()).ordered().flat_map(|batch| batch).items()
}

fn throttle(flow: Start, dice: &mut Dice<'_>) -> Items {
    let rate = Throttle::per_second(2_000_000).burst(1 + dice.below(20) as u64);
    flow.throttle(rate).items()
}

fn uniq_in_order(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.uniq();
    dice.model.ordered();
    flow.lanes(1).uniq().ordered().items()
}

fn dedup(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.ordered();
    if !dice.model.in_order {
        // Which item comes before which is not known: keys that equal nothing drop nothing.
        return flow.lanes(1).dedup_by(|_| f64::NAN).items();
    }
    dice.model.dedup_by(|n| n % 3);
    flow.lanes(1).dedup_by(|each| each.n % 3).ordered().items()
}

fn skip_errors(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.filter(|n| n % 4 != 0);
    let skipped = Arc::default();
    flow.map(|each| if each.n % 4 == 0 { Err(each.n) } else { Ok(each) })
        .map_ok(|each: Item| each)
        .skip_errors(&skipped)
        .items()
}

fn dead_letters(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.filter(|n| n % 4 != 0);
    dice.model.ordered();
    let letters = futures::sink::drain::<u64>();
    flow.map(|each| if each.n % 4 == 0 { Err(each.n) } else { Ok(each) })
        .dead_letters(letters)
        .ordered()
        .items()
}

fn boxed(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.map(|n| n + 1);
    flow.map(|each| item(each.n + 1)).boxed().inspect(|_| {}).items()
}

fn boxed_in_order(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.map(|n| n + 1);
    dice.model.ordered();
    flow.map(|each| item(each.n + 1)).boxed_in_order().filter(|_| true).ordered().items()
}

fn take(flow: Start, dice: &mut Dice<'_>) -> Items {
    let n = dice.some_of_the_first();
    dice.model.take(n);
    flow.take(n).items()
}

/// More than there are, so that it is known which.
fn take_of_all_lanes(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.filter(|n| n % 3 != 0);
    let n = dice.model.numbers.len() + dice.below(3);
    dice.model.take(n);
    flow.filter(|each| each.n % 3 != 0).take(n).items()
}

fn take_in_order(flow: Start, dice: &mut Dice<'_>) -> Items {
    let n = dice.some_of_the_first();
    dice.model.take(n);
    dice.model.map(|n| n + 1);
    dice.model.ordered();
    flow.take(n).map(|each| item(each.n + 1)).ordered().items()
}

fn skip(flow: Start, dice: &mut Dice<'_>) -> Items {
    let n = if dice.model.source_is_in_order() { dice.below(30) } else { 0 };
    dice.model.numbers.drain(..n.min(dice.model.numbers.len()));
    flow.skip(n).items()
}

fn take_while(flow: Start, dice: &mut Dice<'_>) -> Items {
    let rare = dice.rare();
    dice.model.take_while(|n| n % rare != rare - 1);
    flow.take_while(move |each| each.n % rare != rare - 1).items()
}

fn take_while_in_order(flow: Start, dice: &mut Dice<'_>) -> Items {
    let rare = dice.rare();
    dice.model.map(|n| n + 1);
    dice.model.take_while(|n| n % rare != rare - 1);
    dice.model.ordered();
    flow.map_async(dice.limit(), dice.later())
        .take_while(move |each| each.n % rare != rare - 1)
        .ordered()
        .items()
}

/// The item that ends it is one of two that were made of one item.
fn take_while_of_parts(flow: Start, dice: &mut Dice<'_>) -> Items {
    let rare = dice.rare();
    dice.model.numbers = dice.model.numbers.iter().flat_map(|n| [*n, n + 1]).collect();
    dice.model.take_while(|n| n % rare != rare - 1);
    dice.model.ordered();
    flow.flat_map(|each| [item(each.n), item(each.n + 1)])
        .take_while(move |each| each.n % rare != rare - 1)
        .ordered()
        .items()
}

/// What ends before the hold must not end the order after it.
fn take_while_then_hold(flow: Start, dice: &mut Dice<'_>) -> Items {
    let rare = dice.rare();
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.take_while(|n| n % rare != rare - 1);
    dice.model.ordered();
    flow.lanes(1)
        .take_while(move |each| each.n % rare != rare - 1)
        .keep_newest(usize::MAX)
        .lanes(lanes)
        .demand(max, min)
        .inspect(|_| {})
        .ordered()
        .items()
}

/// A future may be under way when the last item is taken.
fn take_of_futures(flow: Start, dice: &mut Dice<'_>) -> Items {
    let n = dice.some_of_the_first();
    dice.model.map(|n| n + 1);
    dice.model.take(n);
    dice.model.ordered();
    flow.lanes(1).map_async(dice.limit(), dice.later()).ordered().take(n).items()
}

fn enumerate(flow: Start, dice: &mut Dice<'_>) -> Items {
    let places = dice.model.source_is_in_order();
    if places {
        (0..).zip(&mut dice.model.numbers).for_each(|(at, n)| *n = (*n + at) % 1000);
    }
    flow.enumerate()
        .map(move |(at, each)| if places { item((each.n + at as u64) % 1000) } else { each })
        .items()
}

fn scan(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.map(|n| n + 1);
    let add = |one: &mut u64, each: Item| {
        *one = 1;
        Some(item(each.n + *one))
    };
    flow.scan(|| 0, add).items()
}
