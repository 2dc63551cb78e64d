//! The layers that a chain is made of. Each is a flow over the boxed stream of the one above.

mod asynchronous;
mod crossings;
mod ends;
mod joins;
mod reductions;
mod steps;
mod windows;

use crate::item::{Item, Items, item};
use crate::model::Model;
use crate::moody::{Moody, moody};
use crate::random::Random;
use futures::Stream;
use gen_stage::Flow;
use gen_stage::flow::adapters::Source;
use gen_stage::lane::StreamLane;
use gen_stage::prelude::*;
use std::future::Future;

/// A flow of which nothing is built but its source.
type Start = Flow<Source<StreamLane<Items>>>;

/// Builds a layer, and tells the model what it does.
type Layer = fn(Start, &mut Dice<'_>) -> Items;

/// What a layer is made with.
struct Dice<'a> {
    random: &'a mut Random,
    model: &'a mut Model,
    /// Lanes of the source of the layer.
    lanes: usize,
}

impl Dice<'_> {
    fn below(&mut self, bound: usize) -> usize {
        self.random.below(bound)
    }

    /// 1 to 8.
    fn some(&mut self) -> usize {
        self.random.between(1, 8)
    }

    /// How many items from the start of the layer, where it is known which these are; else all of them.
    fn some_of_the_first(&mut self) -> usize {
        if self.model.source_is_in_order() { self.below(60) } else { self.model.numbers.len() }
    }

    /// Of so many numbers, about one ends what holds for the others; none does where it is not known which comes first.
    fn rare(&mut self) -> u64 {
        if self.model.source_is_in_order() { self.random.pick(&[20, 200]) } else { u64::MAX }
    }

    fn demand(&mut self) -> (usize, usize) {
        let max = self.random.pick(&[1, 2, 3, 7, 1000]);
        (max, self.random.below(max))
    }

    /// How many futures may be under way.
    fn limit(&mut self) -> usize {
        self.random.pick(&[1, 2, 5, 64])
    }

    /// Adds one to an item, after a while.
    fn later(&mut self) -> impl Fn(Item) -> Pending + Clone + Send + use<> {
        let random = self.random.fork();
        move |each: Item| {
            let mut random = Random(random.0 ^ each.n);
            Box::pin(async move {
                moody(random.fork()).await;
                item(each.n + 1)
            })
        }
    }

    /// A flow of the numbers 0 to `n - 1`, with `n` below a bound.
    fn other(&mut self, below: usize) -> (u64, Start) {
        let n = self.below(below) as u64;
        let source = Moody::new((0..n).map(item), self.random.fork(), 2);
        let (lanes, (max, min)) = (self.some(), self.demand());
        (n, source.items().flow().lanes(lanes).demand(max, min))
    }
}

/// Forgets what a flow is made of.
trait IntoItems {
    fn items(self) -> Items;
}

impl<S: Stream<Item = Item> + Send + 'static> IntoItems for S {
    fn items(self) -> Items {
        Box::pin(self)
    }
}

type Pending = std::pin::Pin<Box<dyn Future<Output = Item> + Send>>;

/// Puts a layer of some kind on a stream, and says which.
pub(crate) fn add(source: Items, random: &mut Random, model: &mut Model) -> (String, Items) {
    let kinds: usize = GROUPS.iter().map(|group| group.len()).sum();
    let chosen = random.below(kinds);
    let (name, layer) = GROUPS.iter().copied().flatten().nth(chosen).expect("below the number of all");
    let lanes = random.between(1, 8);
    model.begin(lanes);
    let mut dice = Dice { random, model, lanes };
    let (max, min) = dice.demand();
    let mut flow = source.flow().lanes(lanes).demand(max, min);
    dice.model.monitors.push(flow.monitor());
    (format!("{name}({lanes})"), layer(flow, &mut dice))
}

const GROUPS: &[&[(&str, Layer)]] = &[
    steps::LAYERS,
    crossings::LAYERS,
    asynchronous::LAYERS,
    reductions::LAYERS,
    windows::LAYERS,
    joins::LAYERS,
    ends::LAYERS,
];
