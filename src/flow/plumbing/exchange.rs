use crate::demand::Demand;
use crate::dispatch::adapters::{ByHash, ByKey, ByKeyRef, Route};
use crate::edge::{Receiver, Sender, edge, growing_edge};
use crate::flow::ordered::OrderedLane;
use crate::flow::plumbing::driver::{RouteDriver, ShareDriver};
use crate::flow::plumbing::envelope::{Bare, Numbered};
use crate::flow::plumbing::place::Layer;
use crate::flow::plumbing::plan::{Build, Hashed, LayerStart, Layered, Plan, Settings, To};
use crate::flow::plumbing::sequence::{Enumerated, Tagged};
use crate::flow::plumbing::tasks::{BoxedDriver, Tasks};
use crate::lane::{Inlet, Lane};
use crate::sealed::Sealed;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// What the edges of a crossing come from.
pub(in crate::flow) struct Uppers<'a, F> {
    /// The layer of the lanes above, whose tasks these are.
    pub(in crate::flow) layer: &'a Layer,
    /// Builds these lanes.
    pub(in crate::flow) build: F,
}

/// Lays an edge from each of `uppers` to each lane of the layer that `settings` are for, and starts a driver for each
/// of `uppers`. `to` takes the lanes.
pub(in crate::flow) fn cross<L, D>(
    tasks: &mut Tasks,
    uppers: Uppers<'_, impl FnOnce(&mut Tasks, To<'_, L>)>,
    settings: &Settings,
    driver: impl Fn(L, Vec<Sender<L::Item>>, Demand, Arc<AtomicU64>) -> D,
    to: To<'_, Inlet<L::Item>>,
) where
    L: Lane<Item: Send + 'static>,
    D: Future<Output = ()> + Send + 'static,
{
    cross_by(tasks, uppers, settings, edge, driver, to);
}

/// The same for lanes that share all items by demand.
pub(in crate::flow) fn share<L>(
    tasks: &mut Tasks,
    uppers: Uppers<'_, impl FnOnce(&mut Tasks, To<'_, L>)>,
    settings: &Settings,
    to: To<'_, Inlet<L::Item>>,
) where
    L: Lane<Item: Send + 'static> + Send + 'static,
{
    let edge = if settings.lanes() > 1 { growing_edge } else { edge };
    cross_by(tasks, uppers, settings, edge, ShareDriver::new, to);
}

fn cross_by<L, D>(
    tasks: &mut Tasks,
    uppers: Uppers<'_, impl FnOnce(&mut Tasks, To<'_, L>)>,
    settings: &Settings,
    edge: fn(Demand) -> (Sender<L::Item>, Receiver<L::Item>),
    driver: impl Fn(L, Vec<Sender<L::Item>>, Demand, Arc<AtomicU64>) -> D,
    to: To<'_, Inlet<L::Item>>,
) where
    L: Lane<Item: Send + 'static>,
    D: Future<Output = ()> + Send + 'static,
{
    let mut edges = Edges { lanes: Vec::new() };
    edges.lanes.resize_with(settings.lanes(), Vec::new);
    let mut drivers: Vec<BoxedDriver> = Vec::new();
    (uppers.build)(tasks, &mut |tasks, upper| {
        let senders = edges.lay(|| edge(settings.demand));
        let discarded = tasks.discarded().clone();
        drivers.push(Box::pin(driver(upper, senders, settings.demand, discarded)));
    });
    edges.show(tasks, &settings.layer);
    tasks.spawn_all(uppers.layer, drivers);
    edges.into_inlets(tasks, to);
}

/// The receivers of a crossing's edges.
struct Edges<T> {
    /// For each lane, one from each of the lanes above.
    lanes: Vec<Vec<Receiver<T>>>,
}

impl<T: Send + 'static> Edges<T> {
    /// Lays an edge to each lane, and returns the senders.
    fn lay(&mut self, edge: impl Fn() -> (Sender<T>, Receiver<T>)) -> Vec<Sender<T>> {
        let mut senders = Vec::with_capacity(self.lanes.len());
        for lane in &mut self.lanes {
            let (sender, receiver) = edge();
            senders.push(sender);
            lane.push(receiver);
        }
        senders
    }

    /// Shows the edges to monitors, right before the tasks are started that they come from.
    fn show(&self, tasks: &Tasks, layer: &Layer) {
        let uppers = self.lanes.first().map_or(0, Vec::len);
        for upper in 0..uppers {
            for (number, lane) in self.lanes.iter().enumerate() {
                tasks.show_edge(upper, Some((layer, number)), &lane[upper]);
            }
        }
    }

    fn into_inlets(self, tasks: &Tasks, to: To<'_, Inlet<T>>) {
        for lane in self.lanes {
            to(tasks, Inlet::new(lane, tasks.discarded().clone()));
        }
    }
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

    fn build(mut self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let layer = &self.upstream.settings().layer.clone();
        let uppers =
            Uppers { layer, build: |tasks: &mut Tasks, to: To<'_, _>| self.upstream.build(tasks, to) };
        share(tasks, uppers, &self.settings, to);
    }
}

impl<P> Build<Numbered> for Exchange<P, Shuffle>
where
    P: Build<Numbered, Lane: Send + 'static, Item: Send + 'static>,
{
    type Lane = Inlet<Tagged<P::Item>>;

    /// Restores the order before the crossing: after it, the lanes share the items anew.
    fn build(mut self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let above = self.upstream.settings().clone();
        let (uppers, last) = tasks.in_order(|tasks| self.upstream.build_all(tasks));
        let ordered = Enumerated::new(OrderedLane::over(uppers, last, &above, tasks));
        let uppers =
            Uppers { layer: &above.layer, build: |tasks: &mut Tasks, to: To<'_, _>| to(tasks, ordered) };
        share(tasks, uppers, &self.settings, to);
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

    fn build(mut self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let layer = &self.upstream.settings().layer.clone();
        let uppers =
            Uppers { layer, build: |tasks: &mut Tasks, to: To<'_, _>| self.upstream.build(tasks, to) };
        let Routed(mut route) = self.dispatch;
        self.settings.seed(&mut route);
        let driver = |upper, senders, demand, discarded| {
            RouteDriver::new(upper, route.clone(), senders, demand, discarded)
        };
        cross(tasks, uppers, &self.settings, driver, to);
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
