use super::open_windows::OpenWindows;
use super::time::{EventTime, time_of, whole_millis};
use super::window::{EventTimed, Window};
use super::windowing::Windowing;
use crate::reduce::{Merging, Slot, Trigger};
use crate::sealed::Sealed;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

impl Window<()> {
    /// Windows of items with one key that are less than `gap` apart: sessions.
    ///
    /// `key` and `by` say the key and the time of an item. An item at least `gap` after the last one of its key opens
    /// a session of its own. An item that comes late may make one session of two: so a `reduce` needs
    /// [`merge_states`](crate::Flow::merge_states). After a partition by the same key, sessions are whole; within a
    /// lane each key has sessions of its own.
    ///
    /// A session is done when the watermark is `gap` past its last item. An item near an open session is not late,
    /// however old it is: so a session may reach back into the time of another one that is done.
    ///
    /// Names of windows: [`Session`].
    ///
    /// # Panics
    /// When `gap` is not a whole number of milliseconds, at least 1.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let gap = Duration::from_millis(10);
    /// let clicks = [("anna", 0), ("bert", 3), ("anna", 9), ("bert", 13)];
    /// let sessions = Flow::from_iter(clicks)
    ///     .lanes(1)
    ///     .window(Window::session(gap, |click: &(&'static str, i64)| click.0, |click| click.1))
    ///     .reduce(|| 0, |n, _| *n += 1)
    ///     .merge_states(|n, other| *n += other)
    ///     .on_trigger(|n, info| [(info.window.key, info.window.start, info.window.end, *n)]);
    /// let sessions: Vec<(&str, i64, i64, u32)> = sessions.collect().await;
    /// assert_eq!(sessions, [("bert", 3, 13, 1), ("anna", 0, 19, 2), ("bert", 13, 23, 1)]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.Window.session/3` of Flow 0.7 to 0.13, which was taken out again.
    #[track_caller]
    pub fn session<T, K, A, G, F>(gap: Duration, key: G, by: F) -> Window<Sessions<K, G, F>>
    where
        K: Hash + Eq + Clone,
        A: EventTime,
        G: FnMut(&T) -> K,
        F: FnMut(&T) -> A,
    {
        let gap = whole_millis("the gap of a session", gap, 1);
        Window::custom(Sessions {
            key,
            by,
            gap,
            grace: 0,
            open: HashMap::default(),
            due: BTreeMap::new(),
            finishing: false,
            shut: None,
        })
    }
}

/// The name of a session: its key, its start, and its end, in milliseconds.
///
/// # Examples
/// See [`Window::session`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Session<K> {
    /// The key of its items.
    pub key: K,
    /// The time of its first item, in milliseconds.
    pub start: i64,
    /// When it ends: the gap after its last item. Not a part of it.
    pub end: i64,
}

/// Sessions of each key: see [`Window::session`].
#[derive(Clone)]
pub struct Sessions<K, G, F> {
    key: G,
    by: F,
    gap: i64,
    /// The allowed lateness.
    grace: i64,
    /// By key, and then by time: those of one key do not overlap.
    open: HashMap<K, VecDeque<OpenSession>, foldhash::fast::RandomState>,
    /// When something may be due for a session, with the number of its window, to tell sessions apart. The session may
    /// have become longer since, or a part of another.
    due: BTreeMap<(i64, u64), K>,
    /// `due` has the ends of all sessions, which are being closed.
    finishing: bool,
    /// Sessions with an end of at most this were closed because all upstreams were idle: they do not come back.
    shut: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct OpenSession {
    first: i64,
    last: i64,
    slot: Slot,
    number: u64,
    /// The watermark has passed the end, and the session has fired for it.
    marked: bool,
    /// The time under which it is in `Sessions::due`.
    due: i64,
}

impl OpenSession {
    fn is_near(&self, time: i64, gap: i64) -> bool {
        time > self.first - gap && time < self.last + gap
    }

    fn covers(&self, time: i64) -> bool {
        self.first <= time && time <= self.last
    }

    fn reach(&mut self, time: i64) {
        (self.first, self.last) = (self.first.min(time), self.last.max(time));
    }

    /// What is done at `at` for a session that was due then, and is due again later. `None`: it is to be closed.
    fn goes_on<K: Clone>(
        &mut self,
        at: i64,
        gap: i64,
        grace: i64,
        windows: &mut OpenWindows<Session<K>>,
    ) -> Option<Done> {
        let end = self.last + gap;
        let due = if self.marked { end + grace } else { end };
        if due > at {
            // It has become longer.
            self.due = due;
            return Some(Done::Nothing);
        }
        if grace > 0 && !self.marked {
            (self.marked, self.due) = (true, end + grace);
            windows.fire(self.slot, Trigger::Watermark);
            return Some(Done::Something);
        }
        None
    }
}

impl<K: Hash + Eq + Clone, G, F> Sessions<K, G, F> {
    /// Does what is due for the first session in `due`, if its time has come; `now` of `None` is the end of time.
    ///
    /// `None` when there is nothing more to do.
    fn do_first(&mut self, now: Option<i64>, windows: &mut OpenWindows<Session<K>>) -> Option<Done> {
        let (&(at, number), _) = self.due.first_key_value()?;
        if now.is_some_and(|now| at > now) {
            return None;
        }
        let (_, key) = self.due.pop_first()?;
        let Some(sessions) = self.open.get_mut(&key) else { return Some(Done::Nothing) };
        let Some(place) = find(sessions, number, at - self.gap, self.grace) else {
            // It has become a part of another.
            return Some(Done::Nothing);
        };
        let session = &mut sessions[place];
        if now.is_none() {
            self.shut = self.shut.max(Some(session.last + self.gap));
        } else if let Some(done) = session.goes_on(at, self.gap, self.grace, windows) {
            self.due.insert((session.due, number), key);
            return Some(done);
        }
        let closed = sessions.remove(place);
        if sessions.is_empty() {
            self.open.remove(&key);
        }
        if let Some(session) = closed {
            windows.close(session.slot);
        }
        Some(Done::Something)
    }

    /// Takes an item into the session that it is near. `Err`, with the key: it is near none.
    fn extend(&mut self, key: K, time: i64, windows: &mut OpenWindows<Session<K>>) -> Result<Slot, K> {
        let gap = self.gap;
        let Some(sessions) = self.open.get_mut(&key) else { return Err(key) };
        let Some(Near { at, other }) = near(sessions, time, gap) else { return Err(key) };
        let longer = other.is_some() || !sessions[at].covers(time);
        if let Some(other) = other {
            merge(sessions, at, other, windows);
        }
        let session = &mut sessions[at];
        session.reach(time);
        let ahead = windows.watermark().is_none_or(|now| session.last + gap > now);
        if session.marked && ahead {
            // Its end is due again, before the end of its lateness, under which it is in `due`.
            self.due.remove(&(session.due, session.number));
            (session.marked, session.due) = (false, session.last + gap);
            self.due.insert((session.due, session.number), key.clone());
        }
        if longer {
            windows.rename(session.slot, named(key, session, gap), session.first);
        }
        Ok(session.slot)
    }

    /// Whether a session of nothing but an item of this time would be over.
    fn is_over(&self, time: i64, windows: &OpenWindows<Session<K>>) -> bool {
        let end = time + self.gap;
        windows.watermark().is_some_and(|now| end + self.grace <= now)
            || self.shut.is_some_and(|shut| end <= shut)
    }

    /// Opens a session with its first item.
    fn begin(&mut self, key: K, time: i64, windows: &mut OpenWindows<Session<K>>) -> Slot {
        let end = time + self.gap;
        let id = Session { key: key.clone(), start: time, end };
        let slot = windows.open(id, time);
        let number = windows.number(slot);
        let session = OpenSession { first: time, last: time, slot, number, marked: false, due: end };
        self.due.insert((end, number), key.clone());
        let sessions = self.open.entry(key).or_default();
        let place = sessions.partition_point(|session| session.first <= time);
        sessions.insert(place, session);
        slot
    }

    /// Puts the open sessions into the order of their ends.
    fn sort_by_end(&mut self) {
        let gap = self.gap;
        let ends = self.open.iter().flat_map(|(key, sessions)| {
            sessions.iter().map(move |session| ((session.last + gap, session.number), key.clone()))
        });
        self.due = ends.collect();
    }
}

/// What became of a session that was looked at.
enum Done {
    Something,
    /// Its time has not come, or it is a part of another.
    Nothing,
}

impl<T, K, A, G, F> Windowing<T> for Sessions<K, G, F>
where
    K: Hash + Eq + Clone,
    A: EventTime,
    G: FnMut(&T) -> K,
    F: FnMut(&T) -> A,
{
    type Id = Session<K>;
    type Places = Merging;

    fn place(&mut self, item: &T, windows: &mut OpenWindows<Session<K>>) -> Option<Merging> {
        let time = time_of((self.by)(item));
        if !windows.saw(time) {
            return None;
        }
        let key = (self.key)(item);
        let slot = match self.extend(key, time, windows) {
            Ok(slot) => slot,
            Err(_) if self.is_over(time, windows) => return None,
            Err(key) => self.begin(key, time, windows),
        };
        Some(Merging([slot]))
    }

    fn close_next(&mut self, windows: &mut OpenWindows<Session<K>>) -> bool {
        let Some(now) = windows.watermark() else { return false };
        loop {
            match self.do_first(Some(now), windows) {
                None => return false,
                Some(Done::Something) => return true,
                Some(Done::Nothing) => {}
            }
        }
    }

    fn finish_next(&mut self, windows: &mut OpenWindows<Session<K>>) -> bool {
        if !self.finishing {
            self.sort_by_end();
            self.finishing = true;
        }
        loop {
            match self.do_first(None, windows) {
                None => {
                    self.finishing = false;
                    return false;
                }
                Some(Done::Something) => return true,
                Some(Done::Nothing) => {}
            }
        }
    }
}

/// Where a session is. It is in `due` by an end that it had, with lateness or without, and has only become longer since:
/// `had` is that end without the gap.
fn find(sessions: &VecDeque<OpenSession>, number: u64, had: i64, grace: i64) -> Option<usize> {
    [had, had.saturating_sub(grace)].into_iter().find_map(|last| {
        let place = sessions.partition_point(|session| session.first <= last).checked_sub(1)?;
        (sessions[place].number == number).then_some(place)
    })
}

/// The open session that an item belongs to, and the next one, if it is near both.
struct Near {
    at: usize,
    other: Option<usize>,
}

fn near(sessions: &VecDeque<OpenSession>, time: i64, gap: i64) -> Option<Near> {
    // The item can be near the last session that began before it, and the first that begins after it.
    let after = sessions.partition_point(|session| session.first <= time);
    let before = after.checked_sub(1).filter(|at| sessions[*at].is_near(time, gap));
    let after = Some(after).filter(|at| sessions.get(*at).is_some_and(|session| session.is_near(time, gap)));
    Some(Near { at: before.or(after)?, other: before.and(after) })
}

/// Makes one session of two, for an item that is near both: the one that was opened first stays.
fn merge<K: Clone>(
    sessions: &mut VecDeque<OpenSession>,
    at: usize,
    other: usize,
    windows: &mut OpenWindows<Session<K>>,
) {
    let (mut session, mut from) = (sessions[at], sessions[other]);
    if from.number < session.number {
        std::mem::swap(&mut session, &mut from);
    }
    session.reach(from.first);
    session.reach(from.last);
    windows.merge(session.slot, from.slot);
    sessions[at] = session;
    sessions.remove(other);
}

fn named<K>(key: K, session: &OpenSession, gap: i64) -> Session<K> {
    Session { key, start: session.first, end: session.last + gap }
}

impl<K, G, F> Sealed for Sessions<K, G, F> {}

impl<K, G, F> EventTimed for Sessions<K, G, F> {
    fn allow_lateness(&mut self, millis: i64) {
        self.grace = millis;
    }
}

impl<K, G, F> fmt::Debug for Sessions<K, G, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("gap", &self.gap)
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}
