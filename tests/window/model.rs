//! What windows should do, item by item and without any cleverness: the model of the property tests.

use gen_stage::window::{Global, Session, Span};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    pub(crate) at: i64,
    pub(crate) key: u8,
    pub(crate) id: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Global,
    Count {
        items: usize,
    },
    /// Fixed windows, or sliding ones with a step that is shorter than the size.
    Row {
        size: i64,
        step: i64,
        grace: i64,
        gaps: bool,
    },
    Session {
        gap: i64,
        grace: i64,
    },
}

/// Key, start and end of a window; 0 for what it has not.
pub(crate) type Name = (u8, i64, i64);

pub(crate) trait Named {
    fn name(self) -> Name;
}

impl Named for Global {
    fn name(self) -> Name {
        (0, 0, 0)
    }
}

impl Named for u64 {
    fn name(self) -> Name {
        (0, self.try_into().unwrap(), 0)
    }
}

impl Named for Span {
    fn name(self) -> Name {
        (0, self.start, self.end)
    }
}

impl Named for Session<u8> {
    fn name(self) -> Name {
        (self.key, self.start, self.end)
    }
}

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Out {
    /// At once: an item, and how many its window has by now.
    Now(u32, usize),
    /// At a trigger: everything that went into the window so far.
    Window(Name, String, Vec<u32>),
}

/// What is reduced of an item with operators behind the window.
pub(crate) fn operators(id: u32) -> impl Iterator<Item = u32> + Clone {
    // The same as `filter`, `flat_map` and `map` do there.
    [id, id].into_iter().filter(|id| id % 5 != 0).take((id % 3) as usize).map(|id| id * 10)
}

struct Open {
    key: u8,
    /// Of a session the times of its first and last item; of others where it starts, twice.
    first: i64,
    last: i64,
    ids: Vec<u32>,
    /// Items since `every` went off.
    since: usize,
    /// Its end was passed, and it takes late items.
    marked: bool,
}

pub(crate) struct Model {
    kind: Kind,
    every: Option<usize>,
    /// What is reduced of an item.
    operators: bool,
    /// Items come out at once too.
    emits: bool,
    open: Vec<Open>,
    watermark: i64,
    /// The last start of a row that emitted.
    passed: Option<i64>,
    /// Groups of what comes out: in order, and in any order within a group.
    pub(crate) out: Vec<Vec<Out>>,
    pub(crate) late: Vec<u32>,
}

const BEFORE_ALL: i64 = i64::MIN / 2;

impl Model {
    pub(crate) fn run(
        kind: Kind,
        every: Option<usize>,
        operators: bool,
        emits: bool,
        items: &[Item],
    ) -> Self {
        let (out, late, open) = (Vec::new(), Vec::new(), Vec::new());
        let watermark = BEFORE_ALL;
        let mut model = Self { kind, every, operators, emits, open, watermark, passed: None, out, late };
        if matches!(kind, Kind::Global | Kind::Count { .. }) {
            model.open_at(0, 0);
        }
        for item in items {
            model.item(*item);
        }
        model.end();
        model
    }

    /// Whether `got` is what comes out.
    #[track_caller]
    pub(crate) fn check(&self, got: &[Out]) {
        let mut rest = got;
        for group in &self.out {
            assert!(rest.len() >= group.len(), "it ends before {group:?}: {got:?}");
            let (next, behind) = rest.split_at(group.len());
            let (mut next, mut group) = (next.to_vec(), group.clone());
            next.sort();
            group.sort();
            assert_eq!(next, group, "in {got:?}, expected {:?}", self.out);
            rest = behind;
        }
        assert_eq!(rest, [], "beyond the end");
    }

    fn open_at(&mut self, key: u8, at: i64) -> usize {
        self.open.push(Open { key, first: at, last: at, ids: Vec::new(), since: 0, marked: false });
        self.open.len() - 1
    }

    fn item(&mut self, item: Item) {
        let before = self.watermark;
        self.watermark = before.max(item.at);
        let windows = self.windows(item, before);
        if windows.is_empty() {
            self.late.push(item.id);
        }
        for at in &windows {
            let reduced: Vec<u32> = if self.operators { operators(item.id).collect() } else { vec![item.id] };
            for id in reduced {
                self.open[*at].ids.push(id);
                if self.emits {
                    self.out.push(vec![Out::Now(id, self.open[*at].ids.len())]);
                }
            }
        }
        for at in windows {
            self.open[at].since += 1;
            if self.every.is_some_and(|n| self.open[at].since >= n) {
                self.open[at].since = 0;
                let fired = self.fired(at, &format!("every {} items", self.every.unwrap()));
                self.out.push(vec![fired]);
            }
        }
        self.due();
    }

    /// Where an item goes, by start.
    fn windows(&mut self, item: Item, before: i64) -> Vec<usize> {
        match self.kind {
            Kind::Global | Kind::Count { .. } => vec![0],
            Kind::Row { size, step, grace, .. } => {
                let starts = (item.at - size + 1..=item.at).filter(|start| start.rem_euclid(step) == 0);
                let mut windows = Vec::new();
                for start in starts {
                    if let Some(at) = self.open.iter().position(|open| open.first == start) {
                        windows.push(at);
                    } else if start + size + grace > before {
                        windows.push(self.open_at(0, start));
                    }
                }
                windows
            }
            Kind::Session { gap, grace } => {
                let near = |open: &Open| {
                    open.key == item.key && item.at - open.last < gap && open.first - item.at < gap
                };
                let mut joined: Vec<Open> = self.open.extract(near);
                let Some(mut session) = joined.pop() else {
                    let late = item.at + gap + grace <= before;
                    return if late { Vec::new() } else { vec![self.open_at(item.key, item.at)] };
                };
                for other in joined {
                    session.first = session.first.min(other.first);
                    session.last = session.last.max(other.last);
                    session.ids.extend(other.ids);
                    session.since += other.since;
                }
                session.first = session.first.min(item.at);
                session.last = session.last.max(item.at);
                session.marked = grace > 0 && session.last + gap <= before.max(item.at);
                self.open.push(session);
                vec![self.open.len() - 1]
            }
        }
    }

    /// Has windows emit for which it is time.
    fn due(&mut self) {
        if let Kind::Count { items } = self.kind {
            // Each item counts, also one that is not reduced.
            let Open { first: number, last: taken, .. } = &mut self.open[0];
            *taken += 1;
            let (number, full) = (*number, *taken - *number == i64::try_from(items).unwrap());
            if full {
                self.done(0, false);
                self.open_at(0, number + 1);
            }
            return;
        }
        let mut group_at = None;
        loop {
            self.open_gap();
            let Some((time, at)) = self.next_due() else { return };
            let joins = matches!(self.kind, Kind::Session { .. }) && group_at == Some(time);
            group_at = Some(time);
            let (Kind::Row { grace, .. } | Kind::Session { grace, .. }) = self.kind else { unreachable!() };
            if grace == 0 || self.open[at].marked {
                self.done(at, joins);
            } else {
                self.open[at].marked = true;
                let fired = self.fired(at, "watermark");
                self.put(fired, joins);
                self.passed = self.passed.max(Some(self.open[at].first));
            }
        }
    }

    /// For which window it is time first, and which time that is; of two at one time the one that starts first.
    fn next_due(&self) -> Option<(i64, usize)> {
        let time = |open: &Open| match self.kind {
            Kind::Global | Kind::Count { .. } => i64::MAX,
            Kind::Row { size, grace, .. } => open.first + size + if open.marked { grace } else { 0 },
            Kind::Session { gap, grace } => open.last + gap + if open.marked { grace } else { 0 },
        };
        let all = self.open.iter().enumerate().map(|(at, open)| (time(open), open.first, at));
        let (time, _, at) = all.min()?;
        (time <= self.watermark).then_some((time, at))
    }

    /// Opens the next window of a row that nothing is in, between others.
    fn open_gap(&mut self) -> Option<i64> {
        let Kind::Row { step, gaps: true, .. } = self.kind else { return None };
        let next = self.passed? + step;
        let first = self.open.iter().map(|open| open.first).filter(|first| *first >= next).min()?;
        if first > next {
            self.open_at(0, next);
        }
        Some(next)
    }

    fn end(&mut self) {
        let mut group_at = None;
        loop {
            self.open_gap();
            let end = |open: &Open| match self.kind {
                Kind::Session { .. } => open.last,
                _ => open.first,
            };
            let Some(at) = (0..self.open.len()).min_by_key(|at| end(&self.open[*at])) else { return };
            let time = end(&self.open[at]);
            let joins = matches!(self.kind, Kind::Session { .. }) && group_at == Some(time);
            group_at = Some(time);
            self.done(at, joins);
        }
    }

    fn done(&mut self, at: usize, joins: bool) {
        let done = self.fired(at, "done");
        self.put(done, joins);
        let window = self.open.remove(at);
        self.passed = self.passed.max(Some(window.first));
    }

    fn put(&mut self, out: Out, joins: bool) {
        match self.out.last_mut() {
            Some(group) if joins => group.push(out),
            _ => self.out.push(vec![out]),
        }
    }

    fn fired(&self, at: usize, trigger: &str) -> Out {
        let Open { key, first, last, ids, .. } = &self.open[at];
        let (name, mut ids) = match self.kind {
            Kind::Global => ((0, 0, 0), ids.clone()),
            Kind::Count { .. } => ((0, *first, 0), ids.clone()),
            Kind::Row { size, .. } => ((0, *first, first + size), ids.clone()),
            Kind::Session { gap, .. } => ((*key, *first, last + gap), ids.clone()),
        };
        if matches!(self.kind, Kind::Session { .. }) {
            // In which order two sessions become one is not said.
            ids.sort_unstable();
        }
        Out::Window(name, trigger.into(), ids)
    }
}

/// What `Vec::extract_if` does, which is not there yet.
trait Extract<T> {
    fn extract(&mut self, which: impl Fn(&T) -> bool) -> Vec<T>;
}

impl<T> Extract<T> for Vec<T> {
    fn extract(&mut self, which: impl Fn(&T) -> bool) -> Vec<T> {
        let (taken, left) = std::mem::take(self).into_iter().partition(which);
        *self = left;
        taken
    }
}
