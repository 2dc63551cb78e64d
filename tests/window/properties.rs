//! Windows of every kind, in flows of any shape, against the same work done item by item.

use crate::model::{Item, Kind, Model, Name, Named, Out};
use crate::support::shapes::run;
use futures::{StreamExt, stream};
use gen_stage::prelude::*;
use gen_stage::window::{StreamWindow, Window};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn ms(millis: i64) -> Duration {
    Duration::from_millis(millis.try_into().unwrap())
}

/// Items of several sources, each out of order by at most `disorder`.
#[derive(Debug, Clone)]
struct Input {
    disorder: i64,
    sources: Vec<Vec<Item>>,
}

fn input(sources: usize) -> impl Strategy<Value = Input> {
    let disorder = prop::sample::select(vec![0i64, 1, 15, 120]);
    (disorder, -300i64..100, prop::sample::select(vec![0i64, 3, 12, 60])).prop_flat_map(
        move |(disorder, start, pace)| {
            let step = (0..=pace, 0..=disorder, 0u8..4);
            let source = prop::collection::vec(step, 0..90);
            prop::collection::vec(source, sources).prop_map(move |sources| {
                let mut id = 0;
                let mut item = |now: &mut i64, (pace, ahead, key): (i64, i64, u8)| {
                    *now += pace;
                    id += 1;
                    Item { at: *now + ahead, key, id }
                };
                let sources = sources.into_iter().map(|steps| {
                    let mut now = start;
                    steps.into_iter().map(|step| item(&mut now, step)).collect()
                });
                Input { disorder, sources: sources.collect() }
            })
        },
    )
}

fn grace() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![0i64, 0, 1, 10, 40, 150])
}

fn row() -> impl Strategy<Value = Kind> {
    (1i64..50, 1i64..50, any::<bool>(), grace(), any::<bool>()).prop_map(
        |(size, step, fixed, grace, gaps)| Kind::Row {
            size,
            step: if fixed { size } else { step.min(size) },
            grace,
            gaps,
        },
    )
}

fn event_timed() -> impl Strategy<Value = Kind> {
    prop_oneof![2 => row(), 1 => (1i64..40, grace()).prop_map(|(gap, grace)| Kind::Session { gap, grace })]
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        1 => Just(Kind::Global),
        1 => (1usize..30).prop_map(|items| Kind::Count { items }),
        4 => event_timed(),
    ]
}

#[derive(Debug, Clone, Copy)]
struct Layout {
    lanes: usize,
    demands: [usize; 2],
    threads: usize,
}

fn layout() -> impl Strategy<Value = Layout> {
    let demand = || prop::sample::select(vec![1usize, 2, 3, 10, 1000]);
    (1usize..9, [demand(), demand()], 1usize..3).prop_map(|(lanes, demands, threads)| Layout {
        lanes,
        demands,
        threads,
    })
}

impl Layout {
    fn run<R: Send + 'static>(self, flow: impl Future<Output = R> + Send + 'static) -> R {
        run(self.threads, flow)
    }
}

/// Calls the macro `$with` with the window that `$kind` says, and what a `reduce` of it needs.
macro_rules! with_window {
    ($kind:expr, $with:ident) => {
        match $kind {
            Kind::Global => $with!(Window::global()),
            Kind::Count { items } => $with!(Window::count(items)),
            Kind::Row { size, step, grace, gaps } if size == step => {
                let window = Window::fixed(ms(size), |item: &Item| item.at).allowed_lateness(ms(grace));
                $with!(if gaps { window.fill_gaps() } else { window })
            }
            Kind::Row { size, step, grace, gaps } => {
                let window =
                    Window::sliding(ms(size), ms(step), |item: &Item| item.at).allowed_lateness(ms(grace));
                $with!(if gaps { window.fill_gaps() } else { window })
            }
            Kind::Session { gap, grace } => {
                let window = Window::session(ms(gap), |item: &Item| item.key, |item| item.at)
                    .allowed_lateness(ms(grace));
                $with!(window, merge_states)
            }
        }
    };
}

/// The items of a window, sorted where windows may be merged.
fn ids_of(kind: Kind, ids: &[u32]) -> Vec<u32> {
    let mut ids = ids.to_vec();
    if matches!(kind, Kind::Session { .. }) {
        ids.sort_unstable();
    }
    ids
}

/// What comes out of one lane over one source, and what is late.
fn plain(kind: Kind, layout: Layout, items: Vec<Item>) -> (Vec<Out>, Vec<u32>) {
    let [x, _] = layout.demands;
    macro_rules! flow {
        ($window:expr $(, $merge:ident)?) => {{
            let (window, late) = $window.late_output(x);
            let flow = Flow::from_iter(items)
                .lanes(1)
                .demand(x, x / 2)
                .window(window)
                .reduce(Vec::new, |ids, item| ids.push(item.id))
                $(.$merge(|ids: &mut Vec<u32>, mut others| ids.append(&mut others)))?
                .on_trigger(move |ids, info| {
                    let trigger = info.trigger.to_string();
                    [Out::Window(info.window.name(), trigger, ids_of(kind, ids))]
                });
            let late = late.map(|item| item.id);
            layout.run(async { futures::join!(flow.collect(), late.collect()) })
        }};
    }
    with_window!(kind, flow)
}

/// The same over a stream, without a flow.
fn streamed(kind: Kind, layout: Layout, items: Vec<Item>) -> Vec<Out> {
    macro_rules! windowed {
        ($window:expr $(, $merge:ident)?) => {{
            let stream = stream::iter(items)
                .window($window)
                .reduce(Vec::new, |ids, item| ids.push(item.id))
                $(.$merge(|ids: &mut Vec<u32>, mut others| ids.append(&mut others)))?
                .on_trigger(move |ids, info| {
                    let trigger = info.trigger.to_string();
                    [Out::Window(info.window.name(), trigger, ids_of(kind, ids))]
                });
            layout.run(stream.into_stream().collect())
        }};
    }
    with_window!(kind, windowed)
}

/// With a trigger, and operators between the window and the `reduce`; in the second layer of a flow.
fn with_operators(kind: Kind, every: usize, layout: Layout, items: Vec<Item>) -> Vec<Out> {
    let [x, y] = layout.demands;
    macro_rules! flow {
        ($window:expr $(, $merge:ident)?) => {{
            let flow = Flow::from_iter(items)
                .lanes(1)
                .demand(x, x / 2)
                .shuffle()
                .lanes(1)
                .demand(y, y - 1)
                .window($window.every(every))
                .map(|item| item.id)
                .filter(|id| id % 5 != 0)
                .flat_map(|id| [id; 2].into_iter().take((id % 3) as usize))
                .map(|id| id * 10)
                .reduce(Vec::new, |ids, id| ids.push(id))
                $(.$merge(|ids: &mut Vec<u32>, mut others| ids.append(&mut others)))?
                .on_trigger(move |ids, info| {
                    let trigger = info.trigger.to_string();
                    [Out::Window(info.window.name(), trigger, ids_of(kind, ids))]
                });
            layout.run(flow.collect())
        }};
    }
    with_window!(kind, flow)
}

/// With a trigger, and items that come out at once.
fn emitting(kind: Kind, every: usize, layout: Layout, items: Vec<Item>) -> Vec<Out> {
    let [x, y] = layout.demands;
    macro_rules! flow {
        ($window:expr $(, $merge:ident)?) => {{
            let flow = Flow::from_iter(items)
                .lanes(1)
                .demand(x, x / 2)
                .shuffle()
                .lanes(1)
                .demand(y, 0)
                .window($window.every(every))
                .emit_and_reduce(Vec::new, |ids: &mut Vec<u32>, item: Item| {
                    ids.push(item.id);
                    [Out::Now(item.id, ids.len())]
                })
                $(.$merge(|ids: &mut Vec<u32>, mut others| ids.append(&mut others)))?
                .on_trigger(move |ids, info| {
                    let trigger = info.trigger.to_string();
                    [Out::Window(info.window.name(), trigger, ids_of(kind, ids))]
                });
            layout.run(flow.collect())
        }};
    }
    with_window!(kind, flow)
}

/// What came of a flow with several lanes.
struct Emitted {
    /// Lane, window, trigger, and by key all that went into the window so far.
    windows: Vec<(usize, Name, String, BTreeMap<u8, BTreeSet<u32>>)>,
    late: Vec<u32>,
}

/// Behind a partition by key.
fn partitioned(kind: Kind, layout: Layout, sources: Vec<Vec<Item>>) -> Emitted {
    let ([x, y], upper) = (layout.demands, sources.len());
    macro_rules! flow {
        ($window:expr $(, $merge:ident)?) => {{
            let (window, late) = $window.late_output(x);
            let flow = Flow::from_iters(sources)
                .lanes(upper)
                .demand(x, x / 2)
                .partition_by(|item| item.key)
                .lanes(layout.lanes)
                .demand(y, y / 2)
                .window(window)
                .reduce(BTreeMap::new, take)
                $(.$merge(merge))?
                .on_trigger(|keys, info| {
                    [(info.lane, info.window.name(), info.trigger.to_string(), keys.clone())]
                });
            let late = late.map(|item| item.id);
            layout.run(async {
                let (windows, late) = futures::join!(flow.collect(), late.collect());
                Emitted { windows, late }
            })
        }};
    }
    with_window!(kind, flow)
}

/// On the lanes of the sources, or of fewer or more of them, with operators in front of the window.
fn in_the_first_layer(kind: Kind, layout: Layout, sources: Vec<Vec<Item>>) -> (Emitted, u64) {
    let [x, _] = layout.demands;
    let late = Arc::new(AtomicU64::new(0));
    macro_rules! flow {
        ($window:expr $(, $merge:ident)?) => {{
            let flow = Flow::from_iters(sources)
                .lanes(layout.lanes)
                .demand(x, x / 2)
                .map(|item| Some(item))
                .flat_map(|item| item)
                .window($window.count_late(&late))
                .reduce(BTreeMap::new, take)
                $(.$merge(merge))?
                .on_trigger(|keys, info| {
                    [(info.lane, info.window.name(), info.trigger.to_string(), keys.clone())]
                });
            layout.run(flow.collect())
        }};
    }
    let windows = with_window!(kind, flow);
    (Emitted { windows, late: Vec::new() }, late.load(Ordering::Relaxed))
}

fn take(keys: &mut BTreeMap<u8, BTreeSet<u32>>, item: Item) {
    assert!(keys.entry(item.key).or_default().insert(item.id), "{item:?} comes into a window once");
}

fn merge(keys: &mut BTreeMap<u8, BTreeSet<u32>>, others: BTreeMap<u8, BTreeSet<u32>>) {
    for (key, mut ids) in others {
        keys.entry(key).or_default().append(&mut ids);
    }
}

impl Emitted {
    /// What windows of all lanes had in the end, by window and key; checks that they ended once.
    fn done(&self) -> Result<BTreeMap<(Name, u8), BTreeSet<u32>>, TestCaseError> {
        let (mut over, mut seen, mut all) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        for (lane, name, trigger, keys) in &self.windows {
            prop_assert!(!over.contains(&(*lane, *name)), "{name:?} of lane {lane} emits after its end");
            seen.insert((*lane, *name));
            if trigger == "done" {
                over.insert((*lane, *name));
                for (key, ids) in keys {
                    let of_all: &mut BTreeSet<u32> = all.entry((*name, *key)).or_default();
                    let before = of_all.len();
                    of_all.extend(ids);
                    prop_assert_eq!(of_all.len(), before + ids.len(), "an item is in one lane");
                }
            }
        }
        Ok(all)
    }

    /// No item is lost, and none both late and not.
    fn conserves(&self, sources: &[Vec<Item>]) -> Result<(), TestCaseError> {
        let reduced: BTreeSet<u32> = self.done()?.into_values().flatten().collect();
        let late: BTreeSet<u32> = self.late.iter().copied().collect();
        prop_assert_eq!(late.len(), self.late.len(), "an item is late once");
        prop_assert!(reduced.is_disjoint(&late));
        let all: BTreeSet<u32> = sources.iter().flatten().map(|item| item.id).collect();
        prop_assert_eq!(&reduced | &late, all);
        Ok(())
    }
}

/// All items at once, as if nothing ever were out of order.
fn at_once(kind: Kind, sources: &[Vec<Item>]) -> BTreeMap<(Name, u8), BTreeSet<u32>> {
    let mut items: Vec<Item> = sources.iter().flatten().copied().collect();
    items.sort_by_key(|item| item.at);
    let mut windows: BTreeMap<(Name, u8), BTreeSet<u32>> = BTreeMap::new();
    match kind {
        Kind::Row { size, step, .. } => {
            for Item { at, key, id } in items {
                for start in (at - size + 1..=at).filter(|start| start.rem_euclid(step) == 0) {
                    windows.entry(((0, start, start + size), key)).or_default().insert(id);
                }
            }
        }
        Kind::Session { gap, .. } => {
            for key in 0..4 {
                let of_key: Vec<_> = items.iter().filter(|item| item.key == key).collect();
                for session in of_key.chunk_by(|a, b| b.at - a.at < gap) {
                    let name = (key, session[0].at, session[session.len() - 1].at + gap);
                    windows.insert((name, key), session.iter().map(|item| item.id).collect());
                }
            }
        }
        Kind::Global | Kind::Count { .. } => unreachable!(),
    }
    windows
}

fn without_gaps(kind: Kind) -> Kind {
    match kind {
        Kind::Row { size, step, grace, .. } => Kind::Row { size, step, grace, gaps: false },
        kind => kind,
    }
}

fn with_grace(kind: Kind, least: i64) -> Kind {
    match kind {
        Kind::Row { size, step, grace, gaps } => Kind::Row { size, step, grace: grace.max(least), gaps },
        Kind::Session { gap, grace } => Kind::Session { gap, grace: grace.max(least) },
        kind => kind,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn one_lane_emits_what_the_model_does_in_its_order(
        kind in any_kind(),
        layout in layout(),
        input in input(1),
    ) {
        let items = input.sources[0].clone();
        let model = Model::run(kind, None, false, false, &items);
        let (got, late) = plain(kind, layout, items.clone());
        model.check(&got);
        prop_assert_eq!(&late, &model.late);
        model.check(&streamed(kind, layout, items));
    }

    #[test]
    fn operators_behind_a_window_see_its_items_and_a_trigger_counts_those_in_front_of_them(
        kind in any_kind(),
        every in 1usize..12,
        layout in layout(),
        input in input(1),
    ) {
        let items = input.sources[0].clone();
        Model::run(kind, Some(every), true, false, &items).check(&with_operators(kind, every, layout, items));
    }

    #[test]
    fn what_is_emitted_at_once_comes_in_front_of_what_its_item_sets_off(
        kind in any_kind(),
        every in 1usize..12,
        layout in layout(),
        input in input(1),
    ) {
        let items = input.sources[0].clone();
        Model::run(kind, Some(every), false, true, &items).check(&emitting(kind, every, layout, items));
    }

    #[test]
    fn lateness_that_covers_the_disorder_makes_the_windows_of_all_items_at_once(
        kind in event_timed(),
        layout in layout(),
        input in (1usize..5).prop_flat_map(input),
    ) {
        let kind = with_grace(without_gaps(kind), input.disorder);
        let got = partitioned(kind, layout, input.sources.clone());
        prop_assert_eq!(&got.late, &[] as &[u32]);
        prop_assert_eq!(got.done()?, at_once(kind, &input.sources));

        if let Kind::Row { .. } = kind {
            // There keys are in several lanes, and with them the windows.
            let (got, late) = in_the_first_layer(kind, layout, input.sources.clone());
            prop_assert_eq!(late, 0);
            prop_assert_eq!(got.done()?, at_once(kind, &input.sources));
        }
    }

    #[test]
    fn every_item_is_reduced_or_late_and_every_window_ends_once(
        kind in any_kind(),
        layout in layout(),
        input in (1usize..5).prop_flat_map(input),
    ) {
        let got = partitioned(kind, layout, input.sources.clone());
        got.conserves(&input.sources)?;
        match kind {
            Kind::Global => prop_assert_eq!(got.windows.len(), layout.lanes),
            Kind::Count { items } => {
                for lane in 0..layout.lanes {
                    let windows = got.windows.iter().filter(|window| window.0 == lane);
                    let sizes: Vec<usize> =
                        windows.clone().map(|(.., keys)| keys.values().map(BTreeSet::len).sum()).collect();
                    let (last, full) = sizes.split_last().expect("a window is open from the start");
                    prop_assert!(full.iter().all(|size| *size == items) && *last < items, "{:?}", sizes);
                    let numbers = windows.map(|(_, (_, number, _), ..)| *number);
                    prop_assert!(numbers.eq(0..sizes.len() as i64), "one after the other");
                }
            }
            Kind::Row { .. } | Kind::Session { .. } => {}
        }
        let all = input.sources.iter().map(Vec::len).sum::<usize>() as u64;
        let (got, late) = in_the_first_layer(kind, layout, input.sources);
        let reduced: BTreeSet<u32> = got.done()?.into_values().flatten().collect();
        prop_assert_eq!(reduced.len() as u64 + late, all);
    }
}
