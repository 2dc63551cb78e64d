//! Layers that go on taking items while theirs are not wanted, and hold a bounded part of them.

use crate::coop::{Pace, give_way};
use crate::demand::Demand;
use crate::dispatch::next_in_turn;
use crate::edge::{Sender, edge};
use crate::flow::flow::Flow;
use crate::flow::monitor::Losses;
use crate::flow::plumbing::driver::ShareDriver;
use crate::flow::plumbing::envelope::{Bare, Numbered};
use crate::flow::plumbing::exchange::{Uppers, cross};
use crate::flow::plumbing::gauge::waits_for_demand;
use crate::flow::plumbing::outlet::Outlet;
use crate::flow::plumbing::place::Layer;
use crate::flow::plumbing::plan::{Build, LayerStart, Layered, Plan, Settings, To};
use crate::flow::plumbing::sequence::Tagged;
use crate::flow::plumbing::tasks::Tasks;
use crate::lane::{Each, Inlet, Lane};
use crate::sealed::Sealed;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// What is held of the items that were taken and are not wanted yet.
pub trait Hold<T>: Sealed {
    /// Whether an item that is wanted goes out when it comes, before the next is taken.
    #[doc(hidden)]
    const AT_ONCE: bool;

    /// The flow starts.
    #[doc(hidden)]
    fn begin(&mut self) {}

    /// Takes an item in; returns how many items are dropped for it.
    #[doc(hidden)]
    fn add(&mut self, item: T) -> u64;

    /// The next item, when it may go out. After the end of the input nothing is waited for.
    #[doc(hidden)]
    fn poll_next(&mut self, ended: bool, cx: &mut Context<'_>) -> Poll<T>;

    /// How many items are held.
    #[doc(hidden)]
    fn held(&self) -> usize;
}

/// A plan whose layer takes items without waiting for demand, and holds them in `H`.
#[must_use = "operators do nothing until the flow is read"]
pub struct Holding<P, H> {
    upstream: P,
    hold: H,
    settings: Settings,
}

impl<P> Flow<P> {
    /// Opens a layer that takes items whether or not its own are wanted, as the method `name` does.
    ///
    /// It has one lane, and asks for one item at a time, unless it is told otherwise: what has crossed an edge is not
    /// held any more.
    #[track_caller]
    pub(in crate::flow) fn holding<H>(self, name: &'static str, hold: H) -> Flow<Holding<P, H>>
    where
        P: Layered,
    {
        let mut flow = self.open(name, |plan, layer| Holding::new(plan, hold, layer));
        flow.launch.topology.last(|layer| (layer.lanes, layer.demand) = (Some(1), Demand::ONE));
        flow
    }
}

impl<P: Layered, H> Holding<P, H> {
    fn new(mut upstream: P, hold: H, layer: Layer) -> Self {
        upstream.pass_through();
        let mut settings = Settings::of(layer).one_lane();
        settings.demand = Demand::ONE;
        Self { upstream, hold, settings }
    }

    /// Starts the task that takes the items. `to` takes the lanes that get what `wrap` makes of those that go out.
    fn lanes<T, U, W>(mut self, tasks: &mut Tasks, wrap: W, to: To<'_, Inlet<U>>)
    where
        P: Build<Bare, Item = T, Lane: Send + 'static>,
        H: Hold<T> + Send + 'static,
        T: Send + 'static,
        U: Send + 'static,
        W: FnMut(T) -> U + Send + 'static,
    {
        let above = self.upstream.settings().clone();
        // The numbers of the layer below begin here: no operator above may say which of them is the last.
        let mut uppers = tasks.without_order(|tasks| self.upstream.build_all(tasks));
        if uppers.len() == 1 {
            hold(tasks, (&above.layer, uppers.remove(0)), self.hold, &self.settings, wrap, to);
            return;
        }
        let above = above.one_lane();
        let build = |tasks: &mut Tasks, to: To<'_, _>| uppers.into_iter().for_each(|upper| to(tasks, upper));
        let mut all = None;
        cross(tasks, Uppers { layer: &above.layer, build }, &above, ShareDriver::new, &mut |_, lane| {
            all = Some(lane);
        });
        // There is one lane.
        if let Some(all) = all {
            hold(tasks, (&above.layer, all), self.hold, &self.settings, wrap, to);
        }
    }
}

/// Lays an edge to each lane of the layer that `settings` are for, and starts the driver that reads `upper`. `to` takes
/// the lanes.
fn hold<L, H, W, U>(
    tasks: &mut Tasks,
    (from, upper): (&Layer, L),
    mut hold: H,
    settings: &Settings,
    wrap: W,
    to: To<'_, Inlet<U>>,
) where
    L: Lane<Item: Send> + Send + 'static,
    H: Hold<L::Item> + Send + 'static,
    W: FnMut(L::Item) -> U + Send + 'static,
    U: Send + 'static,
{
    let mut senders = Vec::with_capacity(settings.lanes());
    let mut receivers = Vec::with_capacity(settings.lanes());
    for lane in 0..settings.lanes() {
        let (sender, receiver) = edge(settings.demand);
        tasks.show_edge(0, Some((&settings.layer, lane)), &receiver);
        senders.push(sender);
        receivers.push(receiver);
    }
    let losses = tasks.losses().clone();
    hold.begin();
    tasks.spawn(from, HoldDriver::new(upper, hold, wrap, senders, settings.demand, losses));
    for receiver in receivers {
        let inlet = Inlet::new(vec![receiver], tasks.discarded().clone());
        to(tasks, inlet);
    }
}

impl<P, H> Sealed for Holding<P, H> {}

impl<P, H> Layered for Holding<P, H> {
    fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }
}

impl<P: Plan, H> Plan for Holding<P, H> {
    type Item = P::Item;
    type Carries = Bare;

    fn size_hint(&self) -> (usize, Option<usize>) {
        // The last item is held until it goes out.
        let (least, most) = self.upstream.size_hint();
        (least.min(1), most)
    }
}

impl<P, H> Build<Bare> for Holding<P, H>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
    H: Hold<P::Item> + Send + 'static,
{
    type Lane = Inlet<P::Item>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        self.lanes(tasks, |item| item, to);
    }
}

impl<P, H> Build<Numbered> for Holding<P, H>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
    H: Hold<P::Item> + Send + 'static,
{
    type Lane = Inlet<Tagged<P::Item>>;

    /// Numbers the items anew, as they go out.
    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let mut numbers = 0..;
        self.lanes(tasks, move |item| Tagged::Whole(numbers.next().unwrap_or(u64::MAX), item), to);
    }
}

impl<P: Plan, H> LayerStart for Holding<P, H> {}

pin_project! {
    /// Takes the items of a lane as they come, holds them, and hands out what is held as it is wanted.
    #[must_use = "a driver does nothing until it is polled"]
    struct HoldDriver<L, H, W, U> {
        #[pin]
        lane: L,
        hold: H,
        wrap: W,
        outlets: Vec<Outlet<U>>,
        // The outlet that had its turn last.
        last: usize,
        // An item was asked for. Before that nothing is taken: the source would be ahead of lanes that are about to start.
        begun: bool,
        ended: bool,
        pace: Pace,
        losses: Losses,
    }
}

impl<L, H, W, U> HoldDriver<L, H, W, U> {
    fn new(lane: L, hold: H, wrap: W, senders: Vec<Sender<U>>, demand: Demand, losses: Losses) -> Self {
        let outlets = Outlet::all(senders, demand.batch());
        Self {
            lane,
            hold,
            wrap,
            outlets,
            last: usize::MAX,
            begun: false,
            ended: false,
            pace: Pace::default(),
            losses,
        }
    }
}

impl<L, H, W, U> HoldDriver<L, H, W, U>
where
    L: Lane,
    H: Hold<L::Item>,
    W: FnMut(L::Item) -> U,
{
    /// Hands out what may go, and forgets outlets that closed. Says whether more is wanted.
    fn hand_out(self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        let this = self.project();
        let (outlets, last) = (this.outlets, this.last);
        let wanted = loop {
            for outlet in outlets.iter_mut() {
                // One without open demand wakes this task when it has some.
                let _ = outlet.poll_open(cx);
            }
            let Some(at) = next_in_turn(outlets.len(), *last, |at| outlets[at].open() > 0) else {
                break false;
            };
            let Poll::Ready(item) = this.hold.poll_next(*this.ended, cx) else {
                break true;
            };
            *last = at;
            if outlets[at].push((this.wrap)(item)).is_break() {
                outlets[at].flush(None);
            }
        };
        outlets.iter_mut().for_each(|outlet| outlet.flush(None));
        let mut unsent = 0;
        outlets.retain_mut(|outlet| {
            if outlet.is_closed() {
                unsent += outlet.take().len() as u64;
            }
            !outlet.is_closed()
        });
        count(&this.losses.discarded, unsent);
        wanted
    }

    /// Takes items in: one, if it is to go out at once, or else all that are ready.
    fn poll_take_in(self: Pin<&mut Self>, wanted: bool, cx: &mut Context<'_>) -> Poll<Each> {
        let this = self.project();
        let (hold, mut replaced) = (this.hold, 0);
        let polled = this.lane.poll_each(cx, &mut |item| {
            replaced += hold.add(item);
            if wanted && H::AT_ONCE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        count(&this.losses.replaced, replaced);
        polled
    }
}

impl<L, H, W, U> Future for HoldDriver<L, H, W, U>
where
    L: Lane,
    H: Hold<L::Item>,
    W: FnMut(L::Item) -> U,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.as_mut().project().pace.begin();
        loop {
            let wanted = self.as_mut().hand_out(cx);
            let this = self.as_mut().project();
            if this.outlets.is_empty() {
                count(&this.losses.discarded, this.hold.held() as u64);
                return Poll::Ready(());
            }
            *this.begun |= this.outlets.iter().any(Outlet::has_asked);
            if !*this.begun {
                return waits_for_demand();
            }
            if *this.ended {
                if this.hold.held() > 0 {
                    return waits_for_demand();
                }
                Outlet::finish_all(this.outlets);
                return Poll::Ready(());
            }
            match self.as_mut().poll_take_in(wanted, cx) {
                Poll::Ready(Each::Ended) => *self.as_mut().project().ended = true,
                Poll::Ready(Each::Stopped) if self.as_mut().project().pace.is_over() => return give_way(cx),
                Poll::Ready(Each::Stopped) => {}
                Poll::Pending => {
                    if wanted {
                        // What was taken in may go now, or sets a timer.
                        self.as_mut().hand_out(cx);
                    }
                    let this = self.as_mut().project();
                    if !this.outlets.is_empty() {
                        Outlet::watch_all(this.outlets, cx);
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

fn count(losses: &AtomicU64, items: u64) {
    if items > 0 {
        losses.fetch_add(items, Ordering::Relaxed);
    }
}

impl<P: fmt::Debug, H: fmt::Debug> fmt::Debug for Holding<P, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holding")
            .field("upstream", &self.upstream)
            .field("hold", &self.hold)
            .field("settings", &self.settings)
            .finish()
    }
}
