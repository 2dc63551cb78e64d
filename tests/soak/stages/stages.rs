//! The stages of a round: sources, stages in the middle, and consumers.

use crate::random::Random;
use crate::world::{Book, FAULTS, Fault, Info, Item, Kind, Live, MAY_LOSE, World, expected_end};
use gen_stage::dispatch::Subscriber;
use gen_stage::prelude::*;
use gen_stage::stage::{AskMode, Cancellation, Control, Output, Reason, Reply, StageError, Upstream};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tokio::task::yield_now;

pub(crate) enum Msg {
    Emit(usize),
    Call(Reply<u64>, Answer),
    Info(usize),
    /// Has the stage emit some and send an info to itself.
    InfoYourself(usize),
    /// Of one sender, with rising numbers.
    Ordered(u64),
    /// Posted by the stage to itself: go on with what is owed.
    GoOn,
    /// An endless producer may make so many more.
    More(u64),
    Stop(Reason),
    Finish,
    Break(Fault),
    /// Asks by hand, of its manual subscriptions.
    Ask(usize),
    /// Cancels one of its subscriptions.
    Leave(Reason),
    Nothing,
}

#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Now,
    AfterItems,
    Never,
    /// When the stage is dropped, by dropping the reply.
    Kept,
}

/// What every stage has.
pub(crate) struct State {
    world: Arc<World>,
    book: Arc<Book>,
    random: Random,
    /// How often a callback lets others run, in percent.
    lazy: usize,
    /// Fails in this many callbacks from now.
    fuse: Option<(usize, Fault)>,
    /// It stops when it is alone.
    alone: bool,
    /// Whom it reads from.
    ups: Vec<Upstream>,
    kept: Vec<Reply<u64>>,
    _live: Live,
}

impl Drop for State {
    fn drop(&mut self) {
        self.book.dropped.store(true, SeqCst);
    }
}

impl State {
    pub(crate) fn new(world: &Arc<World>, book: &Arc<Book>, alone: bool, random: &mut Random) -> Self {
        let mut random = random.fork();
        let fuse = (world.kind == Kind::Rough && random.chance(20))
            .then(|| (random.below(60), random.pick(&FAULTS)));
        let lazy = random.pick(&[0, 0, 10, 50]);
        let live = Live::new(&world.states);
        let (world, book) = (Arc::clone(world), Arc::clone(book));
        Self { world, book, random, lazy, fuse, alone, ups: Vec::new(), kept: Vec::new(), _live: live }
    }

    /// What every callback begins with.
    async fn enter(&mut self) -> Result<(), StageError> {
        let terminated = self.book.terminated.load(SeqCst);
        self.world.check(terminated == 0, || format!("stage {} was called after its end", self.book.stage));
        if self.random.chance(self.lazy) {
            for _ in 0..self.random.below(4) {
                yield_now().await;
            }
            if self.random.chance(3) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        match &mut self.fuse {
            Some((0, fault)) => {
                let fault = *fault;
                self.fuse = None;
                self.world.blow(fault)
            }
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn make(&mut self, count: usize) -> Vec<Item> {
        let from = self.book.made.fetch_add(count as u64, SeqCst);
        let (stage, items) = (self.book.stage, &self.world.items);
        (from..from + count as u64).map(|number| Item { stage, number, _live: Live::new(items) }).collect()
    }

    fn emit(&mut self, count: usize, out: &mut Output<Item, Msg>) {
        let items = self.make(count);
        match self.random.below(3) {
            0 => out.emit(items),
            1 => out.extend(items),
            _ => items.into_iter().for_each(|item| out.push(item)),
        }
    }

    fn finish(&mut self, stage: &mut Control<Msg>) {
        self.book.ending.store(true, SeqCst);
        stage.finish();
    }

    /// Handles a message, and says how many items to emit.
    async fn message(&mut self, message: Msg, stage: &mut Control<Msg>) -> Result<usize, StageError> {
        if let Msg::Info(number) = &message {
            self.book.handle_info(&self.world, *number);
        }
        self.enter().await?;
        match message {
            Msg::Emit(count) => return Ok(count),
            Msg::Call(reply, Answer::Now) => reply.send(7),
            Msg::Call(reply, Answer::AfterItems) => {
                stage.reply(reply, 7);
                return Ok(2);
            }
            Msg::Call(reply, Answer::Never) => drop(reply),
            Msg::Call(reply, Answer::Kept) => self.kept.push(reply),
            Msg::InfoYourself(count) => {
                let after = self.book.made.load(SeqCst) + count as u64;
                let sure = !self.book.is_ending();
                let number = self.book.new_info(Info { after, sure, ..Info::default() });
                stage.info(Msg::Info(number));
                return Ok(count);
            }
            Msg::Ordered(number) => {
                let last = self.book.ordered.swap(number, SeqCst);
                self.world.check(last < number, || {
                    format!("stage {}: message {number} came after {last}", self.book.stage)
                });
            }
            Msg::Stop(reason) => stage.stop(reason),
            Msg::Finish => self.finish(stage),
            Msg::Break(fault) => self.world.blow(fault)?,
            Msg::Ask(count) => {
                for up in self.ups.iter().filter(|up| up.mode() == AskMode::Manual) {
                    up.ask(count);
                }
            }
            Msg::Leave(reason) => {
                if !self.ups.is_empty() {
                    let at = self.random.below(self.ups.len());
                    self.ups[at].cancel(reason);
                }
            }
            Msg::Info(_) | Msg::GoOn | Msg::More(_) | Msg::Nothing => {}
        }
        Ok(0)
    }

    async fn subscribed(&mut self, to: &Upstream) -> Result<AskMode, StageError> {
        if to.mode() == AskMode::Automatic && to.demand().max() != MAY_LOSE.0 {
            self.world.sub(to.id()).max.store(to.demand().max(), SeqCst);
        }
        self.ups.push(to.clone());
        self.enter().await?;
        if to.mode() == AskMode::Manual {
            to.ask(self.random.between(1, 20));
        }
        Ok(to.mode())
    }

    /// Writes down a batch; before the first chance to be aborted.
    fn receive(&mut self, items: &[Item], from: &Upstream) {
        let sub = self.world.sub(from.id());
        let (length, demand) = (items.len(), from.demand());
        self.world.check(length > 0, || format!("subscription {}: a batch of nothing", sub.id));
        self.world.check(!sub.ended.load(SeqCst), || format!("subscription {}: items after its end", sub.id));
        if from.mode() == AskMode::Automatic {
            let most = demand.max() - demand.min();
            self.world.check(length <= most, || {
                format!("subscription {}: a batch of {length} with a demand of {demand:?}", sub.id)
            });
        }
        self.book.got.fetch_add(length as u64, SeqCst);
        items.iter().for_each(|item| sub.receive(&self.world, item));
    }

    /// A batch was handled.
    fn handled(&mut self, count: usize, from: &Upstream) {
        self.world.sub(from.id()).handled.fetch_add(count as u64, SeqCst);
        if from.mode() == AskMode::Manual {
            from.ask(count);
        }
    }

    /// One of its subscriptions has ended.
    async fn left(&mut self, end: &Cancellation) -> Result<(), StageError> {
        let id = end.subscription();
        let modes = self.ups.iter().filter(|up| up.id() == id).map(Upstream::cancel_mode);
        if self.alone || modes.into_iter().any(|mode| mode.ends_on(end.reason())) {
            self.book.ending.store(true, SeqCst);
        }
        self.world.check(expected_end(end.reason()), || format!("subscription {id}: {}", end.reason()));
        let before = self.world.sub(id).ended.swap(true, SeqCst);
        self.world.check(!before, || format!("subscription {id} ended twice"));
        self.world.check(self.ups.iter().any(|up| up.id() == id), || format!("{id} ended, and never began"));
        self.ups.retain(|up| up.id() != id);
        self.enter().await
    }

    async fn terminate(&mut self) {
        self.book.terminated.fetch_add(1, SeqCst);
        if self.random.chance(self.lazy) {
            yield_now().await;
        }
        if self.world.kind == Kind::Rough && self.random.chance(3) {
            let _ = self.world.blow(self.random.clone().pick(&FAULTS));
        }
    }
}

/// How a producer answers to demand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    Exact,
    /// Makes more than is asked for.
    Eager,
    /// Makes some, and the rest message by message.
    Slow,
    /// Makes it when it has nothing else to do.
    Idle,
}

pub(crate) struct Source {
    pub(crate) state: State,
    pub(crate) style: Style,
    /// What it may still make.
    pub(crate) left: usize,
    pub(crate) finite: bool,
    pub(crate) owed: usize,
}

impl Source {
    fn give(&mut self, most: usize, out: &mut Output<Item, Msg>) {
        let more = if matches!(self.style, Style::Eager) { self.state.random.below(5) } else { 0 };
        let count = self.left.min(self.owed.min(most) + more);
        self.left -= count;
        self.owed = self.owed.saturating_sub(count);
        self.state.emit(count, out);
        if self.left == 0 && self.finite {
            self.state.finish(out);
        }
    }

    fn go_on(&mut self, out: &mut Output<Item, Msg>) {
        match self.style {
            Style::Exact | Style::Eager => self.give(usize::MAX, out),
            Style::Slow => {
                let most = self.state.random.between(1, 20);
                self.give(most, out);
                if self.owed > 0 && self.left > 0 {
                    out.post(Msg::GoOn);
                }
            }
            Style::Idle => {}
        }
    }
}

impl Producer<Msg> for Source {
    type Item = Item;

    async fn handle_start(&mut self, _: &mut Output<Item, Msg>) -> Result<(), StageError> {
        self.state.enter().await
    }

    async fn handle_demand(&mut self, demand: usize, out: &mut Output<Item, Msg>) -> Result<(), StageError> {
        self.state.world.check(demand > 0, || "a demand of nothing".into());
        self.state.enter().await?;
        self.owed += demand;
        self.go_on(out);
        Ok(())
    }

    async fn produce(&mut self, out: &mut Output<Item, Msg>) -> Result<(), StageError> {
        let more = self.left > 0 || self.finite;
        if !matches!(self.style, Style::Idle) || self.owed == 0 || !more || self.state.book.is_ending() {
            return pending().await;
        }
        yield_now().await;
        let most = self.state.random.between(1, 50);
        self.give(most, out);
        Ok(())
    }

    async fn handle_message(&mut self, message: Msg, out: &mut Output<Item, Msg>) -> Result<(), StageError> {
        match message {
            Msg::GoOn => {
                self.state.enter().await?;
                self.go_on(out);
            }
            Msg::More(count) => {
                self.state.enter().await?;
                self.left += if self.finite { 0 } else { count as usize };
                self.go_on(out);
            }
            message => {
                let count = self.state.message(message, out).await?;
                self.state.emit(count, out);
            }
        }
        Ok(())
    }

    async fn handle_subscribe(&mut self, _: Subscriber, _: &mut Output<Item, Msg>) -> Result<(), StageError> {
        self.state.enter().await
    }

    async fn handle_cancel(
        &mut self,
        end: &Cancellation,
        _: &mut Output<Item, Msg>,
    ) -> Result<(), StageError> {
        self.state.world.check(expected_end(end.reason()), || format!("a consumer left: {}", end.reason()));
        self.state.enter().await
    }

    fn handle_discarded(&mut self, items: usize) -> bool {
        self.state.book.thrown.fetch_add(items as u64, SeqCst);
        false
    }

    async fn terminate(&mut self, _: &Reason) {
        self.state.terminate().await;
    }
}

pub(crate) struct Middle {
    pub(crate) state: State,
    /// Makes 0 to so many items of one.
    pub(crate) most: usize,
}

/// When a stage in the middle has made so many, it makes only as many as it gets.
const PLENTY: u64 = 5_000;

impl ProducerConsumer<Msg> for Middle {
    type Input = Item;
    type Item = Item;

    async fn handle_items(
        &mut self,
        items: Vec<Item>,
        from: &Upstream,
        out: &mut Output<Item, Msg>,
    ) -> Result<(), StageError> {
        self.state.receive(&items, from);
        self.state.enter().await?;
        let most = if self.state.book.made.load(SeqCst) > PLENTY { 1 } else { self.most };
        let count = items.iter().map(|_| self.state.random.between(0, most)).sum();
        self.state.emit(count, out);
        self.state.handled(items.len(), from);
        Ok(())
    }

    async fn handle_start(&mut self, _: &mut Output<Item, Msg>) -> Result<(), StageError> {
        self.state.enter().await
    }

    async fn handle_consumer(&mut self, _: Subscriber, _: &mut Output<Item, Msg>) -> Result<(), StageError> {
        self.state.enter().await
    }

    async fn handle_consumer_cancel(
        &mut self,
        end: &Cancellation,
        _: &mut Output<Item, Msg>,
    ) -> Result<(), StageError> {
        self.state.world.check(expected_end(end.reason()), || format!("a consumer left: {}", end.reason()));
        self.state.enter().await
    }

    async fn handle_subscribe(
        &mut self,
        to: &Upstream,
        _: &mut Output<Item, Msg>,
    ) -> Result<AskMode, StageError> {
        self.state.subscribed(to).await
    }

    async fn handle_cancel(
        &mut self,
        end: &Cancellation,
        _: &mut Output<Item, Msg>,
    ) -> Result<(), StageError> {
        self.state.left(end).await
    }

    async fn handle_message(&mut self, message: Msg, out: &mut Output<Item, Msg>) -> Result<(), StageError> {
        let count = self.state.message(message, out).await?;
        self.state.emit(count, out);
        Ok(())
    }

    fn handle_discarded(&mut self, items: usize) -> bool {
        self.state.book.thrown.fetch_add(items as u64, SeqCst);
        false
    }

    async fn terminate(&mut self, _: &Reason) {
        self.state.terminate().await;
    }
}

pub(crate) struct Last {
    pub(crate) state: State,
}

impl Consumer<Msg> for Last {
    type Input = Item;

    async fn handle_items(
        &mut self,
        items: Vec<Item>,
        from: &Upstream,
        _: &mut Control<Msg>,
    ) -> Result<(), StageError> {
        self.state.receive(&items, from);
        self.state.enter().await?;
        self.state.handled(items.len(), from);
        Ok(())
    }

    async fn handle_start(&mut self, _: &mut Control<Msg>) -> Result<(), StageError> {
        self.state.enter().await
    }

    async fn handle_subscribe(&mut self, to: &Upstream, _: &mut Control<Msg>) -> Result<AskMode, StageError> {
        self.state.subscribed(to).await
    }

    async fn handle_cancel(&mut self, end: &Cancellation, _: &mut Control<Msg>) -> Result<(), StageError> {
        self.state.left(end).await
    }

    async fn handle_message(&mut self, message: Msg, stage: &mut Control<Msg>) -> Result<(), StageError> {
        // It makes no items, so an info comes behind none.
        let message = if let Msg::InfoYourself(_) = message { Msg::InfoYourself(0) } else { message };
        self.state.message(message, stage).await.map(drop)
    }

    async fn terminate(&mut self, _: &Reason) {
        self.state.terminate().await;
    }
}
