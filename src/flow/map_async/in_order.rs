use crate::coop::{Turn, give_way};
use crate::flow::map_async::jobs::Jobs;
use crate::flow::map_async::limit::LanePermits;
use crate::flow::map_async::round::{Round, Then};
use crate::flow::plumbing::drop_count::DropCount;
use crate::flow::plumbing::envelope::{Envelope, Numbered};
use crate::flow::plumbing::sequence::Tagged;
use crate::lane::{Each, Lane, poll_one};
use crate::meter::LaneMeter;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::runtime::Handle;

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
        drop_count: DropCount,
    }

    impl<L, Fut: Future, F> PinnedDrop for MapAsyncLaneInOrder<L, Fut, F> {
        fn drop(this: Pin<&mut Self>) {
            this.drop_count.discard(this.line.items);
        }
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

    /// Passes on what needs not wait for anything before it, and lines up what must.
    #[inline(always)]
    fn pass(
        &mut self,
        tag: Tagged<()>,
        done: Option<Poll<T>>,
        each: &mut impl FnMut(Tagged<T>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let output = done.and_then(|done| match done {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        });
        if self.is_empty() {
            return Numbered::close(tag, output).map_or(ControlFlow::Continue(()), each);
        }
        self.push(tag, output.map_or(Awaited::Nothing, Awaited::Done));
        if self.has_room() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
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
    pub(in crate::flow) fn new(
        upstream: L,
        f: F,
        n: usize,
        gate: LanePermits,
        turn: usize,
        (meter, drop_count): (LaneMeter, DropCount),
    ) -> Self {
        let line = Line {
            queue: VecDeque::new(),
            passed: 0,
            places: Vec::new(),
            n,
            items: 0,
            length: n.saturating_add(turn),
        };
        let jobs = Jobs::new(Handle::current(), meter);
        Self { upstream, ended: false, f, gate, jobs, line, turn: Turn::new(turn), drop_count }
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
            let Poll::Ready(mut round) = Round::poll_begin(gate, cx) else {
                break;
            };
            let polled = this.upstream.as_mut().poll_each(cx, &mut |tagged| {
                let (tag, item) = Numbered::open(tagged);
                match item.map(|item| jobs.begin(f(item))) {
                    Some(Poll::Pending) => {
                        line.push_running(tag, jobs.spawn(round.take()));
                        round.go_on(line.has_room())
                    }
                    done => line.pass(tag, done, &mut |first| round.passed(each(first))),
                }
            });
            match round.end(polled, this.ended, cx) {
                Then::GoOn => {}
                Then::Wait => break,
                Then::Return(answer) => return answer,
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
