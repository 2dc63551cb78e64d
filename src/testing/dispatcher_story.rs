//! One story that a dispatcher lives through, step by step.

use super::stories::{Kept, Plot, keep};
use crate::dispatch::{Deliveries, Dispatcher, Fence, Subscriber, SubscriptionId};
use std::collections::{BTreeSet, VecDeque};

/// After this many answers of the producer, one that is still being asked is asked for ever.
const ROUNDS: usize = 1000;

/// A dispatcher, and the stage around it: its buffer, its producer, and its subscriptions.
pub(super) struct DispatcherStory<'a, D> {
    plot: &'a mut Plot,
    dispatcher: D,
    out: Deliveries<u64>,
    buffer: VecDeque<u64>,
    /// Asked of the producer, and not answered yet.
    owed: usize,
    made: u64,
    discarded: usize,
    readers: Vec<StoryReader>,
    /// What was asked for and did not come, also by those who have left.
    unfilled: usize,
    /// All items that were sent.
    sent: BTreeSet<u64>,
    fences: VecDeque<Fence>,
    joined: usize,
    /// Now and then the producer has more than it was asked for. Of what it is asked for then, nothing can be said.
    generous: bool,
}

/// A subscription.
struct StoryReader {
    id: SubscriptionId,
    number: usize,
    wanted: usize,
    got: BTreeSet<u64>,
}

impl<'a, D: Dispatcher<u64>> DispatcherStory<'a, D> {
    pub(super) fn new(dispatcher: D, generous: bool, plot: &'a mut Plot) -> Self {
        Self {
            plot,
            dispatcher,
            out: Deliveries::new(),
            buffer: VecDeque::new(),
            owed: 0,
            made: 0,
            discarded: 0,
            readers: Vec::new(),
            unfilled: 0,
            sent: BTreeSet::new(),
            fences: VecDeque::new(),
            joined: 0,
            generous,
        }
    }

    /// Takes `steps` steps, each drawn at random.
    pub(super) fn tell(&mut self, steps: u64, options: impl Fn(usize) -> D::Options) -> Kept {
        for _ in 0..steps {
            match self.plot.draw(20) {
                0..3 => self.join(&options)?,
                3..9 => self.ask()?,
                9..11 => self.leave()?,
                11..16 => {
                    let items = self.plot.draw(self.owed.min(8) + 1);
                    self.produce(items)?;
                }
                16 if self.generous => {
                    let items = self.owed + 1 + self.plot.draw(3);
                    self.produce(items)?;
                }
                16..19 => self.settle()?,
                _ => self.fence()?,
            }
            // What is held may have to be asked for once more, for those who do not get it.
            let allowed = self.unfilled + self.dispatcher.held();
            keep(self.generous || self.owed <= allowed, || {
                format!("{} items were asked of the producer, and {allowed} of it", self.owed)
            })?;
            self.account()?;
        }
        Ok(())
    }

    /// Each subscription wants more, and all that is asked for comes.
    pub(super) fn end(&mut self) -> Kept {
        for at in 0..self.readers.len() {
            self.ask_for(at, 20)?;
        }
        self.settle()?;
        self.account()?;
        if self.readers.is_empty() || self.dispatcher.held() > 0 {
            return Ok(());
        }
        // All that was asked for has come: at least the one that wanted least has all that it wanted.
        let served = self.readers.iter().any(|reader| reader.wanted == 0);
        keep(served, || "each subscription wants more, and no demand is passed up".into())?;
        keep(self.fences.is_empty(), || "a fence never passes".into())
    }

    fn join(&mut self, options: impl Fn(usize) -> D::Options) -> Kept {
        let (id, number) = (SubscriptionId::next(), self.joined);
        self.joined += 1;
        match self.dispatcher.subscribe(Subscriber::new(id), options(number), &mut self.out) {
            Ok(passed) => {
                self.plot.step(format!("{number} subscribes"));
                self.readers.push(StoryReader { id, number, wanted: 0, got: BTreeSet::new() });
                self.look_for(passed)
            }
            Err(refusal) => {
                self.plot.step(format!("{number} is refused ({refusal})"));
                self.look_for(0)
            }
        }
    }

    fn ask(&mut self) -> Kept {
        if self.readers.is_empty() {
            return Ok(());
        }
        let (at, demand) = (self.plot.draw(self.readers.len()), 1 + self.plot.draw(8));
        self.ask_for(at, demand)
    }

    fn ask_for(&mut self, at: usize, demand: usize) -> Kept {
        let reader = &mut self.readers[at];
        self.plot.step(format!("{} asks for {demand}", reader.number));
        reader.wanted += demand;
        self.unfilled += demand;
        let passed = self.dispatcher.ask(reader.id, demand, &mut self.out);
        self.look_for(passed)
    }

    fn leave(&mut self) -> Kept {
        if self.readers.is_empty() {
            return Ok(());
        }
        let at = self.plot.draw(self.readers.len());
        let reader = self.readers.remove(at);
        self.plot.step(format!("{} leaves", reader.number));
        let passed = self.dispatcher.cancel(reader.id, &mut self.out);
        self.look_for(passed)
    }

    fn fence(&mut self) -> Kept {
        let fence = Fence::new(self.plot.len() as u64);
        self.plot.step("a fence is set");
        self.fences.push_back(fence);
        self.dispatcher.fence(fence, &mut self.out);
        self.look_for(0)?;
        // Nothing has come meanwhile, so what is held was held before.
        let (passed, held) = (self.fences.back() != Some(&fence), self.dispatcher.held());
        keep(!passed || held == 0, || {
            format!("a fence passes, and {held} items that came before it are held")
        })
    }

    fn produce(&mut self, items: usize) -> Kept {
        if items == 0 {
            return Ok(());
        }
        self.plot.step(format!("{items} items come"));
        self.owed = self.owed.saturating_sub(items);
        let made: Vec<u64> = (self.made..).take(items).collect();
        self.made += items as u64;
        let back = self.dispatch(&made)?;
        self.buffer.extend(back);
        self.look_for(0)
    }

    fn settle(&mut self) -> Kept {
        for _ in 0..ROUNDS {
            if self.owed == 0 {
                return Ok(());
            }
            self.produce(self.owed)?;
        }
        Err("the producer is asked again and again".into())
    }

    /// Takes demand from the buffer first, and asks the producer for the rest, as a stage does.
    fn look_for(&mut self, mut passed: usize) -> Kept {
        for _ in 0..ROUNDS {
            let fetched: Vec<_> = self.buffer.drain(..passed.min(self.buffer.len())).collect();
            self.owed += passed - fetched.len();
            if !fetched.is_empty() {
                let back = self.dispatch(&fetched)?;
                back.into_iter().rev().for_each(|item| self.buffer.push_front(item));
            }
            passed = self.hand_out()?;
            if passed == 0 {
                return Ok(());
            }
        }
        Err("it asks for buffered items again and again, and hands them back".into())
    }

    fn dispatch(&mut self, items: &[u64]) -> Result<Vec<u64>, String> {
        let back = self.dispatcher.dispatch(items.to_vec(), &mut self.out);
        keep(items.ends_with(&back), || format!("given {items:?}, it handed back {back:?}"))?;
        Ok(back)
    }

    /// Hands out what was decided; returns the demand that is passed up with it.
    fn hand_out(&mut self) -> Result<usize, String> {
        self.discarded += self.out.take_discarded();
        for (id, items) in self.out.take_sent() {
            let Some(reader) = self.readers.iter_mut().find(|reader| reader.id == id) else {
                return Err(format!("{items:?} was sent to a subscription that is not there"));
            };
            let (number, wanted) = (reader.number, reader.wanted);
            keep(items.len() <= wanted, || format!("{number} wants {wanted} and was sent {items:?}"))?;
            reader.wanted -= items.len();
            self.unfilled -= items.len();
            for item in items {
                keep(item < self.made, || format!("{item} was sent, which never came"))?;
                keep(reader.got.insert(item), || format!("{number} was sent {item} twice"))?;
                self.sent.insert(item);
            }
        }
        for passed in self.out.take_passed() {
            keep(self.fences.pop_front() == Some(passed), || "fences pass in another order".into())?;
        }
        let (asks, mut passed) = (self.out.take_asks(), self.out.take_wanted());
        for (id, demand) in asks {
            if self.readers.iter().any(|reader| reader.id == id) {
                passed += self.dispatcher.ask(id, demand, &mut self.out);
            }
        }
        Ok(passed)
    }

    /// Each item is somewhere.
    fn account(&self) -> Kept {
        let (sent, buffered, held) = (self.sent.len(), self.buffer.len(), self.dispatcher.held());
        let known = sent + buffered + held + self.discarded;
        keep(known as u64 == self.made, || {
            let (made, discarded) = (self.made, self.discarded);
            format!(
                "of {made} items, {sent} were sent, {buffered} handed back, {discarded} dropped, {held} are held"
            )
        })
    }
}
