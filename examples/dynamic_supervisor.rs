//! A task for each number that a producer counts, watched by a supervisor: `ConsumerSupervisor`'s own example.
//!
//! ```console
//! $ cargo run --example dynamic_supervisor
//! $ cargo run --example dynamic_supervisor -- --count 1000 --max-demand 50
//! ```
//!
//! A counts, and the supervisor is subscribed to it: it starts a printer for each number. A printer waits for a while,
//! for 100 ms and 10 more for each number, prints, and ends. At most 4 of them run. When they have fallen to 2, the
//! supervisor asks A for 2 more numbers: A never counts further than there are places. The clock is a virtual one, which
//! jumps to the next alarm when everybody waits.
//!
//! ```text
//! 100 ms: printer #1 prints 0, started at 0 ms
//! 110 ms: printer #2 prints 1, started at 0 ms
//! 120 ms: printer #3 prints 2, started at 0 ms
//! 130 ms: printer #4 prints 3, started at 0 ms
//! 250 ms: printer #5 prints 4, started at 110 ms
//! 260 ms: printer #6 prints 5, started at 110 ms
//! 290 ms: printer #7 prints 6, started at 130 ms
//! 300 ms: printer #8 prints 7, started at 130 ms
//! 440 ms: printer #9 prints 8, started at 260 ms
//! 450 ms: printer #10 prints 9, started at 260 ms
//! 10 printers, 10 of them to their end
//! ```

use clap::Parser;
use gen_stage::Demand;
use gen_stage::prelude::*;
use gen_stage::stage::{Output, StageError};
use gen_stage::supervisor::{Child, DynamicSupervisor};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Counts, with a task for each number.
#[derive(Parser)]
struct Args {
    /// How many numbers to count, from 0: 1 or more.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// How many printers run at most; there are more when half of them have ended.
    #[arg(long, default_value_t = 4)]
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

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), StageError> {
    let Args { count, max_demand } = Args::parse();
    let demand = Demand::up_to(max_demand)?;
    let begin = Instant::now();

    let printers = DynamicSupervisor::with_child(move |number: u64, child: Child| async move {
        let started = begin.elapsed().as_millis();
        sleep(Duration::from_millis(100 + 10 * number)).await;
        let now = begin.elapsed().as_millis();
        println!("{now} ms: printer {} prints {number}, started at {started} ms", child.id());
    })
    .into_handle();
    let a = Counter { next: 0, end: count }.stage().spawn();
    printers.subscribe_to(a.subscribe().with_demand(demand)).await?;

    // A finishes behind its last number. With it the supervisor takes no more, and ends with its last printer.
    let report = printers.wait().await.into_result()?;
    println!("{} printers, {} of them to their end", report.counts.started, report.counts.completed);
    Ok(())
}
