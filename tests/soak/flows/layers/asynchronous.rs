//! What waits for futures.

use super::{Dice, IntoItems, Layer, Start};
use crate::item::{Item, Items, item};
use gen_stage::Flow;
use gen_stage::flow::{Retry, Throttle};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(super) const LAYERS: &[(&str, Layer)] = &[
    ("map_async", map_async),
    ("map_async_ordered", map_async_ordered),
    ("filter_map_async", filter_map_async),
    ("much_ordered", much_ordered),
    ("throttled_ordered", throttled_ordered),
    ("retry", retry),
    ("then", then),
    ("flow_in_flow", flow_in_flow),
];

fn map_async(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.map(|n| n + 1);
    dice.model.mixed();
    flow.map_async(dice.limit(), dice.later()).items()
}

fn map_async_ordered(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.map(|n| n + 1);
    dice.model.ordered();
    flow.map_async(dice.limit(), dice.later()).ordered().items()
}

fn then(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.map(|n| n + 1);
    dice.model.ordered();
    flow.then(dice.later()).ordered().items()
}

fn filter_map_async(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.filter(|n| n % 2 == 0);
    dice.model.map(|n| n + 1);
    dice.model.mixed();
    let later = dice.later();
    let odd = move |each: Item| {
        let later = later(each);
        async move { Some(later.await).filter(|each| each.n % 2 == 1) }
    };
    flow.filter_map_async(dice.limit(), odd).items()
}

/// Some are dropped, some doubled, and all cross once more.
fn much_ordered(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.filter(|n| n % 3 != 0);
    dice.model.repeat(|n| n % 3);
    dice.model.map(|n| n + 1);
    dice.model.ordered();
    let (lanes, (max, min)) = (dice.some(), dice.demand());
    flow.filter(|each| each.n % 3 != 0)
        .flat_map(|each| vec![each.clone(); (each.n % 3) as usize])
        .map_async(dice.limit(), dice.later())
        .shuffle()
        .lanes(lanes)
        .demand(max, min)
        .inspect(|_| {})
        .ordered()
        .items()
}

fn throttled_ordered(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.map(|n| n + 1);
    dice.model.ordered();
    let rate = Throttle::per_second(2_000_000).burst(1 + dice.below(20) as u64);
    flow.throttle(rate).map_async(dice.limit(), dice.later()).ordered().items()
}

/// Every third attempt fails.
fn retry(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.map(|n| n + 1);
    dice.model.mixed();
    let (later, attempts) = (dice.later(), Arc::new(AtomicU64::new(0)));
    let retry = Retry::times(30).backoff(Duration::from_micros(50), 1.0).wrap(move |each: Item| {
        let (later, attempt) = (later(each), attempts.fetch_add(1, Ordering::Relaxed));
        async move {
            let each = later.await;
            if attempt % 3 == 0 { Err(()) } else { Ok(each) }
        }
    });
    flow.map_async(dice.limit(), retry).map(|tried| tried.expect("one of 30 attempts")).items()
}

fn flow_in_flow(flow: Start, dice: &mut Dice<'_>) -> Items {
    dice.model.mixed();
    flow.map_async(dice.limit(), async |each: Item| {
        Flow::from_iter([each]).lanes(2).map(|each| item(each.n)).collect::<Vec<_>>().await
    })
    .flat_map(|some| some)
    .items()
}
