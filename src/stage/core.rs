//! One stage at work: takes letter after letter out of its mailbox and calls back.

use super::behaviour::Behaviour;
use super::downstream::{Downstream, Todo};
use super::ends::{Lifeline, Opening};
use super::entry::Entry;
use super::inbox::Inbox;
use super::letter::{Letter, Mailbox, Mark};
use super::output::{Output, Stop};
use super::overflow::Overflow;
use super::parcel::Parcel;
use super::reason::{Cancellation, EndKind, Reason};
use super::request::Request;
use super::status::{StageKind, StageRef, Status};
use super::tally::Tally;
use super::terms::DemandMode;
use super::upstream::Upstream;
use crate::coop::{Pace, let_others_run};
use crate::dispatch::{Dispatcher, SubscriptionId};
use crate::failure::StageError;
use std::any::Any;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

/// `Err`: the stage ends, for this reason.
pub(super) type Step = Result<(), Reason>;

/// The letters of a stage, with their type parameters filled in.
type LetterOf<B, D> = Letter<
    <B as Behaviour>::Input,
    <B as Behaviour>::Item,
    <D as Dispatcher<<B as Behaviour>::Item>>::Options,
    <B as Behaviour>::Message,
>;
type MailboxOf<B, D> = Mailbox<
    <B as Behaviour>::Input,
    <B as Behaviour>::Item,
    <D as Dispatcher<<B as Behaviour>::Item>>::Options,
    <B as Behaviour>::Message,
>;

/// What a producer-consumer got from upstream, waiting until there is demand from downstream.
pub(super) enum Incoming<I, M> {
    Items(Upstream, Parcel<I>),
    End(SubscriptionId, EndKind, Reason),
    Mark(Mark<M>),
}

pub(super) struct StageCore<B: Behaviour, D: Dispatcher<B::Item>> {
    pub(super) behaviour: B,
    /// What other stages are told of it.
    pub(super) itself: StageRef,
    pub(super) label: Arc<str>,
    pub(super) tally: Arc<Tally>,
    pub(super) letters: Inbox<LetterOf<B, D>>,
    /// Where producers send what this stage asks for.
    pub(super) mailbox: MailboxOf<B, D>,
    pub(super) out: Output<B::Item, B::Message>,
    pub(super) downstream: Downstream<B::Item, D, B::Message>,
    overflow: Overflow,
    /// Subscriptions made when the stage was set up that its callbacks have not heard of yet.
    opened: Vec<Upstream>,
    had_consumer: bool,
    pub(super) stop_when_alone: bool,
    pub(super) entries: Vec<Entry>,
    pub(super) incoming: VecDeque<Incoming<B::Input, B::Message>>,
    /// Demand from downstream for which nothing was made yet, in items.
    wanted: usize,
    /// The stage ends for this reason once everything emitted has gone out.
    pub(super) finishing: Option<Reason>,
    /// A detached stage keeps itself alive.
    detached: Option<Lifeline>,
    pace: Pace,
}

/// What a stage does next.
enum NextUp<L> {
    Letter(L),
    Produced(Result<(), StageError>),
}

/// What a new core is made of.
pub(super) struct Parts<B: Behaviour, D: Dispatcher<B::Item>> {
    pub(super) behaviour: B,
    /// What other stages are told of it.
    pub(super) itself: StageRef,
    pub(super) label: Arc<str>,
    pub(super) tally: Arc<Tally>,
    pub(super) letters: Inbox<LetterOf<B, D>>,
    pub(super) mailbox: MailboxOf<B, D>,
    pub(super) out: Output<B::Item, B::Message>,
    pub(super) downstream: Downstream<B::Item, D, B::Message>,
    pub(super) subscribe_to: Vec<Request<B::Input>>,
    pub(super) stop_when_alone: bool,
}

impl<B: Behaviour, D: Dispatcher<B::Item>> StageCore<B, D> {
    pub(super) fn new(parts: Parts<B, D>) -> Self {
        let Parts { behaviour, itself, label, tally, letters, mailbox, out, downstream, .. } = parts;
        let (subscribe_to, stop_when_alone) = (parts.subscribe_to, parts.stop_when_alone);
        let overflow = Overflow::new(Arc::clone(&label));
        let mut core = Self {
            behaviour,
            itself,
            label,
            tally,
            letters,
            mailbox,
            out,
            downstream,
            overflow,
            opened: Vec::new(),
            had_consumer: false,
            stop_when_alone,
            entries: Vec::new(),
            incoming: VecDeque::new(),
            wanted: 0,
            finishing: None,
            detached: None,
            pace: Pace::default(),
        };
        // At once: when all consumers of a producer are set up, the producer has all their subscriptions.
        for request in subscribe_to {
            let opened = core.open(request, None, None, true);
            core.opened.push(opened);
        }
        core
    }

    /// Runs until the stage ends, and returns why.
    pub(super) async fn run(&mut self) -> Reason {
        match self.work().await {
            Err(reason) => reason,
            Ok(never) => match never {},
        }
    }

    async fn work(&mut self) -> Result<std::convert::Infallible, Reason> {
        let started = self.behaviour.start(&mut self.out).await;
        self.after(started).await?;
        for upstream in std::mem::take(&mut self.opened) {
            self.begin(&upstream).await?;
        }
        self.pace.begin();
        loop {
            match self.next_event().await {
                NextUp::Letter(letter) => {
                    // The future of `produce` was dropped for the letter; what it had emitted by then was not.
                    if !self.out.is_untouched() {
                        self.after(Ok(())).await?;
                    }
                    self.handle(letter).await?;
                }
                NextUp::Produced(produced) => self.after(produced).await?,
            }
            self.give_way_when_due().await;
        }
    }

    /// Waits for a letter, or for what the stage produces by itself.
    async fn next_event(&mut self) -> NextUp<LetterOf<B, D>> {
        let Self { behaviour, letters, out, finishing, pace, .. } = self;
        let mut produce = pin!(behaviour.produce(out));
        let mut waited = false;
        poll_fn(|cx| {
            if std::mem::take(&mut waited) {
                pace.begin();
            }
            if let Poll::Ready(letter) = letters.poll_next(cx) {
                return Poll::Ready(NextUp::Letter(letter));
            }
            if finishing.is_none() {
                if let Poll::Ready(produced) = produce.as_mut().poll(cx) {
                    return Poll::Ready(NextUp::Produced(produced));
                }
            }
            waited = true;
            Poll::Pending
        })
        .await
    }

    /// Lets other tasks run when this one has had its turn.
    pub(super) async fn give_way_when_due(&mut self) {
        if self.pace.is_over() {
            let_others_run().await;
            self.pace.begin();
        }
    }

    async fn handle(&mut self, letter: LetterOf<B, D>) -> Step {
        match letter {
            Letter::Subscribe(opening) => self.subscribed(*opening).await?,
            Letter::ConsumerAsked(id, demand) => {
                self.downstream.ask(id, demand);
                self.settle().await?;
            }
            Letter::ConsumerCancelled(id, how, reason) => {
                self.consumer_left(id, how, reason).await?;
                self.stop_if_alone()?;
            }
            Letter::DispatcherAsked(id, demand) => {
                self.downstream.ask_for(id, demand);
                self.settle().await?;
            }
            Letter::Redispatch(demand) => {
                self.downstream.demanded(demand);
                self.settle().await?;
            }
            Letter::Passed(Mark::Finish) => return Err(self.finishing.take().unwrap_or(Reason::Normal)),
            Letter::Items(id, parcel) => self.received(id, parcel).await?,
            Letter::End(id, how, reason) => self.producer_left(id, how, reason).await?,
            Letter::SubscribeTo(to, replaces, answer) => self.subscribe_to(*to, replaces, answer).await?,
            Letter::AskUpstream(id, demand) => self.ask_upstream(id, demand),
            Letter::CancelUpstream(id, reason) => self.cancel_upstream(id, reason),
            Letter::Message(message, permit) | Letter::Passed(Mark::Message(message, permit)) => {
                drop(permit);
                let handled = self.behaviour.message(message, &mut self.out).await;
                self.after(handled).await?;
            }
            Letter::Info(message, permit) => {
                self.mark(Mark::Message(message, permit));
                self.settle().await?;
            }
            Letter::Mode(mode) => self.set_mode(mode).await?,
            Letter::Status(answer) => drop(answer.send(self.status())),
            Letter::Stop(reason) => return Err(reason),
            Letter::Finish => {
                self.finish(Reason::Normal);
                self.settle().await?;
            }
            Letter::Detach(lifeline) => self.detached = Some(lifeline),
        }
        Ok(())
    }

    async fn set_mode(&mut self, mode: DemandMode) -> Step {
        match mode {
            DemandMode::Accumulate => self.downstream.accumulate(),
            DemandMode::Forward => {
                while self.downstream.forward_next() {
                    self.settle().await?;
                }
            }
        }
        Ok(())
    }

    // What follows every callback.

    /// Does what a callback asked for, and all that follows from it.
    pub(super) async fn after(&mut self, handled: Result<(), StageError>) -> Step {
        self.take_output(handled)?;
        self.settle().await
    }

    /// Sends what a callback emitted, and does what else it asked for.
    pub(super) fn take_output(&mut self, handled: Result<(), StageError>) -> Step {
        let items = self.out.take_items();
        // Items that no consumer takes now count too: they are buffered, and go out before anything else is made.
        let answers = self.wanted.min(items.len());
        self.wanted -= answers;
        self.downstream.emit(items, answers);
        if handled.is_ok() && self.out.is_untouched() {
            return Ok(());
        }
        let control = self.out.control();
        let (infos, replies) = (std::mem::take(&mut control.infos), std::mem::take(&mut control.replies));
        let (subscribing, stop) = (std::mem::take(&mut control.subscribing), control.stop.take());
        for reply in replies {
            reply();
        }
        for info in infos {
            // Like an info from a handle: after what was emitted, and after the lists that wait.
            self.mark(Mark::Message(info, None));
        }
        handled.map_err(Reason::failed)?;
        subscribing.into_iter().try_for_each(|wanted| self.subscribe_later(wanted))?;
        match stop {
            Some(Stop::AtOnce(reason)) => Err(reason),
            Some(Stop::AfterBuffered) => {
                self.finish(Reason::Normal);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Runs callbacks until none of them leads to another.
    pub(super) async fn settle(&mut self) -> Step {
        loop {
            while let Some(todo) = self.downstream.next_todo() {
                self.do_next(todo).await?;
            }
            if self.wanted == 0 && matches!(self.incoming.front(), Some(Incoming::Items(..))) {
                return Ok(());
            }
            let Some(incoming) = self.incoming.pop_front() else { return Ok(()) };
            match incoming {
                Incoming::Items(from, parcel) => self.handle_items(&from, parcel).await?,
                Incoming::End(id, how, reason) => self.handle_end(id, how, reason).await?,
                Incoming::Mark(mark) => self.downstream.mark(mark),
            }
        }
    }

    async fn do_next(&mut self, todo: Todo<B::Message>) -> Step {
        match todo {
            Todo::Demand(_) if self.finishing.is_some() => Ok(()),
            Todo::Demand(demand) => {
                self.wanted = self.wanted.saturating_add(demand);
                if B::KIND == StageKind::ProducerConsumer {
                    return Ok(());
                }
                let handled = self.behaviour.demand(demand, &mut self.out).await;
                self.take_output(handled)
            }
            // These go by letter: where one leads to the next, the stage still reads its other letters.
            Todo::Mark(mark) => self.to_itself(Letter::Passed(mark)),
            Todo::AskFor(id, demand) => self.to_itself(Letter::DispatcherAsked(id, demand)),
            Todo::LookFor(demand) => self.to_itself(Letter::Redispatch(demand)),
            Todo::TooMuch(error) => {
                tracing::error!(stage = %self.label, %error, "a dispatcher breaks its contract");
                Ok(())
            }
            Todo::Discarded(items) => {
                if self.behaviour.discarded(items) {
                    self.overflow.add(items);
                }
                Ok(())
            }
        }
    }

    pub(super) fn to_itself(&self, letter: LetterOf<B, D>) -> Step {
        // Cannot fail: the stage is running.
        let _ = self.mailbox.post(letter);
        Ok(())
    }

    /// Ends the stage once everything emitted so far has gone out.
    pub(super) fn finish(&mut self, reason: Reason) {
        if self.finishing.is_none() {
            // Nothing more is made of what comes from upstream.
            for entry in self.entries.drain(..) {
                entry.link.down(reason.clone());
            }
            for incoming in self.incoming.drain(..) {
                // Messages that waited behind items are handled; the items are counted as undelivered.
                if let Incoming::Mark(mark) = incoming {
                    self.downstream.mark(mark);
                }
            }
            self.finishing = Some(reason);
            self.downstream.mark(Mark::Finish);
        }
    }

    fn mark(&mut self, mark: Mark<B::Message>) {
        if self.incoming.is_empty() {
            self.downstream.mark(mark);
        } else {
            self.incoming.push_back(Incoming::Mark(mark));
        }
    }

    // The downstream side.

    async fn subscribed(&mut self, opening: Opening<B::Item, D::Options>) -> Step {
        if let Some((old, reason)) = opening.replaces.clone() {
            self.consumer_left(old, EndKind::Cancelled, reason).await?;
        }
        let consumer = opening.port.subscriber();
        let Some(demand) = self.downstream.subscribe(opening) else {
            tracing::warn!(stage = %self.label, subscription = %consumer.id(), "a subscription was refused");
            self.settle().await?;
            return self.stop_if_alone();
        };
        self.had_consumer = true;
        let handled = self.behaviour.consumer(consumer, &mut self.out).await;
        self.take_output(handled)?;
        self.downstream.demanded(demand);
        self.settle().await
    }

    async fn consumer_left(&mut self, id: SubscriptionId, how: EndKind, reason: Reason) -> Step {
        if !self.downstream.has(id) {
            return Ok(());
        }
        self.downstream.cancel(id, how, reason.clone());
        let end = Cancellation::new(id, how, reason);
        let handled = self.behaviour.consumer_cancel(&end, &mut self.out).await;
        self.take_output(handled)?;
        self.downstream.cancelled(id);
        self.settle().await
    }

    /// Ends a producer that is to end with its last consumer.
    pub(super) fn stop_if_alone(&self) -> Step {
        let alone = B::KIND == StageKind::Producer && self.had_consumer && self.downstream.is_alone();
        if self.stop_when_alone && alone { Err(Reason::Normal) } else { Ok(()) }
    }

    fn status(&self) -> Status {
        let waiting = |incoming: &Incoming<_, _>| match incoming {
            Incoming::Items(_, parcel) => parcel.len(),
            Incoming::End(..) | Incoming::Mark(_) => 0,
        };
        Status {
            kind: B::KIND,
            id: self.itself.id(),
            label: self.label.to_string(),
            dispatcher: self.itself.dispatcher(),
            mode: self.downstream.mode(),
            buffered: self.downstream.buffered(),
            dispatching: self.downstream.dispatching(),
            held_back: self.downstream.held_back(),
            waiting: self.incoming.iter().map(waiting).sum(),
            counts: self.tally.counts(),
            producers: self.entries.iter().map(Entry::status).collect(),
            consumers: self.downstream.statuses(),
        }
    }

    /// Drops the user's state, then tells all peers that the stage has ended. `Err`: what a drop panicked with.
    pub(super) fn end(self, reason: &Reason) -> Result<(), Box<dyn Any + Send>> {
        let Self { behaviour, mut downstream, entries, incoming, letters, out, .. } = self;
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(behaviour)));
        downstream.end(reason);
        for entry in entries {
            entry.link.down(reason.clone());
        }
        // What is left of the user's: items, messages and the dispatcher.
        let rest = catch_unwind(AssertUnwindSafe(|| drop((out, incoming, downstream, letters))));
        dropped.and(rest)
    }
}
