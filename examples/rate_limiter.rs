//! A consumer in manual mode: it takes at most so many orders per interval, whatever the producer has.
//!
//! ```console
//! $ cargo run --example rate_limiter
//! $ cargo run --example rate_limiter -- --max 5 --interval 200
//! ```
//!
//! It asks for `max` orders when it subscribes, and then, once per interval, for as many as came since it asked last:
//! what is asked for is never more than `max`. Of the orders here, 7 are there from the start, and 6 come after
//! 250 ms; 2 of these are taken at once, for they have been asked for. The clock is a virtual one, which jumps
//! to the next alarm when everybody waits.
//!
//! ```text
//!   0 ms: took [1, 2, 3]
//! 100 ms: took [4, 5, 6]
//! 200 ms: took [7]
//! 250 ms: took [8, 9]
//! 300 ms: took [10, 11, 12]
//! 400 ms: took [13]
//! ```

use clap::Parser;
use futures::channel::mpsc;
use gen_stage::Demand;
use gen_stage::dispatch::SubscriptionId;
use gen_stage::prelude::*;
use gen_stage::stage::{AskMode, Cancellation, Control, StageError, Upstream, from_stream};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Takes orders at a limited rate.
#[derive(Parser)]
struct Args {
    /// How many orders to take per interval at most: 1 or more.
    #[arg(long, default_value_t = 3)]
    max: usize,
    /// The interval, in milliseconds: 1 or more.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,
}

struct RateLimiter {
    interval: Duration,
    started: Instant,
    /// Of each subscription: how many orders have come since it was asked last.
    came: HashMap<SubscriptionId, usize>,
}

/// Comes once per interval and subscription.
struct Tick(Upstream);

impl RateLimiter {
    /// Asks for `orders`, and to be called again after the interval.
    fn ask(&mut self, orders: usize, to: &Upstream, stage: &Control<Tick>) {
        to.ask(orders);
        self.came.insert(to.id(), 0);
        let (interval, tick, address) = (self.interval, Tick(to.clone()), stage.address());
        tokio::spawn(async move {
            sleep(interval).await;
            address.cast(tick).await
        });
    }
}

impl Consumer<Tick> for RateLimiter {
    type Input = u32;

    async fn handle_subscribe(
        &mut self,
        to: &Upstream,
        stage: &mut Control<Tick>,
    ) -> Result<AskMode, StageError> {
        self.ask(to.demand().max(), to, stage);
        Ok(AskMode::Manual)
    }

    async fn handle_items(
        &mut self,
        orders: Vec<u32>,
        from: &Upstream,
        _: &mut Control<Tick>,
    ) -> Result<(), StageError> {
        println!("{:>3} ms: took {orders:?}", self.started.elapsed().as_millis());
        *self.came.entry(from.id()).or_default() += orders.len();
        Ok(())
    }

    async fn handle_message(&mut self, Tick(to): Tick, stage: &mut Control<Tick>) -> Result<(), StageError> {
        // Of one that has been cancelled, nothing is known any more.
        if let Some(&came) = self.came.get(&to.id()) {
            self.ask(came, &to, stage);
        }
        Ok(())
    }

    async fn handle_cancel(&mut self, end: &Cancellation, _: &mut Control<Tick>) -> Result<(), StageError> {
        self.came.remove(&end.subscription());
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), StageError> {
    let Args { max, interval } = Args::parse();
    let (customer, orders) = mpsc::unbounded();
    let orders = from_stream(orders).stage().spawn();
    let limiter = RateLimiter {
        interval: Duration::from_millis(interval),
        started: Instant::now(),
        came: HashMap::new(),
    }
    .stage()
    .subscribe_to(orders.subscribe().with_demand(Demand::new(max, 0)?))
    .spawn();

    (1..=7).try_for_each(|order| customer.unbounded_send(order))?;
    sleep(Duration::from_millis(250)).await;
    (8..=13).try_for_each(|order| customer.unbounded_send(order))?;
    // No more orders: the producer finishes behind the last one, and then the limiter.
    drop(customer);

    Ok(limiter.wait().await.into_result()?)
}
