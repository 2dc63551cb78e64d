use crate::demand::Demand;
use crate::dispatch::adapters::{ByHash, ByKey, ByKeyRef, Route};
use crate::edge::{Receiver, Sender, edge, growing_edge};
use crate::flow::ordered::OrderedLane;
use crate::flow::plumbing::driver::{RouteDriver, ShareDriver};
use crate::flow::plumbing::envelope::{Bare, Numbered};
use crate::flow::plumbing::place::Layer;
use crate::flow::plumbing::plan::{Build, Hashed, LayerStart, Layered, Plan, Settings};
use crate::flow::plumbing::sequence::{Enumerated, Tagged};
use crate::flow::plumbing::tasks::Tasks;
use crate::lane::{Inlet, Lane};
use crate::sealed::Sealed;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Lays an edge from each of `uppers` to each lane of the layer that `settings` are for, and starts a driver for each
/// of `uppers`. Returns the lanes.
pub(in crate::flow) fn cross<L, D>(
    tasks: &mut Tasks,
    uppers: (&Layer, Vec<L>),
    settings: &Settings,
    driver: impl Fn(L, Vec<Sender<L::Item>>, Demand, Arc<AtomicU64>) -> D,
) -> Vec<Inlet<L::Item>>
where
    L: Lane<Item: Send + 'static>,
    D: Future<Output = ()> + Send + 'static,
{
    cross_by(tasks, uppers, settings, edge, driver)
}

/// The same for lanes that share all items by demand.
pub(in crate::flow) fn share<L>(
    tasks: &mut Tasks,
    uppers: (&Layer, Vec<L>),
    settings: &Settings,
) -> Vec<Inlet<L::Item>>
where
    L: Lane + Send + 'static,
    L::Item: Send + 'static,
{
    let edge = if settings.lanes() > 1 { growing_edge } else { edge };
    cross_by(tasks, uppers, settings, edge, ShareDriver::new)
}

fn cross_by<L, D>(
    tasks: &mut Tasks,
    (from, uppers): (&Layer, Vec<L>),
    settings: &Settings,
    edge: fn(Demand) -> (Sender<L::Item>, Receiver<L::Item>),
    driver: impl Fn(L, Vec<Sender<L::Item>>, Demand, Arc<AtomicU64>) -> D,
) -> Vec<Inlet<L::Item>>
where
    L: Lane<Item: Send + 'static>,
    D: Future<Output = ()> + Send + 'static,
{
    let mut edges: Vec<Vec<_>> = (0..settings.lanes()).map(|_| Vec::new()).collect();
    for (number, upper) in uppers.into_iter().enumerate() {
        let mut senders = Vec::with_capacity(edges.len());
        for (lane, receivers) in edges.iter_mut().enumerate() {
            let (sender, receiver) = edge(settings.demand);
            tasks.show_edge(number, Some((&settings.layer, lane)), &sender);
            senders.push(sender);
            receivers.push(receiver);
        }
        let discarded = tasks.discarded().clone();
        tasks.spawn(from, number, driver(upper, senders, settings.demand, discarded));
    }
    edges.into_iter().map(|receivers| Inlet::new(receivers, tasks.discarded().clone())).collect()
}

/// A plan whose layer gets its items from every lane of the layer above, dispatched by `D`.
#[must_use = "operators do nothing until the flow is read"]
pub struct Exchange<P, D> {
    upstream: P,
    dispatch: D,
    settings: Settings,
}

/// Dispatch by demand: the plan behind [`shuffle`](crate::Flow::shuffle).
#[derive(Debug, Clone, Copy)]
pub struct Shuffle;

/// Dispatch by a [`Route`]: the plan behind [`partition`](crate::Flow::partition) and its like.
#[derive(Debug, Clone, Copy)]
pub struct Routed<R>(pub(in crate::flow) R);

impl<P: Layered, D> Exchange<P, D> {
    pub(in crate::flow) fn new(mut upstream: P, dispatch: D, layer: Layer) -> Self {
        upstream.pass_through();
        Self { upstream, dispatch, settings: Settings::of(layer) }
    }
}

impl<P, D> Sealed for Exchange<P, D> {}

impl<P, D> Layered for Exchange<P, D> {
    fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }
}

impl<P: Plan> Plan for Exchange<P, Shuffle> {
    type Item = P::Item;
    type Carries = Bare;

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.upstream.size_hint()
    }
}

impl<P> Build<Bare> for Exchange<P, Shuffle>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
{
    type Lane = Inlet<P::Item>;

    fn build(mut self, tasks: &mut Tasks) -> Vec<Self::Lane> {
        let layer = self.upstream.settings().layer.clone();
        let uppers = self.upstream.build(tasks);
        share(tasks, (&layer, uppers), &self.settings)
    }
}

impl<P> Build<Numbered> for Exchange<P, Shuffle>
where
    P: Build<Numbered, Lane: Send + 'static, Item: Send + 'static>,
{
    type Lane = Inlet<Tagged<P::Item>>;

    /// Restores the order before the crossing: after it, the lanes share the items anew.
    fn build(mut self, tasks: &mut Tasks) -> Vec<Self::Lane> {
        let above = self.upstream.settings().clone();
        let (uppers, last) = tasks.in_order(|tasks| self.upstream.build(tasks));
        let ordered = Enumerated::new(OrderedLane::over(uppers, last, &above, tasks));
        share(tasks, (&above.layer, vec![ordered]), &self.settings)
    }
}

impl<P> Hashed for Exchange<P, Routed<ByHash>> {}

impl<P, F> Hashed for Exchange<P, Routed<ByKey<F>>> {}

impl<P, F> Hashed for Exchange<P, Routed<ByKeyRef<F>>> {}

impl<P: Plan, R> Plan for Exchange<P, Routed<R>> {
    type Item = P::Item;
    type Carries = Bare;

    fn size_hint(&self) -> (usize, Option<usize>) {
        // A router may drop items.
        (0, self.upstream.size_hint().1)
    }
}

impl<P, R> Build<Bare> for Exchange<P, Routed<R>>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
    R: Route<P::Item> + Clone + Send + 'static,
{
    type Lane = Inlet<P::Item>;

    fn build(mut self, tasks: &mut Tasks) -> Vec<Self::Lane> {
        let layer = self.upstream.settings().layer.clone();
        let uppers = self.upstream.build(tasks);
        let Routed(mut route) = self.dispatch;
        self.settings.seed(&mut route);
        cross(tasks, (&layer, uppers), &self.settings, |upper, senders, demand, discarded| {
            RouteDriver::new(upper, route.clone(), senders, demand, discarded)
        })
    }
}

impl<P, D> LayerStart for Exchange<P, D> where Self: Plan {}

impl<P: fmt::Debug, D: fmt::Debug> fmt::Debug for Exchange<P, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("upstream", &self.upstream)
            .field("dispatch", &self.dispatch)
            .field("settings", &self.settings)
            .finish()
    }
}
