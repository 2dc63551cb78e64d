use super::emit::Emit;
use super::info::{Info, Trigger};
use super::merge::MergeStates;
use super::places::{Places, Spread};
use super::reducer::{KeepsState, Reducer};
use super::signal::{Fire, Signal};
use super::states::States;
use crate::coop::Turn;
use crate::lane::{Bounded, Each, Lane, Origins, TakesRuns, poll_one};
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// A lane that takes items into a state for each window, and emits when triggers go off.
    #[must_use = "a lane does nothing until it is polled"]
    pub struct ReduceLane<L, R: Reducer<T, E::Item>, E: Emit<<R as KeepsState>::State, P, Id>, M, T, P: Places, Id> {
        #[pin]
        upstream: L,
        rules: ReduceRules<R, E, M>,
        states: P::States<R::State>,
        // What the reader has still to be given, in order: it had enough before.
        rest: VecDeque<Emission<R::Items, E::Items>>,
        turn: Turn,
        ended: bool,
        carries: PhantomData<fn(T) -> Id>,
    }
}

/// What to do with items and states; and which lane this is, of how many.
pub(crate) struct ReduceRules<R, E, M> {
    pub(crate) reducer: R,
    pub(crate) emit: E,
    pub(crate) merge: M,
    pub(crate) lane: (usize, usize),
}

/// Items on their way out: made of an item, or at a trigger.
enum Emission<A, B> {
    Item(A),
    Trigger(B),
}

impl<A, B: Iterator<Item = A::Item>> Emission<A, B>
where
    A: Iterator,
{
    #[inline]
    fn try_for_each(&mut self, each: &mut impl FnMut(A::Item) -> ControlFlow<()>) -> ControlFlow<()> {
        match self {
            Self::Item(items) => items.try_for_each(each),
            Self::Trigger(items) => items.try_for_each(each),
        }
    }
}

impl<L, R, E, M, T, P, Id> ReduceLane<L, R, E, M, T, P, Id>
where
    R: Reducer<T, E::Item>,
    E: Emit<<R as KeepsState>::State, P, Id>,
    P: Places,
{
    pub(crate) fn new(upstream: L, mut rules: ReduceRules<R, E, M>) -> Self {
        Self {
            upstream,
            states: States::start(|| rules.reducer.init()),
            rules,
            rest: VecDeque::new(),
            turn: Turn::default(),
            ended: false,
            carries: PhantomData,
        }
    }
}

/// The state of a window that is new.
#[cold]
fn init<R: KeepsState>(reducer: &mut R) -> R::State {
    reducer.init()
}

/// Passes on what was kept, in order.
fn pass_rest<A, B>(
    rest: &mut VecDeque<Emission<A, B>>,
    each: &mut impl FnMut(A::Item) -> ControlFlow<()>,
) -> ControlFlow<()>
where
    A: Iterator,
    B: Iterator<Item = A::Item>,
{
    while let Some(front) = rest.front_mut() {
        front.try_for_each(&mut *each)?;
        rest.pop_front();
    }
    ControlFlow::Continue(())
}

/// Keeps what the reader had no more room for.
#[cold]
fn keep<A, B>(rest: &mut VecDeque<Emission<A, B>>, emission: Emission<A, B>) {
    rest.push_back(emission);
}

impl<R, E, M> ReduceRules<R, E, M> {
    /// Does to a window what a signal says.
    #[inline(never)]
    fn signal<T, P, Id>(
        &mut self,
        states: &mut P::States<R::State>,
        rest: &mut VecDeque<Emission<R::Items, E::Items>>,
        signal: Signal<T, P, Id>,
        each: &mut impl FnMut(E::Item) -> ControlFlow<()>,
    ) -> ControlFlow<()>
    where
        R: Reducer<T, E::Item>,
        E: Emit<<R as KeepsState>::State, P, Id>,
        M: MergeStates<R::State, P>,
        P: Places,
    {
        match signal {
            // `Taker::take` takes items itself.
            Signal::Item(..) => {}
            Signal::Fire(fire) => {
                let mut items = self.fire::<T, P, Id>(states, fire);
                if items.try_for_each(each).is_break() {
                    rest.push_back(Emission::Trigger(items));
                    return ControlFlow::Break(());
                }
            }
            Signal::Merge { into, from } => {
                if let Some(from) = states.take(from) {
                    let Self { reducer, merge, .. } = self;
                    merge.merge(states.get(into, || reducer.init()), from);
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// What comes out for a trigger.
    fn fire<T, P, Id>(&mut self, states: &mut P::States<R::State>, fire: Fire<Id>) -> E::Items
    where
        R: Reducer<T, E::Item>,
        E: Emit<<R as KeepsState>::State, P, Id>,
        P: Places,
    {
        let Self { reducer, emit, .. } = self;
        let info = Info::new(fire.window, fire.trigger, self.lane);
        if fire.trigger == Trigger::Done {
            let state = states.take(fire.slot).unwrap_or_else(|| reducer.init());
            return emit.last(state, info);
        }
        emit.early(states.get(fire.slot, || reducer.init()), info)
    }
}

/// Takes what comes out of windows into their states.
struct Taker<'a, S, R, A, F, T, P, Id> {
    rules: &'a mut R,
    states: &'a mut S,
    rest: &'a mut VecDeque<A>,
    flow: ControlFlow<()>,
    each: F,
    carries: PhantomData<fn(T, P) -> Id>,
}

impl<S, R, A, F, T, P, Id> Sealed for Taker<'_, S, R, A, F, T, P, Id> {}

impl<R, E, M, F, T, P, Id> TakesRuns<Signal<T, P, Id>>
    for Taker<'_, P::States<R::State>, ReduceRules<R, E, M>, Emission<R::Items, E::Items>, F, T, P, Id>
where
    R: Reducer<T, E::Item>,
    E: Emit<<R as KeepsState>::State, P, Id>,
    M: MergeStates<R::State, P>,
    P: Spread<T>,
    F: FnMut(E::Item) -> ControlFlow<()>,
{
    const RUNS: bool = !R::EMITS;

    // Short, with everything rare moved elsewhere, so that it becomes a part of the loop that calls it.
    #[inline]
    fn take(&mut self, signal: Signal<T, P, Id>) -> ControlFlow<()> {
        let Self { rules, states, rest, flow, each, .. } = self;
        match signal {
            Signal::Item(places, item) => places.spread(item, |slot, item| {
                let ReduceRules { reducer, .. } = &mut **rules;
                let state = states.get(slot, || init(reducer));
                let mut items = reducer.take(state, item);
                // After a break, items are kept after those that wait already.
                if flow.is_continue() {
                    *flow = items.try_for_each(&mut *each);
                }
                if flow.is_break() {
                    keep(rest, Emission::Item(items));
                }
            }),
            signal => *flow = rules.signal::<T, P, Id>(states, rest, signal, each),
        }
        *flow
    }

    #[inline]
    fn take_run(&mut self, signals: impl Iterator<Item = Signal<T, P, Id>>) {
        let items = signals.map(|signal| match signal {
            Signal::Item(places, item) => (places, item),
            Signal::Fire(_) | Signal::Merge { .. } => unreachable!("a run is of items"),
        });
        P::spread_run(items, self.states, &mut self.rules.reducer, |reducer, state, item| {
            let mut emitted = reducer.take(state, item);
            debug_assert!(emitted.next().is_none(), "it says that it emits nothing");
        });
    }
}

impl<L, R, E, M, T, P, Id> Lane for ReduceLane<L, R, E, M, T, P, Id>
where
    L: Lane<Item = Signal<T, P, Id>>,
    R: Reducer<T, E::Item>,
    E: Emit<<R as KeepsState>::State, P, Id>,
    M: MergeStates<R::State, P>,
    P: Spread<T>,
{
    #[inline]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(E::Item) -> ControlFlow<()>,
    {
        let this = self.project();
        let mut bounded = Bounded::new(this.turn, each);
        let mut each = |item| bounded.pass(item);
        let (rules, states, rest) = (this.rules, this.states, &mut *this.rest);
        let flow = pass_rest(rest, &mut each);
        let polled = if flow.is_break() {
            Poll::Ready(Each::Stopped)
        } else if *this.ended {
            Poll::Ready(Each::Ended)
        } else {
            let mut taker = Taker { rules, states, rest, flow, each, carries: PhantomData };
            this.upstream.poll_runs(cx, &mut taker)
        };
        *this.ended |= polled == Poll::Ready(Each::Ended);
        // The last signal of a lane may be one that had to be broken off.
        let polled = if this.rest.is_empty() { polled } else { polled.map(|_| Each::Stopped) };
        bounded.answer(polled, cx)
    }

    fn origins(self: Pin<&mut Self>) -> Origins {
        // What comes out has its own times, whatever upstream it was made from.
        Origins::new(1)
    }
}

impl<L, R, E, M, T, P, Id> Stream for ReduceLane<L, R, E, M, T, P, Id>
where
    L: Lane<Item = Signal<T, P, Id>>,
    R: Reducer<T, E::Item>,
    E: Emit<<R as KeepsState>::State, P, Id>,
    M: MergeStates<R::State, P>,
    P: Spread<T>,
{
    type Item = E::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<E::Item>> {
        poll_one(self, cx)
    }
}

impl<L, R, E, M, T, P, Id> FusedStream for ReduceLane<L, R, E, M, T, P, Id>
where
    L: Lane<Item = Signal<T, P, Id>>,
    R: Reducer<T, E::Item>,
    E: Emit<<R as KeepsState>::State, P, Id>,
    M: MergeStates<R::State, P>,
    P: Spread<T>,
{
    fn is_terminated(&self) -> bool {
        self.ended && self.rest.is_empty()
    }
}

impl<L, R, E, M, T, P, Id> fmt::Debug for ReduceLane<L, R, E, M, T, P, Id>
where
    L: fmt::Debug,
    R: Reducer<T, E::Item>,
    E: Emit<<R as KeepsState>::State, P, Id>,
    P: Places,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReduceLane")
            .field("upstream", &self.upstream)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
