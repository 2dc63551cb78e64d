use crate::coop::{Turn, give_way};
use crate::flow::map_async::jobs::Jobs;
use crate::flow::map_async::limit::LanePermits;
use crate::flow::plumbing::envelope::{Envelope, Numbered};
use crate::flow::plumbing::sequence::Tagged;
use crate::lane::{Each, Lane, poll_one};
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::runtime::Handle;
use tokio::task::coop;

pin_project! {
    /// A lane of a layer with [`map_async`](crate::Flow::map_async), where its items carry their places: results come
    /// in the order in which the futures were started.
    #[must_use = "a lane does nothing until it is polled"]
    pub struct MapAsyncLaneInOrder<L, Fut: Future, F> {
        #[pin]
        upstream: L,
        // The upstream has ended.
        ended: bool,
        f: F,
        gate: LanePermits,
        jobs: Jobs<Fut>,
        line: Line<Fut::Output>,
        turn: Turn,
    }
}

/// What waits for its turn: results, futures that have none yet, and tags of items that were dropped upstream.
struct Line<T> {
    queue: VecDeque<(Tagged<()>, Awaited<T>)>,
    /// How many entries were taken from the front so far.
    passed: usize,
    /// The position of each job in the line, counted from the first entry ever.
    places: Vec<usize>,
    /// The most futures and results at a time.
    n: usize,
    /// How many futures and results there are.
    items: usize,
    /// The most entries of all kinds.
    length: usize,
}

enum Awaited<T> {
    Running,
    Done(T),
    Nothing,
}

impl<T> Awaited<T> {
    fn output(self) -> Option<T> {
        match self {
            Self::Done(output) => Some(output),
            Self::Running | Self::Nothing => None,
        }
    }
}

impl<T> Line<T> {
    fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn has_room(&self) -> bool {
        self.items < self.n && self.queue.len() < self.length
    }

    fn push(&mut self, tag: Tagged<()>, entry: Awaited<T>) {
        self.items += usize::from(!matches!(entry, Awaited::Nothing));
        self.queue.push_back((tag, entry));
    }

    fn push_running(&mut self, tag: Tagged<()>, job: usize) {
        if job >= self.places.len() {
            self.places.resize(job + 1, 0);
        }
        self.places[job] = self.passed + self.queue.len();
        self.push(tag, Awaited::Running);
    }

    fn finish(&mut self, job: usize, output: T) {
        let at = self.places[job] - self.passed;
        self.queue[at].1 = Awaited::Done(output);
    }

    /// The first in the line, if its turn has come.
    fn pop(&mut self) -> Option<Tagged<T>> {
        if matches!(self.queue.front()?, (_, Awaited::Running)) {
            return None;
        }
        let (tag, entry) = self.queue.pop_front()?;
        self.passed += 1;
        let output = entry.output();
        self.items -= usize::from(output.is_some());
        Numbered::close(tag, output)
    }
}

impl<L, Fut, F> MapAsyncLaneInOrder<L, Fut, F>
where
    Fut: Future<Output: Send> + Send + 'static,
{
    /// To be called in the context of the runtime of the lanes. `turn` is also how many entries the line may have
    /// beyond `n`.
    pub(in crate::flow) fn new(upstream: L, f: F, n: usize, gate: LanePermits, turn: usize) -> Self {
        let line = Line {
            queue: VecDeque::new(),
            passed: 0,
            places: Vec::new(),
            n,
            items: 0,
            length: n.saturating_add(turn),
        };
        let jobs = Jobs::new(Handle::current());
        Self { upstream, ended: false, f, gate, jobs, line, turn: Turn::new(turn) }
    }
}

impl<L, T, Fut, F> Lane for MapAsyncLaneInOrder<L, Fut, F>
where
    L: Lane<Item = Tagged<T>>,
    F: FnMut(T) -> Fut,
    Fut: Future<Output: Send> + Send + 'static,
{
    #[inline(always)]
    fn poll_each<G>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut G) -> Poll<Each>
    where
        G: FnMut(Tagged<Fut::Output>) -> ControlFlow<()>,
    {
        let mut this = self.project();
        let (f, jobs, gate, line) = (this.f, this.jobs, this.gate, this.line);
        while let Some((job, output)) = jobs.next_finished() {
            line.finish(job, output);
        }
        while let Some(first) = line.pop() {
            if each(first).is_break() {
                return Poll::Ready(Each::Stopped);
            }
        }
        while !*this.ended && line.has_room() {
            // As in `MapAsyncLane`.
            let Poll::Ready(permit) = gate.poll_permit(cx) else {
                break;
            };
            let mut permit = Some(permit);
            let (mut stopped, mut tired) = (false, false);
            let polled = this.upstream.as_mut().poll_each(cx, &mut |tagged| {
                let (tag, item) = Numbered::open(tagged);
                let begun = match item {
                    None => Awaited::Nothing,
                    Some(item) => match jobs.begin(f(item)) {
                        Poll::Ready(output) => Awaited::Done(output),
                        Poll::Pending => Awaited::Running,
                    },
                };
                match begun {
                    Awaited::Running => {
                        let job = jobs.spawn(permit.take());
                        line.push_running(tag, job);
                        // Once the budget is used up, tokio's futures are pending for no other reason.
                        tired = !coop::has_budget_remaining();
                        if !tired && line.has_room() {
                            permit = gate.try_permit();
                        }
                        if permit.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                    }
                    passes if line.is_empty() => {
                        let passed = Numbered::close(tag, passes.output());
                        let flow = passed.map_or(ControlFlow::Continue(()), &mut *each);
                        stopped = flow.is_break();
                        flow
                    }
                    waits => {
                        line.push(tag, waits);
                        if line.has_room() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                    }
                }
            });
            drop(permit);
            match polled {
                Poll::Ready(Each::Stopped) if stopped => return Poll::Ready(Each::Stopped),
                Poll::Ready(Each::Stopped) if tired => return give_way(cx),
                Poll::Ready(Each::Stopped) => {}
                Poll::Ready(Each::Ended) => *this.ended = true,
                Poll::Pending => break,
            }
        }
        if line.is_empty() {
            return if *this.ended { Poll::Ready(Each::Ended) } else { Poll::Pending };
        }
        // The first in the line is running.
        if jobs.poll_finished(cx).is_ready() {
            return give_way(cx);
        }
        Poll::Pending
    }
}

impl<L, T, Fut, F> Stream for MapAsyncLaneInOrder<L, Fut, F>
where
    L: Lane<Item = Tagged<T>>,
    F: FnMut(T) -> Fut,
    Fut: Future<Output: Send> + Send + 'static,
{
    type Item = Tagged<Fut::Output>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        ready!(self.as_mut().project().turn.poll_step(cx));
        poll_one(self, cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let waiting = self.line.queue.len();
        let (least, most) = if self.ended { (0, Some(0)) } else { self.upstream.size_hint() };
        (least.saturating_add(waiting), most.and_then(|most| most.checked_add(waiting)))
    }
}

impl<L, T, Fut, F> FusedStream for MapAsyncLaneInOrder<L, Fut, F>
where
    L: Lane<Item = Tagged<T>>,
    F: FnMut(T) -> Fut,
    Fut: Future<Output: Send> + Send + 'static,
{
    fn is_terminated(&self) -> bool {
        self.ended && self.line.is_empty()
    }
}

impl<L: fmt::Debug, Fut: Future, F> fmt::Debug for MapAsyncLaneInOrder<L, Fut, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapAsyncLaneInOrder")
            .field("upstream", &self.upstream)
            .field("waiting", &self.line.queue.len())
            .field("jobs", &self.jobs)
            .finish_non_exhaustive()
    }
}
