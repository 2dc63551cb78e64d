//! Stages: demand, batches, subscriptions and their ends, messages. Scenarios 1 to 98.
//!
//! Consumers block in some batch where the producer would never end, so that everything comes to rest.

mod accumulate;
mod cancel;
mod demand;
mod ends;
mod messages;
mod pipelines;
mod pulling;
mod resubscribe;
mod status;
mod subscribe;

use gen_stage::Demand;
use gen_stage::stage::IntoStream;

async fn read(mut stream: IntoStream<u64>, batches: usize) -> Vec<Vec<u64>> {
    let mut got = Vec::new();
    for _ in 0..batches {
        got.push(stream.next_batch().await.unwrap());
    }
    got
}

fn bounds(max: usize, min: usize) -> Demand {
    Demand::new(max, min).unwrap()
}
