//! An event manager with handlers: every handler gets every event, and who notifies waits until the event went out.
//!
//! ```console
//! $ cargo run --example gen_event
//! ```
//!
//! The manager keeps two things: the events that nobody has asked for, each with who waits for it, and the demand for
//! events that are not there. One of the two is always empty. As the manager accumulates demand at first, an event
//! that was there before all handlers are is not lost on any of them.
//!
//! ```text
//! sent: started
//! sent: anna came
//! sent: ben came
//! sent: anna left
//! handler 1 has seen: started, anna came, ben came, anna left
//! handler 2 has seen: started, anna came, ben came, anna left
//! handler 3 has seen: started, anna came, ben came, anna left
//! handler 4 has seen: started, anna came, ben came, anna left
//! ```

use gen_stage::dispatch::Broadcast;
use gen_stage::prelude::*;
use gen_stage::stage::{Control, Output, Reply, StageError, Upstream};
use std::collections::VecDeque;

type Event = String;

#[derive(Default)]
struct Manager {
    queue: VecDeque<Notify>,
    demand: usize,
}

/// Asks the manager to send an event, and to say when it has.
struct Notify(Event, Reply<()>);

impl Manager {
    /// Sends what is both there and asked for. The answers go out behind the events.
    fn send(&mut self, out: &mut Output<Event, Notify>) {
        let count = self.demand.min(self.queue.len());
        for Notify(event, reply) in self.queue.drain(..count) {
            out.push(event);
            out.reply(reply, ());
        }
        self.demand -= count;
    }
}

impl Producer<Notify> for Manager {
    type Item = Event;

    async fn handle_demand(
        &mut self,
        demand: usize,
        out: &mut Output<Event, Notify>,
    ) -> Result<(), StageError> {
        self.demand += demand;
        self.send(out);
        Ok(())
    }

    async fn handle_message(
        &mut self,
        notify: Notify,
        out: &mut Output<Event, Notify>,
    ) -> Result<(), StageError> {
        self.queue.push_back(notify);
        self.send(out);
        Ok(())
    }
}

#[derive(Default)]
struct Handler {
    seen: Vec<Event>,
}

/// Asks a handler what it has seen.
struct Seen(Reply<Vec<Event>>);

impl Consumer<Seen> for Handler {
    type Input = Event;

    async fn handle_items(
        &mut self,
        events: Vec<Event>,
        _: &Upstream,
        _: &mut Control<Seen>,
    ) -> Result<(), StageError> {
        self.seen.extend(events);
        Ok(())
    }

    async fn handle_message(&mut self, Seen(reply): Seen, _: &mut Control<Seen>) -> Result<(), StageError> {
        reply.send(self.seen.clone());
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), StageError> {
    let manager = Manager::default().stage().dispatcher(Broadcast::new()).accumulate().spawn();

    // There is no handler yet, so the event waits, and this task with it.
    let early = tokio::spawn({
        let manager = manager.clone();
        async move { manager.call(|reply| Notify("started".into(), reply)).await }
    });

    let mut handlers = Vec::new();
    for _ in 0..4 {
        let handler = Handler::default().stage().spawn();
        // One event at a time: the manager waits for the slowest handler.
        handler.subscribe_to(manager.subscribe().demand(1, 0)).await?;
        handlers.push(handler);
    }
    // All are there.
    manager.forward();

    early.await??;
    println!("sent: started");
    for event in ["anna came", "ben came", "anna left"] {
        manager.call(|reply| Notify(event.into(), reply)).await?;
        println!("sent: {event}");
    }

    // What was sent is in front of this question, in the mailbox of every handler.
    for (number, handler) in (1..).zip(&handlers) {
        println!("handler {number} has seen: {}", handler.call(Seen).await?.join(", "));
    }
    Ok(())
}
