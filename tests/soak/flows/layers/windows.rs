//! Items in windows, which all come out again: of a window that is done, or as too late.

use super::{Dice, IntoItems, Layer, Start};
use crate::item::{Item, Items};
use futures::stream;
use gen_stage::prelude::*;
use std::time::Duration;

pub(super) const LAYERS: &[(&str, Layer)] = &[
    ("count", count),
    ("count_every_2", count_every_2),
    ("fixed", fixed),
    ("session", session),
    ("global_periodically", global_periodically),
    ("periodic", periodic),
];

fn keep(items: &mut Vec<Item>, each: Item) {
    items.push(each);
}

fn count(flow: Start, dice: &mut Dice<'_>) -> Items {
    flow.window(Window::count(dice.some())).reduce(Vec::new, keep).items()
}

fn count_every_2(flow: Start, dice: &mut Dice<'_>) -> Items {
    flow.window(Window::count(dice.some() + 2).every(2))
        .reduce(Vec::new, keep)
        .on_trigger(|items, _| std::mem::take(items))
        .items()
}

fn fixed(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.mixed();
    let size = Duration::from_millis(dice.random.between(1, 40) as u64);
    let (mut window, late) = Window::fixed(size, |each: &Item| each.n as i64).late_output(lanes);
    if dice.random.chance(50) {
        window = window.allowed_lateness(Duration::from_millis(dice.below(30) as u64));
    }
    if dice.random.chance(33) {
        window = window.idle_after(Duration::from_micros(500));
    }
    if dice.random.chance(33) {
        window = window.max_ahead(Duration::from_millis(dice.random.between(1, 100) as u64));
    }
    let done = flow
        .partition_by(|each| each.n % 3)
        .lanes(lanes)
        .demand(max, min)
        .window(window)
        .reduce(Vec::new, keep)
        .on_trigger(|items, _| std::mem::take(items));
    stream::select(done, late).items()
}

fn session(flow: Start, dice: &mut Dice<'_>) -> Items {
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    dice.model.mixed();
    let gap = Duration::from_millis(dice.random.between(1, 20) as u64);
    let (mut window, late) =
        Window::session(gap, |each: &Item| each.n % 4, |each: &Item| each.n as i64).late_output(lanes);
    if dice.random.chance(50) {
        window = window.allowed_lateness(Duration::from_millis(dice.below(30) as u64));
    }
    let done = flow
        .partition_by(|each| each.n % 4)
        .lanes(lanes)
        .demand(max, min)
        .window(window)
        .reduce(Vec::new, keep)
        .merge_states(|items, mut more| items.append(&mut more))
        .on_trigger(|items, _| std::mem::take(items));
    stream::select(done, late).items()
}

fn global_periodically(flow: Start, _: &mut Dice<'_>) -> Items {
    flow.window(Window::global().periodically(Duration::from_micros(300)))
        .reduce(Vec::new, keep)
        .on_trigger(|items, _| std::mem::take(items))
        .items()
}

fn periodic(flow: Start, _: &mut Dice<'_>) -> Items {
    flow.window(Window::periodic(Duration::from_micros(700))).filter(|_| true).reduce(Vec::new, keep).items()
}
