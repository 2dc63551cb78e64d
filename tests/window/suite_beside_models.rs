//! Random times against models that look at everything, item by item.

use super::ms;
use crate::support::sorted;
use gen_stage::Flow;
use gen_stage::window::{Trigger, Window};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A key and a time.
type Click = (u64, i64);

/// Lane, key (of sessions), start, name of the trigger, items.
type Emitted = (usize, u64, i64, &'static str, Vec<Click>);

#[derive(Debug, Clone)]
struct Shape {
    lanes: usize,
    demands: [usize; 2],
    size: i64,
    step: i64,
    lateness: i64,
    gaps: bool,
    clicks: Vec<Click>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let demand = || prop::sample::select(vec![1usize, 2, 3, 10, 1000]);
    (
        1usize..9,
        [demand(), demand()],
        (1i64..30, 1i64..30),
        prop::sample::select(vec![0i64, 1, 7, 40]),
        any::<bool>(),
        // Steps forward, with some back.
        prop::collection::vec((0u64..6, -30i64..40), 0..200),
        -1000i64..1000,
    )
        .prop_map(|(lanes, demands, (a, b), lateness, gaps, steps, from)| {
            let mut base = from;
            let clicks = steps
                .into_iter()
                .map(|(key, step)| {
                    base += 2;
                    (key, base + step)
                })
                .collect();
            Shape { lanes, demands, size: a.max(b), step: a.min(b), lateness, gaps, clicks }
        })
}

fn name(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Done => "done",
        Trigger::Watermark => "watermark",
        other => panic!("{other}"),
    }
}

impl Shape {
    fn lane_of(&self, key: u64) -> usize {
        key as usize % self.lanes
    }

    /// Runs, and sorts by lane: what is in a lane keeps its order.
    fn run(flow: impl Future<Output = (Vec<Emitted>, u64)>) -> (Vec<Emitted>, u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (mut emitted, late) = runtime.block_on(flow);
        emitted.sort_by_key(|emitted| emitted.0);
        (emitted, late)
    }

    /// The same, by looking at every window after every item.
    fn rows(&self) -> (Vec<Emitted>, u64) {
        let (mut all, mut late) = (Vec::new(), 0);
        for lane in 0..self.lanes {
            let mut emitted = Vec::new();
            let mut watermark = i64::MIN;
            // Items, and whether the watermark was told.
            let mut open = BTreeMap::<i64, (Vec<Click>, bool)>::new();
            // Behind which there may be gaps.
            let mut passed: Option<i64> = None;
            for click in self.clicks.iter().filter(|click| self.lane_of(click.0) == lane) {
                let time = click.1;
                watermark = watermark.max(time);
                let starts = (time - self.size + 1..=time).filter(|start| start.rem_euclid(self.step) == 0);
                let mut placed = false;
                for start in starts {
                    if open.contains_key(&start) || start + self.size + self.lateness > watermark {
                        open.entry(start).or_default().0.push(*click);
                        placed = true;
                    }
                }
                late += u64::from(!placed);
                while self.next(lane, watermark, &mut open, &mut passed, &mut emitted) {}
            }
            while let Some(first) = open.first_key_value().map(|(start, _)| *start) {
                let gap = passed.filter(|_| self.gaps).filter(|passed| *passed < first);
                let start = gap.unwrap_or(first);
                let (items, _) = open.remove(&start).unwrap_or_default();
                emitted.push((lane, 0, start, "done", items));
                passed = passed.max(Some(start + self.step));
            }
            all.append(&mut emitted);
        }
        (all, late)
    }

    /// What is due first: by time, and then by start.
    fn next(
        &self,
        lane: usize,
        watermark: i64,
        open: &mut BTreeMap<i64, (Vec<Click>, bool)>,
        passed: &mut Option<i64>,
        emitted: &mut Vec<Emitted>,
    ) -> bool {
        if let Some(passed) = passed.filter(|_| self.gaps) {
            let behind = open.range(passed..).next().map(|(start, _)| *start);
            if behind.is_some_and(|behind| behind > passed) && passed + self.size <= watermark {
                // An empty window is a window like the others.
                open.entry(passed).or_default();
            }
        }
        let due = |(start, (_, told)): (&i64, &(Vec<Click>, bool))| {
            (start + self.size + if *told { self.lateness } else { 0 }, *start)
        };
        let Some((at, start)) = open.iter().map(due).min() else { return false };
        if at > watermark {
            return false;
        }
        *passed = (*passed).max(Some(start + self.step));
        if self.lateness > 0 && !open[&start].1 {
            let window = open.get_mut(&start).unwrap();
            window.1 = true;
            emitted.push((lane, 0, start, "watermark", window.0.clone()));
        } else {
            let (items, _) = open.remove(&start).unwrap();
            emitted.push((lane, 0, start, "done", items));
        }
        true
    }

    /// Sessions by merging everything that is near.
    fn sessions(&self) -> (Vec<Emitted>, u64) {
        struct Open {
            lane: usize,
            key: u64,
            items: Vec<Click>,
            told: bool,
        }
        impl Open {
            fn first(&self) -> i64 {
                self.items.iter().map(|click| click.1).min().unwrap()
            }
            fn last(&self) -> i64 {
                self.items.iter().map(|click| click.1).max().unwrap()
            }
        }
        let gap = self.size;
        let (mut emitted, mut late) = (Vec::new(), 0);
        let mut open: Vec<Open> = Vec::new();
        let mut watermarks = vec![i64::MIN; self.lanes];
        for click in &self.clicks {
            let (key, time) = *click;
            let lane = self.lane_of(key);
            watermarks[lane] = watermarks[lane].max(time);
            let now = watermarks[lane];
            let (near, mut others): (Vec<Open>, Vec<Open>) = open.into_iter().partition(|session| {
                session.key == key && time > session.first() - gap && time < session.last() + gap
            });
            if near.is_empty() && time + gap + self.lateness <= now {
                late += 1;
            } else {
                // As told as the one that another becomes a part of: what counts is whether there is more to tell.
                let told = near.iter().any(|session| session.told);
                let mut items: Vec<Click> = near.into_iter().flat_map(|session| session.items).collect();
                items.push(*click);
                let mut session = Open { lane, key, items, told };
                session.told &= session.last() + gap <= now;
                others.push(session);
            }
            open = others;
            let mut at = 0;
            while at < open.len() {
                let session = &mut open[at];
                let end = session.last() + gap;
                if session.lane == lane && !session.told && end <= now && self.lateness > 0 {
                    session.told = true;
                    emitted.push((
                        lane,
                        session.key,
                        session.first(),
                        "watermark",
                        sorted(session.items.clone()),
                    ));
                }
                if session.lane == lane && end + self.lateness <= now {
                    let session = open.remove(at);
                    emitted.push((lane, session.key, session.first(), "done", sorted(session.items)));
                } else {
                    at += 1;
                }
            }
        }
        for session in open {
            emitted.push((session.lane, session.key, session.first(), "done", sorted(session.items)));
        }
        (sorted(emitted), late)
    }
}

/// The clicks of a shape, partitioned by key, through a window.
macro_rules! clicks {
    ($shape:expr, $window:expr) => {{
        let (shape, window) = (&$shape, $window);
        let (lanes, [x, y]) = (shape.lanes, shape.demands);
        Flow::from_iter(shape.clicks.clone())
            .lanes(1)
            .demand(x, x / 2)
            .partition_with(lanes, move |click: &Click| Some(click.0 as usize % lanes))
            .demand(y, y - 1)
            .window(window.allowed_lateness(ms(shape.lateness as u64)))
    }};
}

macro_rules! row {
    ($shape:expr, $window:expr) => {{
        let window = $window;
        let flow = clicks!($shape, if $shape.gaps { window.fill_gaps() } else { window });
        Shape::run(async move {
            let mut flow = flow.reduce(Vec::new, Vec::push).on_trigger(|list, info| {
                [(info.lane, 0, info.window.start, name(info.trigger), list.clone())]
            });
            let emitted: Vec<Emitted> = futures::StreamExt::collect(&mut flow).await;
            (emitted, flow.late())
        })
    }};
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn fixed_windows_emit_what_looking_at_every_window_says(shape in shape()) {
        let shape = Shape { step: shape.size, ..shape };
        let got = row!(shape, Window::fixed(ms(shape.size as u64), |click: &Click| click.1));
        prop_assert_eq!(got, shape.rows());
    }

    #[test]
    fn sliding_windows_emit_what_looking_at_every_window_says(shape in shape()) {
        let (size, step) = (ms(shape.size as u64), ms(shape.step as u64));
        let got = row!(shape, Window::sliding(size, step, |click: &Click| click.1));
        prop_assert_eq!(got, shape.rows());
    }

    #[test]
    fn sessions_are_what_merging_all_that_is_near_makes(shape in shape()) {
        let window = Window::session(ms(shape.size as u64), |click: &Click| click.0, |click| click.1);
        let flow = clicks!(shape, window);
        let (got, late) = Shape::run(async move {
            let mut flow = flow
                .reduce(Vec::new, Vec::push)
                .merge_states(Extend::extend)
                .on_trigger(|list, info| {
                    [(info.lane, info.window.key, info.window.start, name(info.trigger), sorted(list.clone()))]
                });
            let emitted: Vec<Emitted> = futures::StreamExt::collect(&mut flow).await;
            (emitted, flow.late())
        });
        prop_assert_eq!((sorted(got), late), shape.sessions());
    }

    #[test]
    fn count_windows_are_chunks(shape in shape()) {
        let lanes = shape.lanes;
        let [x, y] = shape.demands;
        let size = shape.size as usize;
        let flow = Flow::from_iter(shape.clicks.clone())
            .lanes(1)
            .demand(x, x / 2)
            .partition_with(lanes, move |click: &Click| Some(click.0 as usize % lanes))
            .demand(y, y - 1)
            .window(Window::count(size).every(3))
            .reduce(Vec::new, Vec::push)
            .on_trigger(|list, info| [(info.lane, 0, info.window as i64, if info.is_done() { "done" } else { "every" }, list.clone())]);
        let (got, _) = Shape::run(async move { (flow.collect::<Vec<Emitted>>().await, 0) });
        let mut expected: Vec<Emitted> = Vec::new();
        for lane in 0..lanes {
            let items: Vec<Click> = shape.clicks.iter().copied().filter(|click| shape.lane_of(click.0) == lane).collect();
            for at in 0..=items.len() / size {
                let window = &items[at * size..items.len().min((at + 1) * size)];
                for n in 1..=window.len() / 3 {
                    expected.push((lane, 0, at as i64, "every", window[..n * 3].to_vec()));
                }
                expected.push((lane, 0, at as i64, "done", window.to_vec()));
            }
        }
        prop_assert_eq!(got, expected);
    }
}
