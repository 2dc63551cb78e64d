//! One story that a lane lives through: a source before it, and calls of all its faces.

use super::operator_story::{NO_PAPER, PLENTY, panicked};
use super::reader::{Hints, Wakes, settle};
use super::source::{SourceProbe, SourceWatch};
use super::stories::{Kept, Plot, differ, keep};
use crate::lane::{Each, Lane};
use std::fmt::Debug;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::Poll;

pub(super) struct LaneStory<'a, L: Lane, M> {
    plot: &'a mut Plot,
    /// Until it was told how the source ends.
    source: Option<SourceProbe<u64>>,
    watch: SourceWatch<u64>,
    lane: Pin<Box<L>>,
    wakes: Wakes,
    has_ended: bool,
    sent: u64,
    came: Vec<L::Item>,
    hints: Hints,
    model: &'a M,
}

/// What a call came to, if nothing was wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Called {
    /// There may be more at once.
    GoesOn,
    Waits,
    Ended,
}

/// Why a call has no result.
enum Fault {
    Panicked(String),
    Broken(String),
}

impl<'a, L, M> LaneStory<'a, L, M>
where
    L: Lane<Item: Debug + PartialEq>,
    M: Fn(Vec<u64>) -> Vec<L::Item>,
{
    pub(super) fn new(plot: &'a mut Plot, source: SourceProbe<u64>, lane: L, model: &'a M) -> Self {
        Self {
            plot,
            watch: source.watch(),
            source: Some(source),
            lane: Box::pin(lane),
            wakes: Wakes::default(),
            has_ended: false,
            sent: 0,
            came: Vec::new(),
            hints: Hints::default(),
            model,
        }
    }

    /// Takes `steps` steps, each drawn at random.
    pub(super) async fn tell(&mut self, steps: u64) -> Kept {
        for _ in 0..steps {
            match self.plot.draw(10) {
                0..4 => {
                    let items = 1 + self.plot.draw(8) as u64;
                    self.send(items);
                }
                4..9 => _ = self.call().map_err(Fault::told)?,
                _ => settle().await,
            }
        }
        Ok(())
    }

    fn send(&mut self, items: u64) {
        let from = self.sent;
        self.sent += items;
        self.plot.step(format!("the source has {from} to {}", self.sent - 1));
        if let Some(source) = &self.source {
            (from..self.sent).for_each(|n| source.send(n));
        }
    }

    /// One call of one face, drawn at random.
    fn call(&mut self) -> Result<Called, Fault> {
        self.hints.note(self.came.len(), self.lane.size_hint());
        let ended = self.has_ended;
        let most = 1 + self.plot.draw(6);
        let called = match self.plot.draw(4) {
            0 => {
                self.plot.step("`poll_next` is called");
                self.next()?
            }
            1 => {
                self.plot.step(format!("`poll_batch` is called with the limit {most}"));
                self.batch(most)?
            }
            2 => {
                self.plot.step(format!("`poll_each` is called, to break at item {most},"));
                self.each(most)?
            }
            _ => {
                self.plot.step("`poll_each` is called, not to break,");
                self.each(usize::MAX)?
            }
        };
        self.plot.came_to(match called {
            Called::GoesOn => "has some",
            Called::Waits => "is pending",
            Called::Ended => "has ended",
        });
        self.has_ended |= called == Called::Ended;
        if ended && called != Called::Ended {
            return Err(Fault::Broken("it does not stay ended".into()));
        }
        if self.watch.is_polled_after_end() {
            return Err(Fault::Broken("it polls its source again after the end of that".into()));
        }
        Ok(called)
    }

    fn next(&mut self) -> Result<Called, Fault> {
        let lane = self.lane.as_mut();
        Ok(match self.wakes.poll(|cx| lane.poll_next(cx)).map_err(Fault::Panicked)? {
            Poll::Ready(Some(item)) => {
                self.came.push(item);
                Called::GoesOn
            }
            Poll::Ready(None) => Called::Ended,
            Poll::Pending => Called::Waits,
        })
    }

    fn batch(&mut self, limit: usize) -> Result<Called, Fault> {
        let lane = self.lane.as_mut();
        Ok(match self.wakes.poll(|cx| lane.poll_batch(cx, limit)).map_err(Fault::Panicked)? {
            Poll::Ready(Some(batch)) => {
                let length = batch.len();
                if length == 0 || length > limit {
                    return Err(Fault::Broken(format!("a batch of up to {limit} items has {length}")));
                }
                self.came.extend(batch);
                Called::GoesOn
            }
            Poll::Ready(None) => Called::Ended,
            Poll::Pending => Called::Waits,
        })
    }

    /// Calls `poll_each` with a closure that breaks at item `most`.
    fn each(&mut self, most: usize) -> Result<Called, Fault> {
        let (lane, came) = (self.lane.as_mut(), &mut self.came);
        let (mut passed, mut late) = (0, 0);
        let polled = self.wakes.poll(|cx| {
            lane.poll_each(cx, &mut |item| {
                came.push(item);
                late += usize::from(passed >= most);
                passed += 1;
                if passed < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
        });
        let polled = polled.map_err(Fault::Panicked)?;
        let broke = passed >= most;
        let broken = match polled {
            _ if late > 0 => format!("it passes {late} more after `poll_each` was broken"),
            Poll::Ready(Each::Stopped) if !broke => "it says that it was stopped, and was not".into(),
            Poll::Ready(Each::Ended) | Poll::Pending if broke => {
                format!("it was stopped, and says {polled:?} instead")
            }
            Poll::Ready(Each::Stopped) => return Ok(Called::GoesOn),
            Poll::Ready(Each::Ended) => return Ok(Called::Ended),
            Poll::Pending => return Ok(Called::Waits),
        };
        Err(Fault::Broken(broken))
    }

    /// The source ends, or panics; and the lane is called until it has ended, and after that.
    pub(super) async fn end(mut self, fails: bool) -> Kept {
        if self.has_ended {
            return self.has_all();
        }
        self.plot.step(if fails { "the source panics" } else { "the source ends" });
        let end =
            if fails { |source: SourceProbe<u64>| source.fail_in_story(NO_PAPER) } else { SourceProbe::end };
        self.source.take().map(end);
        loop {
            self.wakes.woken("the task of the lane").await?;
            match self.call() {
                Ok(Called::GoesOn | Called::Waits) => {}
                Ok(Called::Ended) if fails && !self.is_complete() => {
                    return Err("its source panicked, and it ended as if all had come".into());
                }
                Ok(Called::Ended) => break,
                Err(Fault::Panicked(message)) if fails => {
                    return keep(message == NO_PAPER, || {
                        format!("its source panicked with `{NO_PAPER}`, and the lane with `{message}`")
                    });
                }
                Err(fault) => return Err(fault.told()),
            }
        }
        for _ in 0..4 {
            self.call().map_err(|fault| format!("after its end, {}", fault.told()))?;
        }
        self.has_all()
    }

    /// Whether nothing more would come of a source without end.
    fn is_complete(&self) -> bool {
        (self.model)((0..self.sent + PLENTY).collect()).len() <= self.came.len()
    }

    /// It has ended, with all that should have come.
    fn has_all(self) -> Kept {
        let early = if self.source.is_some() { PLENTY } else { 0 };
        keep(early == 0 || self.is_complete(), || "it ends before its source does".into())?;
        let expected = (self.model)((0..self.sent + early).collect());
        keep(self.came == expected, || differ(&self.came, &expected))?;
        self.hints.come_true(self.came.len())
    }

    /// One call does not take all of a source that always has more.
    pub(super) fn take_plenty(&mut self) -> Kept {
        self.send(PLENTY);
        let called = self.each(usize::MAX).map_err(Fault::told)?;
        let taken = self.watch.taken();
        keep(called == Called::Ended || (taken as u64) < PLENTY, || {
            format!("one call takes {taken} items, and gives no other task a turn")
        })
    }
}

impl Fault {
    fn told(self) -> String {
        match self {
            Self::Panicked(message) => panicked(&message),
            Self::Broken(broken) => broken,
        }
    }
}
