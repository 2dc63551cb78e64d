//! Three stages in a row: A counts, B multiplies, C prints. Demand goes from C to B to A, numbers go the other way.
//!
//! ```console
//! $ cargo run --example producer_consumer
//! $ cargo run --example producer_consumer -- --count 1000 --factor 3 --max-demand 100
//! ```
//!
//! It prints the batches in which the numbers reach C. Of the 10 that C asks for, 5 are topped up whenever 5 were
//! handled, and those are a batch:
//!
//! ```text
//! [0, 2, 4, 6, 8]
//! [10, 12, 14, 16, 18]
//! [20, 22, 24, 26, 28]
//! [30, 32, 34, 36, 38]
//! [40, 42]
//! ```

use clap::Parser;
use gen_stage::Demand;
use gen_stage::prelude::*;
use gen_stage::stage::{Control, Output, StageError, Upstream};

/// Counts, multiplies and prints in three stages.
#[derive(Parser)]
struct Args {
    /// How many numbers to count, from 0: 1 or more.
    #[arg(long, default_value_t = 22, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// What to multiply them with.
    #[arg(long, default_value_t = 2)]
    factor: u64,
    /// How many numbers B and C ask for at most; they ask again when half of that has come.
    #[arg(long, default_value_t = 10)]
    max_demand: usize,
}

/// A: a producer makes as much as it is asked for.
struct Counter {
    next: u64,
    end: u64,
}

impl Producer for Counter {
    type Item = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Output<u64>) -> Result<(), StageError> {
        let until = self.end.min(self.next + demand as u64);
        out.extend(self.next..until);
        self.next = until;
        if self.next == self.end {
            out.finish();
        }
        Ok(())
    }
}

/// B: a producer-consumer makes items of those it gets.
struct Multiplier {
    factor: u64,
}

impl ProducerConsumer for Multiplier {
    type Input = u64;
    type Item = u64;

    async fn handle_items(
        &mut self,
        numbers: Vec<u64>,
        _: &Upstream,
        out: &mut Output<u64>,
    ) -> Result<(), StageError> {
        out.extend(numbers.into_iter().map(|number| number * self.factor));
        Ok(())
    }
}

/// C: a consumer uses them up.
struct Printer;

impl Consumer for Printer {
    type Input = u64;

    async fn handle_items(
        &mut self,
        numbers: Vec<u64>,
        _: &Upstream,
        _: &mut Control,
    ) -> Result<(), StageError> {
        println!("{numbers:?}");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), StageError> {
    let Args { count, factor, max_demand } = Args::parse();
    let demand = Demand::up_to(max_demand)?;

    let a = Counter { next: 0, end: count }.stage().spawn();
    let b = Multiplier { factor }.stage().subscribe_to(a.subscribe().with_demand(demand)).spawn();
    let c = Printer.stage().subscribe_to(b.subscribe().with_demand(demand)).spawn();

    // A finishes behind its last number, and with it B and then C.
    Ok(c.wait().await.into_result()?)
}
