//! A dispatcher of one's own: consumers take turns, and one of weight 3 takes 3 items in each of its turns.
//!
//! ```console
//! $ cargo run --example custom_dispatcher
//! $ cargo run --example custom_dispatcher -- --items 1000 --weights 70,20,10
//! ```
//!
//! Nobody's turn is left out, so the shares do not depend on who is fast, only on the weights:
//!
//! ```text
//! weight 3 got 13 items: [1, 2, 3, 7, 8, 9, 13, 14, 15, 19, 20, 21, 25]
//! weight 2 got  8 items: [4, 5, 10, 11, 16, 17, 22, 23]
//! weight 1 got  4 items: [6, 12, 18, 24]
//! ```

use clap::Parser;
use futures::StreamExt;
use futures::future::join_all;
use gen_stage::dispatch::{Deliveries, Dispatcher, Refusal, Subscriber, SubscriptionId};
use gen_stage::prelude::*;
use gen_stage::stage::{StageError, from_iter};
use std::collections::VecDeque;
use std::iter;

/// Shares numbers out by weight.
#[derive(Parser)]
struct Args {
    /// How many numbers to share out: from 1.
    #[arg(long, default_value_t = 25)]
    items: u32,
    /// The weights of the consumers.
    #[arg(long, value_delimiter = ',', default_value = "3,2,1")]
    weights: Vec<usize>,
}

/// What a subscription says to the dispatcher: how many items it takes when it is its turn.
struct Weight(usize);

impl Default for Weight {
    fn default() -> Self {
        Self(1)
    }
}

#[derive(Default)]
struct Weighted {
    /// In the order of turns.
    turns: VecDeque<Turn>,
    /// Demand that was passed up, for which no items have come so far.
    passed: usize,
}

#[derive(Clone)]
struct Turn {
    id: SubscriptionId,
    weight: usize,
    /// How many items are left of this turn, or of the next one.
    left: usize,
    /// Asked for and not yet sent.
    open: usize,
}

/// Whose turn it is, and how many of `items` that one gets; `None` when the turn has to wait for demand.
fn next(turns: &mut VecDeque<Turn>, items: usize) -> Option<(SubscriptionId, usize)> {
    let turn = turns.front_mut()?;
    let (id, piece) = (turn.id, items.min(turn.left).min(turn.open));
    turn.open -= piece;
    turn.left -= piece;
    if turn.left == 0 {
        turn.left = turn.weight;
        turns.rotate_left(1);
    }
    (piece > 0).then_some((id, piece))
}

impl Weighted {
    /// Passes up as much as could be sent, as far as that was not done before.
    ///
    /// So whatever comes for demand can be sent, unless a subscription has come or gone meanwhile. What that leaves
    /// over goes to the buffer; it is not on its way any more, and will be passed up again when it can be sent.
    fn pass_up(&mut self) -> usize {
        let mut turns = self.turns.clone();
        let ready: usize = iter::from_fn(|| next(&mut turns, usize::MAX)).map(|(_, piece)| piece).sum();
        let more = ready.saturating_sub(self.passed);
        self.passed += more;
        more
    }
}

impl<T: Send + 'static> Dispatcher<T> for Weighted {
    type Options = Weight;

    fn subscribe(
        &mut self,
        new: Subscriber,
        Weight(weight): Weight,
        _: &mut Deliveries<T>,
    ) -> Result<usize, Refusal> {
        if weight == 0 {
            return Err(Refusal::other("a weight must be at least 1"));
        }
        self.turns.push_back(Turn { id: new.id(), weight, left: weight, open: 0 });
        Ok(0)
    }

    fn ask(&mut self, id: SubscriptionId, demand: usize, _: &mut Deliveries<T>) -> usize {
        if let Some(turn) = self.turns.iter_mut().find(|turn| turn.id == id) {
            turn.open += demand;
        }
        self.pass_up()
    }

    fn cancel(&mut self, id: SubscriptionId, _: &mut Deliveries<T>) -> usize {
        self.turns.retain(|turn| turn.id != id);
        // Others may have waited for its turn.
        self.pass_up()
    }

    fn dispatch(&mut self, items: Vec<T>, out: &mut Deliveries<T>) -> Vec<T> {
        self.passed = self.passed.saturating_sub(items.len());
        let mut items = items.into_iter();
        while let Some((id, piece)) = next(&mut self.turns, items.len()) {
            out.send(id, items.by_ref().take(piece).collect());
        }
        items.collect()
    }
}

#[tokio::main]
async fn main() -> Result<(), StageError> {
    let Args { items, weights } = Args::parse();
    let numbers = from_iter(1..=items).spawn(Weighted::default());

    let mut shares = Vec::new();
    for &weight in &weights {
        shares.push(numbers.subscribe().options(Weight(weight)).await?.collect::<Vec<_>>());
    }
    for (weight, share) in weights.iter().zip(join_all(shares).await) {
        println!("weight {weight} got {:>2} items: {share:?}", share.len());
    }
    Ok(())
}
