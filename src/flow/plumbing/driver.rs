//! The futures that pull one lane each and hand its items on: one task each, owned by the flow.

use crate::coop::{Pace, give_way};
use crate::demand::Demand;
use crate::dispatch::adapters::Route;
use crate::dispatch::{next_in_turn, share_of};
use crate::edge::Sender;
use crate::flow::plumbing::gauge::waits_for_demand;
use crate::flow::plumbing::outlet::Outlet;
use crate::lane::{Each, Lane};
use pin_project_lite::pin_project;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

pin_project! {
    /// Hands the items of a lane to the outlets that want some, batch by batch, in turn.
    #[must_use = "a driver does nothing until it is polled"]
    pub(in crate::flow) struct ShareDriver<L: Lane> {
        #[pin]
        lane: L,
        outlets: Vec<Outlet<L::Item>>,
        // The outlet that had its turn last.
        last: usize,
        // How many more times it waits for lanes that have not asked yet.
        patience: u32,
        // The length of a full batch.
        full: usize,
        // The lane has been pending once: from then on it is polled as long as any outlet wants items.
        waits: bool,
        pace: Pace,
        // Items taken from the lane for an outlet that closed meanwhile; the next outlet gets them first.
        stranded: Vec<L::Item>,
        discarded: Arc<AtomicU64>,
    }
}

impl<L: Lane> ShareDriver<L> {
    pub(in crate::flow) fn new(
        lane: L,
        senders: Vec<Sender<L::Item>>,
        demand: Demand,
        discarded: Arc<AtomicU64>,
    ) -> Self {
        let full = demand.batch();
        Self {
            lane,
            last: usize::MAX,
            patience: PATIENCE,
            full,
            waits: false,
            outlets: Outlet::all(senders, full),
            pace: Pace::default(),
            stranded: Vec::new(),
            discarded,
        }
    }
}

/// How many times other tasks get a turn before a lane gets its second batch while another lane has not asked for its
/// first. In most cases that lane is about to ask, and a short input might leave nothing for it. Why there is a limit:
/// some lanes never ask.
const PATIENCE: u32 = 200;

/// Picks the open outlet whose turn it is after `last`, and forgets the closed ones. `None`: no outlet is left.
///
/// With a `share`, which is less than a full batch, picks only outlets whose lane has fewer items than that in hand.
fn poll_pick<T>(
    outlets: &mut Vec<Outlet<T>>,
    last: usize,
    patience: &mut u32,
    share: Option<usize>,
    cx: &mut Context<'_>,
) -> Poll<Option<usize>> {
    // Every outlet without known demand is asked, so that each of them wakes this task.
    for outlet in outlets.iter_mut() {
        let _ = outlet.poll_open(cx);
    }
    outlets.retain(|outlet| !outlet.is_closed());
    if *patience > 0 && !outlets.iter().all(Outlet::has_asked) {
        let new = next_in_turn(outlets.len(), last, |at| outlets[at].open() > 0 && !outlets[at].was_served());
        if new.is_some() {
            return Poll::Ready(new);
        }
        if outlets.iter().any(|outlet| outlet.open() > 0) {
            *patience -= 1;
            return give_way(cx);
        }
    }
    let picked = next_in_turn(outlets.len(), last, |at| match share {
        None => outlets[at].open() > 0,
        Some(share) => outlets[at].poll_open_below(cx, share) > 0,
    });
    match picked {
        None if outlets.is_empty() => Poll::Ready(None),
        None => Poll::Pending,
        picked => Poll::Ready(picked),
    }
}

/// Hands on what was taken for an outlet that closed, as far as this one wants it.
fn hand_over<T>(stranded: &mut Vec<T>, outlet: &mut Outlet<T>) {
    let fits = outlet.open().min(stranded.len());
    for item in stranded.drain(..fits) {
        let _ = outlet.push(item);
    }
}

/// Takes back what an outlet that closed did not send. It comes before what is still stranded.
fn take_back<T>(stranded: &mut Vec<T>, outlet: &mut Outlet<T>) {
    let mut back = outlet.take();
    back.append(stranded);
    *stranded = back;
}

impl<L: Lane> Future for ShareDriver<L> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        this.pace.begin();
        loop {
            let picked = if let [outlet] = &mut this.outlets[..] {
                if outlet.poll_open(cx).is_pending() {
                    return waits_for_demand();
                }
                (!outlet.is_closed()).then_some((0, *this.full))
            } else {
                let share = share_of(this.lane.size_hint().1, this.outlets.len(), *this.full);
                let short = (share < *this.full && !*this.waits).then_some(share);
                let Poll::Ready(picked) = poll_pick(this.outlets, *this.last, this.patience, short, cx)
                else {
                    return waits_for_demand();
                };
                picked.map(|picked| (picked, share))
            };
            let Some((picked, full)) = picked else {
                count(this.discarded, this.stranded.len());
                return Poll::Ready(());
            };
            *this.last = picked;
            let waker = (this.outlets.len() == 1).then(|| cx.waker());
            let outlet = &mut this.outlets[picked];
            outlet.set_full(full);
            let polled = if this.stranded.is_empty() {
                let lane = this.lane.as_mut();
                outlet.fill(waker, |batch| lane.poll_each(cx, &mut |item| batch.push(item)))
            } else {
                hand_over(this.stranded, outlet);
                Poll::Ready(Each::Stopped)
            };
            outlet.flush(waker);
            if outlet.is_closed() {
                take_back(this.stranded, outlet);
            } else if polled == Poll::Ready(Each::Stopped) && waker.is_some() && outlet.open() == 0 {
                // Sending has registered the waker for the next demand.
                return waits_for_demand();
            }
            match polled {
                // Another outlet takes what is stranded; after that, the lane gives the same answer again.
                _ if !this.stranded.is_empty() => {}
                Poll::Ready(Each::Ended) => {
                    Outlet::finish_all(this.outlets);
                    return Poll::Ready(());
                }
                Poll::Ready(Each::Stopped) if this.pace.is_over() => return give_way(cx),
                Poll::Ready(Each::Stopped) => {}
                Poll::Pending => {
                    *this.waits = true;
                    Outlet::watch_all(this.outlets, cx);
                    return Poll::Pending;
                }
            }
        }
    }
}

pin_project! {
    /// Hands each item of a lane to the outlet that a route says.
    #[must_use = "a driver does nothing until it is polled"]
    pub(in crate::flow) struct RouteDriver<L: Lane, R> {
        #[pin]
        lane: L,
        route: R,
        outlets: Vec<Outlet<L::Item>>,
        pace: Pace,
        discarded: Arc<AtomicU64>,
    }
}

impl<L: Lane, R: Route<L::Item>> RouteDriver<L, R> {
    pub(in crate::flow) fn new(
        lane: L,
        route: R,
        senders: Vec<Sender<L::Item>>,
        demand: Demand,
        discarded: Arc<AtomicU64>,
    ) -> Self {
        Self { lane, route, outlets: Outlet::all(senders, demand.batch()), pace: Pace::default(), discarded }
    }
}

/// Waits until every outlet that still has a reader wants an item, as the next one may be for any of them: a lane
/// that lags, or has not asked yet, holds up what feeds it and nothing piles up. `false`: no reader is left.
fn poll_all_open<T>(outlets: &mut [Outlet<T>], cx: &mut Context<'_>) -> Poll<bool> {
    let (mut waiting, mut readers) = (false, false);
    for outlet in outlets {
        waiting |= outlet.poll_open(cx).is_pending();
        readers |= !outlet.is_closed();
    }
    if waiting { Poll::Pending } else { Poll::Ready(readers) }
}

/// Adds an item for which room has to be made: sends a full batch; breaks when nothing more is wanted. An item whose
/// reader has gone is counted.
///
/// A batch is sent inside the loop, because breaking off in the middle of a batch costs a copy of its rest. Not inlined,
/// so that the loop's own code stays short enough to be inlined; and cold, as it is called once a batch, so that the loop
/// does not jump over the call.
#[cold]
#[inline(never)]
fn add_slowly<T>(outlets: &mut [Outlet<T>], lane: usize, item: T, unread: &mut usize) -> ControlFlow<()> {
    let outlet = &mut outlets[lane];
    if outlet.is_closed() {
        *unread += 1;
    } else if outlet.push(item).is_break() {
        outlet.flush(None);
    }
    if outlet.open() > 0 {
        return ControlFlow::Continue(());
    }
    let goes_on = outlet.is_closed() && !outlets.iter().all(Outlet::is_closed);
    if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

impl<L: Lane, R: Route<L::Item>> RouteDriver<L, R> {
    fn poll_route(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        this.pace.begin();
        loop {
            match poll_all_open(this.outlets, cx) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => return Poll::Ready(()),
                Poll::Pending => return waits_for_demand(),
            }
            let (route, outlets) = (&mut *this.route, &mut *this.outlets);
            let lanes = outlets.len();
            let mut unread = 0;
            let polled = this.lane.as_mut().poll_each(cx, &mut |item| {
                let Some(lane) = route.route(&item, lanes) else {
                    return ControlFlow::Continue(());
                };
                let added = match outlets.get_mut(lane) {
                    Some(outlet) => outlet.add(item),
                    None => Err(item),
                };
                match added {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(item) => add_slowly(outlets, lane, item, &mut unread),
                }
            });
            count(this.discarded, unread);
            match ready!(polled) {
                Each::Ended => return Poll::Ready(()),
                Each::Stopped if this.pace.is_over() => return give_way(cx),
                Each::Stopped => {}
            }
        }
    }
}

impl<L: Lane, R: Route<L::Item>> Future for RouteDriver<L, R> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = self.as_mut().poll_route(cx);
        let this = self.project();
        for outlet in this.outlets {
            // Whatever this task waits for now, it holds no items that a lane waits for.
            if polled.is_pending() {
                outlet.flush(None);
                outlet.watch(cx);
            } else {
                outlet.finish();
            }
            if outlet.is_closed() {
                count(this.discarded, outlet.take().len());
            }
        }
        polled
    }
}

pin_project! {
    /// Runs a lane for its side effects.
    #[must_use = "a driver does nothing until it is polled"]
    pub(in crate::flow) struct DrainDriver<L> {
        #[pin]
        lane: L,
    }
}

impl<L> DrainDriver<L> {
    pub(in crate::flow) fn new(lane: L) -> Self {
        Self { lane }
    }
}

impl<L: Lane> Future for DrainDriver<L> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut lane = self.project().lane;
        while ready!(lane.as_mut().poll_each(cx, &mut |_| ControlFlow::Continue(()))) != Each::Ended {}
        Poll::Ready(())
    }
}

fn count(discarded: &AtomicU64, items: usize) {
    if items > 0 {
        discarded.fetch_add(items as u64, Ordering::Relaxed);
    }
}
