//! One story that an operator lives through: a source before it, a reader after it.

use super::item_order::ItemOrder;
use super::reader::{Hints, Wakes, settle};
use super::source::{SourceProbe, SourceWatch};
use super::stories::{Kept, Plot, differ, keep};
use futures_core::Stream;
use std::fmt::Debug;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// What the source panics with.
pub(super) const NO_PAPER: &str = "the source has no more paper";

/// How many items a source has that is never read to its end.
pub(super) const PLENTY: u64 = 4000;

/// How many items an operator may hold besides those that its demand and its model account for.
const HELD: usize = 256;

/// How a story ends.
#[derive(Clone, Copy)]
pub(super) enum StoryEnding {
    /// The source ends, and all is read.
    Ends,
    /// The source panics.
    Fails,
    /// What is read is dropped.
    Dropped,
    /// The reader stops, and the source does not.
    Unread,
    /// The operator panics, at the item 7.
    Panics(&'static str),
}

/// What a story reads: the flow or the stream that the operator has made.
pub(super) type Read<T> = Pin<Box<dyn Stream<Item = T>>>;

/// What was made of the source.
pub(super) struct UnderTest<T> {
    pub(super) read: Read<T>,
    /// Whether it stays ended when it is polled after its end.
    pub(super) is_fused: bool,
    /// How many items may be on their way to the reader at once, by demand.
    pub(super) on_their_way: usize,
}

pub(super) struct OperatorStory<'a, T, M> {
    plot: &'a mut Plot,
    /// Until it was told how the source ends.
    source: Option<SourceProbe<u64>>,
    watch: SourceWatch<u64>,
    made: UnderTest<T>,
    wakes: Wakes,
    is_read: bool,
    has_ended: bool,
    /// The message of the panic that the last poll raised.
    panic: Option<String>,
    sent: u64,
    came: Vec<T>,
    hints: Hints,
    model: &'a M,
}

impl<'a, T, M> OperatorStory<'a, T, M>
where
    T: Debug + Ord,
    M: Fn(Vec<u64>) -> Vec<T>,
{
    pub(super) fn new(
        plot: &'a mut Plot,
        source: SourceProbe<u64>,
        made: UnderTest<T>,
        model: &'a M,
    ) -> Self {
        Self {
            plot,
            watch: source.watch(),
            source: Some(source),
            made,
            wakes: Wakes::default(),
            is_read: false,
            has_ended: false,
            panic: None,
            sent: 0,
            came: Vec::new(),
            hints: Hints::default(),
            model,
        }
    }

    /// Takes `steps` steps, each drawn at random, and comes to its end.
    pub(super) async fn tell(mut self, steps: u64, ending: StoryEnding, order: ItemOrder) -> Kept {
        for _ in 0..steps {
            let step = match self.plot.draw(10) {
                0..4 => {
                    let items = 1 + self.plot.draw(8) as u64;
                    self.send(items);
                    Ok(())
                }
                4..7 => self.read_some(),
                7..9 => self.let_run().await,
                _ => self.pass_time().await,
            };
            if let (StoryEnding::Panics(expected), Some(message)) = (ending, &self.panic) {
                return self.is_raised(expected, message);
            }
            step?;
            match ending {
                StoryEnding::Panics(expected) if self.has_ended => return Err(never_panics(expected)),
                _ if self.has_ended => return self.has_all(order),
                _ => {}
            }
        }
        match ending {
            StoryEnding::Ends => self.end(order).await,
            StoryEnding::Fails => self.fail().await,
            StoryEnding::Dropped => self.give_up(),
            StoryEnding::Unread => self.leave_unread().await,
            StoryEnding::Panics(message) => self.panics(message).await,
        }
    }

    fn send(&mut self, items: u64) {
        let from = self.sent;
        self.sent += items;
        let numbers = if items == 1 { from.to_string() } else { format!("{from} to {}", self.sent - 1) };
        self.plot.step(format!("the source has {numbers}"));
        if let Some(source) = &self.source {
            (from..self.sent).for_each(|n| source.send(n));
        }
    }

    /// Says how the source ends, and reads up to the end. A panic is `Err` in `Ok`.
    async fn end_by(
        &mut self,
        step: &str,
        end: impl FnOnce(SourceProbe<u64>),
    ) -> Result<Result<(), String>, String> {
        self.plot.step(step);
        self.source.take().map(end);
        self.plot.step("the reader reads all");
        loop {
            // A reader that waits reads when it is woken, and not before.
            self.wakes.woken("the reader").await?;
            match self.poll() {
                Ok(Poll::Ready(Some(item))) => self.came.push(item),
                Ok(Poll::Ready(None)) => return Ok(Ok(())),
                Ok(Poll::Pending) => {}
                Err(message) => return Ok(Err(message)),
            }
        }
    }

    /// Polls once; `Err` is what a panic says.
    fn poll(&mut self) -> Result<Poll<Option<T>>, String> {
        self.is_read = true;
        self.hints.note(self.came.len(), self.made.read.size_hint());
        let read = self.made.read.as_mut();
        let polled = self.wakes.poll(|cx| read.poll_next(cx));
        self.has_ended |= matches!(polled, Ok(Poll::Ready(None)));
        self.panic = polled.as_ref().err().cloned();
        polled
    }

    /// Reads some items, as many as there are.
    fn read_some(&mut self) -> Kept {
        let most = 1 + self.plot.draw(6);
        for read in 0..most {
            match self.poll().map_err(|message| panicked(&message))? {
                Poll::Ready(Some(item)) => self.came.push(item),
                Poll::Ready(None) => {
                    self.plot.step("the reader reads the end");
                    return Ok(());
                }
                Poll::Pending => {
                    self.plot.step(format!("the reader reads {read} and waits"));
                    return Ok(());
                }
            }
        }
        self.plot.step(format!("the reader reads {most}"));
        Ok(())
    }

    async fn let_run(&mut self) -> Kept {
        self.plot.step("all tasks run");
        settle().await;
        self.look()
    }

    async fn pass_time(&mut self) -> Kept {
        let time = self.plot.one_of(&[1, 50, 1000, 60_000]);
        self.plot.step(format!("{time} ms pass"));
        tokio::time::sleep(Duration::from_millis(time)).await;
        self.look()
    }

    /// What holds at any time.
    fn look(&self) -> Kept {
        keep(self.is_read || !self.watch.is_begun(), || "it reads its source before it is read".into())?;
        keep(!self.watch.is_polled_after_end(), || "it polls its source again after the end of that".into())
    }

    async fn end(mut self, order: ItemOrder) -> Kept {
        self.end_by("the source ends", SourceProbe::end).await?.map_err(|message| panicked(&message))?;
        self.look()?;
        self.hints.come_true(self.came.len())?;
        self.has_all(order)
    }

    /// It has ended, with all that should have come.
    fn has_all(mut self, order: ItemOrder) -> Kept {
        // An end before that of the source is right if there would be nothing more.
        let early = if self.source.is_some() { PLENTY } else { 0 };
        let mut expected = (self.model)((0..self.sent + early).collect());
        keep(early == 0 || expected.len() <= self.came.len(), || "it ends before its source does".into())?;
        if order == ItemOrder::Any {
            self.came.sort();
            expected.sort();
        }
        keep(self.came == expected, || differ(&self.came, &expected))?;
        if self.made.is_fused {
            let again = self.poll().map_err(|message| panicked(&message))?;
            keep(again.map(|item| item.is_none()) == Poll::Ready(true), || "it does not stay ended".into())?;
        }
        Ok(())
    }

    async fn fail(mut self) -> Kept {
        let read = self.end_by("the source panics", |source| source.fail_in_story(NO_PAPER)).await?;
        let Err(message) = read else {
            let all = (self.model)((0..self.sent + PLENTY).collect());
            let complete = all.len() <= self.came.len();
            return keep(complete, || "its source panicked, and it ended as if all had come".into());
        };
        keep(message == NO_PAPER, || {
            format!("its source panicked with `{NO_PAPER}`, and the reader got `{message}`")
        })
    }

    async fn panics(mut self, expected: &str) -> Kept {
        if self.sent < 8 {
            self.send(8 - self.sent);
        }
        let Err(message) = self.end_by("the source ends", SourceProbe::end).await? else {
            return Err(never_panics(expected));
        };
        self.is_raised(expected, &message)
    }

    /// The operator has panicked, and the reader got this.
    fn is_raised(&self, expected: &str, message: &str) -> Kept {
        keep(message == expected, || format!("it panics with `{expected}`, and the reader got `{message}`"))?;
        keep(self.watch.is_dropped(), || "its panic is raised, and its source is not dropped yet".into())
    }

    fn give_up(self) -> Kept {
        let Self { plot, watch, made, .. } = self;
        plot.step("what is read is dropped");
        drop(made);
        keep(watch.is_dropped(), || "it is dropped, and its source is not".into())
    }

    /// The reader takes one item, or waits for it; the source has plenty.
    async fn leave_unread(mut self) -> Kept {
        self.send(PLENTY);
        self.plot.step("the reader reads one, and no more");
        loop {
            match self.poll().map_err(|message| panicked(&message))? {
                Poll::Ready(Some(item)) => break self.came.push(item),
                Poll::Ready(None) => return self.has_all(ItemOrder::Any),
                Poll::Pending => {
                    let woken = self.wakes.woken("the reader").await;
                    // An operator that brings everything together yields nothing before the end.
                    if self.watch.taken() as u64 == self.sent {
                        return Ok(());
                    }
                    woken?;
                }
            }
        }
        let mut before = usize::MAX;
        while before != self.watch.taken() {
            before = self.watch.taken();
            settle().await;
        }
        let taken = self.watch.taken();
        let most = self.most_taken();
        keep(taken <= most, || {
            format!(
                "{taken} items were taken from the source for the {} that were read, and {most} are enough",
                self.came.len()
            )
        })
    }

    /// How many items of the source are enough for what came, and for what may wait.
    fn most_taken(&self) -> usize {
        let sample = 1000_usize;
        let made = (self.model)((0..sample as u64).collect()).len();
        // Operators that drop items take more of them for the same output.
        let for_one = sample.div_ceil(made.clamp(1, sample)) + 1;
        let waiting = self.made.on_their_way.saturating_add(self.came.len() + 1);
        waiting.saturating_mul(for_one).saturating_add(HELD)
    }
}

pub(super) fn panicked(message: &str) -> String {
    format!("it panics when it is read: {message}")
}

fn never_panics(expected: &str) -> String {
    format!("it should panic with `{expected}` at the 7, and ended as if all had come")
}
