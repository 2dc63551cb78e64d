//! The check of lanes: right ones pass, and each broken promise is told.

use crate::told;
use futures::Stream;
use gen_stage::lane::{Each, Lane, StreamLane};
use gen_stage::prelude::*;
use gen_stage::testing::{NumberStream, check_lane};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

fn same(numbers: Vec<u64>) -> Vec<u64> {
    numbers
}

#[test]
fn ours_keep_their_contract() {
    check_lane(|numbers| StreamLane::new(numbers, 500), same);
    check_lane(|numbers| StreamLane::new(numbers, 1), same);
    // A flow is a lane too.
    let squares = |numbers: Vec<u64>| numbers.iter().map(|n| n * n).collect();
    check_lane(|numbers| numbers.flow().lanes(1).demand(4, 2).map(|n| n * n), squares);
    check_lane(|numbers| numbers.flow().lanes(3).map_async(2, |n| async move { n }).ordered(), same);
}

/// What the lane does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    LosesTheLast,
    LosesAnItemAtABreak,
    GoesOnAfterABreak,
    SaysThatItWasStopped,
    SaysThatItEndedAtABreak,
    NeverGivesWay,
    SendsLongBatches,
    SendsEmptyBatches,
    IsNotFused,
    PanicsAfterItsEnd,
    ForgetsTheWaker,
    HidesThePanic,
    EndsWhenPending,
    HintsWrong,
}

/// Numbers as they come, but for its fault.
struct Faulty {
    numbers: NumberStream,
    fault: Fault,
    held: Option<u64>,
    has_ended: bool,
    calls: usize,
}

impl Faulty {
    fn new(numbers: NumberStream, fault: Fault) -> Self {
        Self { numbers, fault, held: None, has_ended: false, calls: 0 }
    }

    /// The next item, for all faces.
    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        if self.has_ended {
            match self.fault {
                Fault::IsNotFused => return Poll::Pending,
                Fault::PanicsAfterItsEnd => panic!("it has ended"),
                _ => return Poll::Ready(None),
            }
        }
        if self.fault == Fault::HidesThePanic {
            let polled = catch_unwind(AssertUnwindSafe(|| self.numbers.as_mut().poll_next(cx)));
            self.has_ended = !matches!(polled, Ok(Poll::Pending | Poll::Ready(Some(_))));
            return polled.unwrap_or(Poll::Ready(None));
        }
        let item = match self.numbers.as_mut().poll_next(cx) {
            Poll::Pending if self.fault == Fault::EndsWhenPending => None,
            polled => ready!(polled),
        };
        self.has_ended = item.is_none();
        if self.fault == Fault::LosesTheLast {
            let before = std::mem::replace(&mut self.held, item);
            if before.is_none() && !self.has_ended {
                return self.poll_item(cx);
            }
            return Poll::Ready(before.filter(|_| !self.has_ended));
        }
        Poll::Ready(item)
    }
}

impl Stream for Faulty {
    type Item = u64;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        self.get_mut().poll_item(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.fault == Fault::HintsWrong { (100, None) } else { (0, None) }
    }
}

impl Lane for Faulty {
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(u64) -> ControlFlow<()>,
    {
        let this = self.get_mut();
        this.calls += 1;
        match this.fault {
            Fault::ForgetsTheWaker if this.calls % 3 == 0 => return Poll::Pending,
            Fault::SaysThatItWasStopped if this.calls % 3 == 0 => return Poll::Ready(Each::Stopped),
            _ => {}
        }
        let turn = if this.fault == Fault::NeverGivesWay { usize::MAX } else { 500 };
        for _ in 0..turn {
            let Some(item) = ready!(this.poll_item(cx)) else { return Poll::Ready(Each::Ended) };
            if each(item).is_continue() {
                continue;
            }
            match this.fault {
                Fault::GoesOnAfterABreak => {}
                Fault::LosesAnItemAtABreak => {
                    let _ = this.poll_item(cx);
                    return Poll::Ready(Each::Stopped);
                }
                Fault::SaysThatItEndedAtABreak => return Poll::Ready(Each::Ended),
                _ => return Poll::Ready(Each::Stopped),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_batch(self: Pin<&mut Self>, cx: &mut Context<'_>, limit: usize) -> Poll<Option<Vec<u64>>> {
        let this = self.get_mut();
        if this.fault == Fault::SendsEmptyBatches && !this.has_ended {
            return Poll::Ready(Some(Vec::new()));
        }
        let most = if this.fault == Fault::SendsLongBatches { limit + 1 } else { limit };
        let mut batch = Vec::new();
        while batch.len() < most {
            match this.poll_item(cx) {
                Poll::Ready(Some(item)) => batch.push(item),
                // What came before the end goes first.
                Poll::Ready(None) if batch.is_empty() => return Poll::Ready(None),
                Poll::Pending if batch.is_empty() => return Poll::Pending,
                _ => break,
            }
        }
        Poll::Ready(Some(batch))
    }
}

#[test]
fn each_fault_is_found_and_told_with_the_story_that_led_to_it() {
    let faults = [
        (Fault::LosesTheLast, "never came: "),
        (Fault::LosesAnItemAtABreak, "never came: "),
        (Fault::GoesOnAfterABreak, " more after `poll_each` was broken"),
        (Fault::SaysThatItWasStopped, "it says that it was stopped, and was not"),
        (Fault::SaysThatItEndedAtABreak, "it was stopped, and says Ready(Ended) instead"),
        (Fault::NeverGivesWay, "one call takes 4000 items, and gives no other task a turn"),
        (Fault::SendsLongBatches, "a batch of up to "),
        (Fault::SendsEmptyBatches, " items has 0"),
        (Fault::IsNotFused, "after its end, it does not stay ended"),
        (Fault::PanicsAfterItsEnd, "after its end, it panics when it is read: it has ended"),
        (Fault::ForgetsTheWaker, "the task of the lane waits, and the waker of its last poll is never woken"),
        (Fault::HidesThePanic, "its source panicked, and it ended as if all had come"),
        (Fault::EndsWhenPending, "it ends before its source does"),
        (Fault::HintsWrong, "its size hint said that 100 or more items were still to come, and "),
    ];
    for (fault, expected) in faults {
        let text = told(|| check_lane(|numbers| Faulty::new(numbers, fault), same));
        assert!(text.starts_with("the lane breaks its contract: "), "{fault:?}: {text}");
        assert!(text.contains(expected), "{fault:?}: {text}");
        assert!(text.contains("; story "), "{fault:?}: {text}");
    }
    check_lane(|numbers| Faulty::new(numbers, Fault::None), same);
}
