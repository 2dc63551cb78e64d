use crate::coop::Turn;
use crate::flow::join::keys::JoinKeys;
use crate::flow::join::mode::{JoinMode, Side};
use crate::flow::join::table::{Meeting, Table, Unmatched};
use crate::lane::{Bounded, Each, Lane, poll_one};
use crate::reduce::{Fire, Places, Settled, Signal, Spread};
use crate::window::{Slot, Trigger};
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// A lane that joins the items of two flows, window by window.
    #[must_use = "a lane does nothing until it is polled"]
    pub struct JoinLane<S, M, L, R, K, P, Id>
    where
        K: JoinKeys<L, R>,
    {
        #[pin]
        upstream: S,
        keys: K,
        // The items of open windows, by slot.
        tables: Vec<Option<Table<K::Kept, L, R>>>,
        rest: Rest<L, R, Id>,
        // Clones of an item on their way into the other windows it belongs to.
        spread: Vec<(Slot, Side<L, R>)>,
        turn: Turn,
        carries: std::marker::PhantomData<fn() -> (M, P)>,
    }
}

/// What was still to be emitted when the reader broke off.
enum Rest<L, R, Id> {
    Nothing,
    /// An item that has met some items of the other side.
    Matching(Slot, Meeting),
    /// A window that is done: its items without a partner, and then the signal that it is done.
    Unmatched {
        left: Unmatched<L>,
        right: Unmatched<R>,
        fire: Fire<Id>,
    },
}

impl<S, M, L, R, K: JoinKeys<L, R>, P, Id> JoinLane<S, M, L, R, K, P, Id> {
    pub(in crate::flow) fn new(upstream: S, keys: K) -> Self {
        Self {
            upstream,
            keys,
            tables: Vec::new(),
            rest: Rest::Nothing,
            spread: Vec::new(),
            turn: Turn::default(),
            carries: std::marker::PhantomData,
        }
    }
}

/// The table of a window, made for its first item.
fn table<K, L, R>(tables: &mut Vec<Option<Table<K, L, R>>>, slot: Slot) -> &mut Table<K, L, R> {
    if tables.len() <= slot.index() {
        tables.resize_with(slot.index() + 1, || None);
    }
    tables[slot.index()].get_or_insert_with(Table::new)
}

impl<S, M, L, R, K, P, Id> Lane for JoinLane<S, M, L, R, K, P, Id>
where
    S: Lane<Item = Signal<Side<L, R>, P, Id>>,
    M: JoinMode<L, R>,
    L: Clone,
    R: Clone,
    K: JoinKeys<L, R>,
    P: Spread<Side<L, R>> + Settled,
{
    #[inline(always)]
    fn poll_each<E>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut E) -> Poll<Each>
    where
        E: FnMut(Signal<M::Row, P, Id>) -> ControlFlow<()>,
    {
        let this = self.project();
        let mut bounded = Bounded::new(this.turn, each);
        let mut each = |signal| bounded.pass(signal);
        let mut work = Work { keys: this.keys, tables: this.tables, rest: this.rest, spread: this.spread };
        let polled = if work.go_on::<M, P>(&mut each).is_break() {
            Poll::Ready(Each::Stopped)
        } else {
            this.upstream.poll_each(cx, &mut |signal| match signal {
                Signal::Item(places, item) => {
                    let mut first = None;
                    places.spread(item, |slot, item| match &first {
                        None => first = Some((slot, item)),
                        Some(_) => work.spread.push((slot, item)),
                    });
                    if let Some((slot, item)) = first {
                        work.item::<M, P>(slot, item, &mut each)?;
                    }
                    if work.spread.is_empty() {
                        ControlFlow::Continue(())
                    } else {
                        work.go_on::<M, P>(&mut each)
                    }
                }
                Signal::Fire(fire) => work.fire::<M, P>(fire, &mut each),
                // Windows whose places are settled are never merged.
                Signal::Merge { into, from } => each(Signal::Merge { into, from }),
            })
        };
        bounded.answer(polled, cx)
    }
}

/// The parts of a lane that joins, while it works.
struct Work<'a, L, R, K: JoinKeys<L, R>, Id> {
    keys: &'a mut K,
    tables: &'a mut Vec<Option<Table<K::Kept, L, R>>>,
    rest: &'a mut Rest<L, R, Id>,
    spread: &'a mut Vec<(Slot, Side<L, R>)>,
}

impl<L, R, K, Id> Work<'_, L, R, K, Id>
where
    L: Clone,
    R: Clone,
    K: JoinKeys<L, R>,
{
    /// Emits the rows of an item that has come, and keeps it.
    #[inline(always)]
    fn item<M, P>(
        &mut self,
        slot: Slot,
        item: Side<L, R>,
        each: &mut impl FnMut(Signal<M::Row, P, Id>) -> ControlFlow<()>,
    ) -> ControlFlow<()>
    where
        M: JoinMode<L, R>,
        P: Places,
    {
        match table(self.tables, slot).add(self.keys, item) {
            Some(meeting) => self.meet::<M, P>(slot, meeting, each),
            None => ControlFlow::Continue(()),
        }
    }

    #[inline(always)]
    fn meet<M, P>(
        &mut self,
        slot: Slot,
        meeting: Meeting,
        each: &mut impl FnMut(Signal<M::Row, P, Id>) -> ControlFlow<()>,
    ) -> ControlFlow<()>
    where
        M: JoinMode<L, R>,
        P: Places,
    {
        let mut row_of = |joined| each(Signal::Item(P::at(slot), joined));
        match table(self.tables, slot).meet::<M>(meeting, &mut row_of) {
            ControlFlow::Continue(()) => ControlFlow::Continue(()),
            ControlFlow::Break(rest) => {
                *self.rest = rest.map_or(Rest::Nothing, |meeting| Rest::Matching(slot, meeting));
                ControlFlow::Break(())
            }
        }
    }

    /// Passes a trigger on. Before the last one of a window, its items without a partner come out.
    fn fire<M, P>(
        &mut self,
        fire: Fire<Id>,
        each: &mut impl FnMut(Signal<M::Row, P, Id>) -> ControlFlow<()>,
    ) -> ControlFlow<()>
    where
        M: JoinMode<L, R>,
        P: Places,
    {
        if fire.trigger != Trigger::Done {
            return each(Signal::Fire(fire));
        }
        // The memory of a window is freed when it is done.
        let table = self.tables.get_mut(fire.slot.index()).and_then(Option::take);
        let none = || (Unmatched::none(), Unmatched::none());
        let (left, right) = table.map_or_else(none, Table::unmatched);
        *self.rest = Rest::Unmatched { left, right, fire };
        self.go_on::<M, P>(each)
    }

    /// Goes on where the reader broke off.
    #[inline]
    fn go_on<M, P>(
        &mut self,
        each: &mut impl FnMut(Signal<M::Row, P, Id>) -> ControlFlow<()>,
    ) -> ControlFlow<()>
    where
        M: JoinMode<L, R>,
        P: Places,
    {
        match std::mem::replace(self.rest, Rest::Nothing) {
            Rest::Nothing => {}
            Rest::Matching(slot, meeting) => self.meet::<M, P>(slot, meeting, each)?,
            Rest::Unmatched { mut left, mut right, fire } => {
                let places = P::at(fire.slot);
                let rows = left.by_ref().filter_map(M::left).chain(right.by_ref().filter_map(M::right));
                let mut rows = rows.map(|row| Signal::Item(places.clone(), row));
                let flow = rows.try_for_each(&mut *each);
                drop(rows);
                if flow.is_break() {
                    *self.rest = Rest::Unmatched { left, right, fire };
                    return flow;
                }
                *self.rest = Rest::Nothing;
                each(Signal::Fire(fire))?;
            }
        }
        while let Some((slot, item)) = self.spread.pop() {
            self.item::<M, P>(slot, item, each)?;
        }
        ControlFlow::Continue(())
    }
}

impl<S, M, L, R, K, P, Id> Stream for JoinLane<S, M, L, R, K, P, Id>
where
    S: Lane<Item = Signal<Side<L, R>, P, Id>>,
    M: JoinMode<L, R>,
    L: Clone,
    R: Clone,
    K: JoinKeys<L, R>,
    P: Spread<Side<L, R>> + Settled,
{
    type Item = Signal<M::Row, P, Id>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_one(self, cx)
    }
}

impl<S: fmt::Debug, M, L, R, K: JoinKeys<L, R>, P, Id> fmt::Debug for JoinLane<S, M, L, R, K, P, Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.tables.iter().flatten().count();
        f.debug_struct("JoinLane")
            .field("upstream", &self.upstream)
            .field("tables", &open)
            .finish_non_exhaustive()
    }
}
