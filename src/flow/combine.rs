pub(super) mod combiner;

use super::bounds::OpenLayer;
use super::combine::combiner::{CombinedPairs, Combiner};
use super::flow::Flow;
use super::plumbing::driver::RouteDriver;
use super::plumbing::envelope::{Bare, ClosedLayer};
use super::plumbing::exchange::{Uppers, cross};
use super::plumbing::plan::{Build, Hashed, Layered, Plan, Settings, To};
use super::plumbing::tasks::Tasks;
use crate::coop::give_way;
use crate::dispatch::LaneHash;
use crate::dispatch::adapters::Route;
use crate::lane::{Each, Inlet, Iter, Lane};
use crate::reduce::{KeepsState, Never, OnTrigger, ReduceLane, ReduceRules, Reducer, UnwindowedLane, Whole};
use crate::sealed::Sealed;
use crate::window::{Global, Info};
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::fmt;
use std::hash::Hash;
use std::iter;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<P> Flow<P> {
    /// Reduces to one value per key in two phases: first on each lane, then across lanes.
    ///
    /// `fill` puts an item into the [`Combiner`] of its lane, a table from keys to values, under as many keys as it
    /// likes. Only what the tables hold crosses to the next layer, by the hash of the key, where `merge` adds the
    /// second value of a key to the first. The pairs `(key, value)` come out at the end of input.
    ///
    /// This is what scales a count of words over cores: a word is copied and sent once per table that holds it, not
    /// each time it occurs. It needs a `merge` that gives the same result in any order and grouping (sums, maxima,
    /// sets …). A [`reduce`](Flow::reduce) after [`partition_by`](Flow::partition_by) needs no such promise, but sends
    /// every item.
    ///
    /// `max_keys` (at least 1, per lane) bounds the tables of the first phase. A table that has `max_keys` keys or more
    /// after an item is sent on and begun anew, so it holds at most `max_keys - 1` keys and those of one item. This
    /// does not change the result. The second phase holds every key once.
    ///
    /// # Demand
    /// [`lanes`](Flow::lanes) and [`demand`](Flow::demand) after `combine` are those of the second phase.
    ///
    /// # Ordering
    /// None: pairs come out in the order of the tables.
    ///
    /// # Panics
    /// When `max_keys` is 0. A panic in `fill` or `merge` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::collections::HashMap;
    ///
    /// # tokio_test::block_on(async {
    /// let lines = ["the quick fox".to_string(), "the lazy dog".to_string()];
    /// let counts: HashMap<String, u64> = Flow::from_iter(lines)
    ///     .combine(
    ///         100_000,
    ///         |counts, line| {
    ///             for word in line.split_whitespace() {
    ///                 *counts.at(word) += 1;
    ///             }
    ///         },
    ///         |count, more| *count += more,
    ///     )
    ///     .collect()
    ///     .await;
    /// assert_eq!((counts["the"], counts["fox"], counts.len()), (2, 1, 5));
    /// # });
    /// ```
    ///
    /// # Source
    /// None in Flow, whose guides build it by hand: a `reduce` per stage, then `partition` and another `reduce`.
    #[track_caller]
    pub fn combine<K, V, F, M>(self, max_keys: usize, fill: F, merge: M) -> Flow<Combine<P, K, V, F, M>>
    where
        P: OpenLayer,
        F: FnMut(&mut Combiner<K, V>, P::Item) + Clone,
        M: FnMut(&mut V, V) + Clone,
    {
        assert!(max_keys > 0, "max_keys must be at least 1, given 0");
        self.open("combine", |upstream, layer| Combine {
            local: Local {
                upstream,
                fill,
                max_keys,
                phase: CombinePhase::Filling(Combiner::default()),
                ended: false,
            },
            merge,
            settings: Settings::of(layer),
        })
    }
}

/// The plan behind [`Flow::combine`].
#[must_use = "operators do nothing until the flow is read"]
pub struct Combine<P, K, V, F, M> {
    local: Local<P, K, V, F>,
    merge: M,
    settings: Settings,
}

pin_project! {
    // The first phase: before it is built, the plan above and what to put on each of its lanes; after that, one lane.
    struct Local<L, K, V, F> {
        #[pin]
        upstream: L,
        fill: F,
        max_keys: usize,
        phase: CombinePhase<K, V>,
        // All input is in the tables.
        ended: bool,
    }
}

enum CombinePhase<K, V> {
    Filling(Combiner<K, V>),
    Sending(Iter<CombinedPairs<K, V>>),
}

/// The reducer that fills the second phase's tables.
pub struct MergingTables<K, V, M> {
    merge: M,
    table: PhantomData<fn() -> Combiner<K, V>>,
}

/// Takes the pairs out of a table.
type Pairs<K, V> = fn(&mut Combiner<K, V>, Info<Global>) -> CombinedPairs<K, V>;

impl<K, V, M> fmt::Debug for MergingTables<K, V, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergingTables").finish_non_exhaustive()
    }
}

impl<K, V, M> Sealed for MergingTables<K, V, M> {}

impl<K, V, M> KeepsState for MergingTables<K, V, M> {
    type State = Combiner<K, V>;

    fn init(&mut self) -> Combiner<K, V> {
        Combiner::default()
    }
}

impl<K: Hash + Eq, V, M: FnMut(&mut V, V), U> Reducer<(K, V), U> for MergingTables<K, V, M> {
    type Items = iter::Empty<U>;

    const EMITS: bool = false;

    #[inline]
    fn take(&mut self, table: &mut Combiner<K, V>, (key, value): (K, V)) -> iter::Empty<U> {
        table.merge(key, value, &mut self.merge);
        iter::empty()
    }
}

#[derive(Clone, Default)]
struct ByFirst(LaneHash);

impl<K: Hash, V> Route<(K, V)> for ByFirst {
    fn route(&mut self, pair: &(K, V), lanes: usize) -> Option<usize> {
        Some(self.0.lane(&pair.0, lanes))
    }

    fn seed(&mut self, seed: u64) {
        self.0 = LaneHash::seeded(seed);
    }
}

impl<P, K, V, F, M> Sealed for Combine<P, K, V, F, M> {}

impl<P, K, V, F, M> Layered for Combine<P, K, V, F, M> {
    fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }
}

impl<P, K, V, F, M> Hashed for Combine<P, K, V, F, M> {}

impl<P, K, V, F, M> Plan for Combine<P, K, V, F, M>
where
    P: OpenLayer<Lane: Send + 'static>,
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    F: FnMut(&mut Combiner<K, V>, P::Item) + Clone + Send + 'static,
    M: FnMut(&mut V, V) + Clone,
{
    type Item = (K, V);
    type Carries = ClosedLayer;

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl<P, K, V, F, M> Build<Bare> for Combine<P, K, V, F, M>
where
    P: OpenLayer<Lane: Send + 'static>,
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    F: FnMut(&mut Combiner<K, V>, P::Item) + Clone + Send + 'static,
    M: FnMut(&mut V, V) + Clone,
{
    type Lane = ReduceLane<
        UnwindowedLane<Inlet<(K, V)>>,
        MergingTables<K, V, M>,
        OnTrigger<Pairs<K, V>>,
        Never,
        (K, V),
        Whole,
        Global,
    >;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let Local { mut upstream, fill, max_keys, .. } = self.local;
        let layer = upstream.settings().layer.clone();
        let build = |tasks: &mut Tasks, to: To<'_, _>| {
            upstream.build(tasks, &mut |tasks, upstream| {
                let (fill, phase) = (fill.clone(), CombinePhase::Filling(Combiner::default()));
                to(tasks, Local { upstream, fill, max_keys, phase, ended: false });
            });
        };
        let mut route = ByFirst::default();
        self.settings.seed::<(K, V)>(&mut route);
        let driver = |upper, senders, demand, discarded| {
            RouteDriver::new(upper, route.clone(), senders, demand, discarded)
        };
        let (mut number, all) = (0, self.settings.lanes());
        cross(tasks, Uppers { layer: &layer, build }, &self.settings, driver, &mut |tasks, lane| {
            let rules = ReduceRules {
                reducer: MergingTables { merge: self.merge.clone(), table: PhantomData },
                emit: OnTrigger((|table, _| std::mem::take(table).into_pairs()) as Pairs<K, V>),
                merge: Never,
                lane: (number, all),
            };
            number += 1;
            to(tasks, ReduceLane::new(UnwindowedLane::new(lane), rules));
        });
    }
}

impl<L, K, V, F> Lane for Local<L, K, V, F>
where
    L: Lane,
    F: FnMut(&mut Combiner<K, V>, L::Item),
{
    fn poll_each<G>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut G) -> Poll<Each>
    where
        G: FnMut((K, V)) -> ControlFlow<()>,
    {
        let mut this = self.project();
        loop {
            match this.phase {
                CombinePhase::Sending(pairs) => match ready!(Pin::new(pairs).poll_each(cx, each)) {
                    Each::Stopped => return Poll::Ready(Each::Stopped),
                    Each::Ended if *this.ended => return Poll::Ready(Each::Ended),
                    Each::Ended => {
                        // The next table may fill up, too: it gets room at once. Small tables are many: each is a turn.
                        *this.phase = CombinePhase::Filling(Combiner::with_capacity(*this.max_keys));
                        return give_way(cx);
                    }
                },
                CombinePhase::Filling(table) => {
                    let (fill, max_keys) = (&mut *this.fill, *this.max_keys);
                    let polled = this.upstream.as_mut().poll_each(cx, &mut |item| {
                        fill(table, item);
                        if table.len() < max_keys {
                            ControlFlow::Continue(())
                        } else {
                            ControlFlow::Break(())
                        }
                    });
                    *this.ended = ready!(polled) == Each::Ended;
                    let full = std::mem::take(table);
                    *this.phase = CombinePhase::Sending(Iter::of(full.into_pairs()));
                }
            }
        }
    }
}

impl<L, K, V, F> Stream for Local<L, K, V, F>
where
    L: Lane,
    F: FnMut(&mut Combiner<K, V>, L::Item),
{
    type Item = (K, V);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<(K, V)>> {
        let mut next = None;
        let polled = self.poll_each(cx, &mut |pair| {
            next = Some(pair);
            ControlFlow::Break(())
        });
        match polled {
            Poll::Ready(_) => Poll::Ready(next),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<P: fmt::Debug, K, V, F, M> fmt::Debug for Combine<P, K, V, F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Combine")
            .field("upstream", &self.local.upstream)
            .field("max_keys", &self.local.max_keys)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
