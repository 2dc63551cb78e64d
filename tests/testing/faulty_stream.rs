//! An adapter with one fault.

use futures::Stream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

/// What the adapter does wrong. Without a fault, it passes its items on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    None,
    LosesTheLast,
    YieldsTwice,
    Swaps,
    EndsEarly,
    ForgetsTheWaker,
    KeepsTheFirstWaker,
    HidesThePanic,
    ChangesThePanic,
    ReadsAhead,
    PollsAgainAfterTheEnd,
    HintsWrong,
    OnlyWakes,
    LeaksItsSource,
}

pub(crate) struct Faulty<S> {
    source: Arc<Mutex<Pin<Box<S>>>>,
    fault: Fault,
    held: Vec<u64>,
    waker: Option<Waker>,
    polls: usize,
    yielded: usize,
    has_ended: bool,
}

impl<S: Stream<Item = u64>> Faulty<S> {
    pub(crate) fn new(source: S, fault: Fault) -> Self {
        let source = Arc::new(Mutex::new(Box::pin(source)));
        if fault == Fault::LeaksItsSource {
            std::mem::forget(source.clone());
        }
        Self { source, fault, held: Vec::new(), waker: None, polls: 0, yielded: 0, has_ended: false }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let polled = self.source.lock().unwrap_or_else(PoisonError::into_inner).as_mut().poll_next(cx);
        self.has_ended = polled == Poll::Ready(None);
        polled
    }

    /// The second item of a pair comes before the first.
    fn poll_swapped(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        if self.yielded % 2 == 1 {
            return Poll::Ready(self.held.pop());
        }
        while self.held.len() < 2 {
            let Some(item) = ready!(self.poll_source(cx)) else { break };
            self.held.push(item);
        }
        Poll::Ready(self.held.pop())
    }

    fn poll_faulty(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        self.polls += 1;
        match self.fault {
            Fault::LosesTheLast => loop {
                let Some(item) = ready!(self.poll_source(cx)) else { return Poll::Ready(None) };
                self.held.push(item);
                if self.held.len() > 1 {
                    return Poll::Ready(Some(self.held.remove(0)));
                }
            },
            Fault::YieldsTwice => match self.held.pop() {
                Some(item) => Poll::Ready(Some(item)),
                None => {
                    let item = ready!(self.poll_source(cx));
                    self.held.extend(item.filter(|item| *item == 3));
                    Poll::Ready(item)
                }
            },
            Fault::Swaps => self.poll_swapped(cx),
            Fault::EndsEarly if self.yielded == 5 => Poll::Ready(None),
            Fault::ForgetsTheWaker if self.polls % 4 == 0 => Poll::Pending,
            Fault::KeepsTheFirstWaker => {
                let waker = self.waker.get_or_insert_with(|| cx.waker().clone()).clone();
                self.poll_source(&mut Context::from_waker(&waker))
            }
            Fault::HidesThePanic | Fault::ChangesThePanic => {
                match catch_unwind(AssertUnwindSafe(|| self.poll_source(cx))) {
                    Ok(polled) => polled,
                    Err(_) if self.fault == Fault::HidesThePanic => Poll::Ready(None),
                    Err(_) => resume_unwind(Box::new("something went wrong")),
                }
            }
            Fault::ReadsAhead => {
                while let Poll::Ready(Some(item)) = self.poll_source(cx) {
                    self.held.insert(0, item);
                }
                match self.held.pop() {
                    None if !self.has_ended => Poll::Pending,
                    item => Poll::Ready(item),
                }
            }
            Fault::PollsAgainAfterTheEnd => {
                let item = ready!(self.poll_source(cx));
                if item.is_none() {
                    self.has_ended = false;
                    return self.poll_source(cx);
                }
                Poll::Ready(item)
            }
            Fault::OnlyWakes => {
                let item = ready!(self.poll_source(cx));
                if item.is_none() {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(item)
            }
            // What is wrong with these is elsewhere, or not yet.
            _ => self.poll_source(cx),
        }
    }
}

impl<S: Stream<Item = u64>> Stream for Faulty<S> {
    type Item = u64;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        let this = self.get_mut();
        let polled = this.poll_faulty(cx);
        this.yielded += usize::from(matches!(polled, Poll::Ready(Some(_))));
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.fault == Fault::HintsWrong { (0, Some(3)) } else { (0, None) }
    }
}
