use super::open_windows::OpenWindows;
use super::time::{EventTime, time_of, whole_millis};
use super::window::{EventTimed, Window};
use super::windowing::Windowing;
use crate::reduce::Merging;
use crate::reduce::Slot;
use crate::reduce::Trigger;
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
        // It is in `due` by an end that it had, with lateness or without, and has only become longer since.
        let had = at - self.gap;
        let place = [had, had.saturating_sub(self.grace)].into_iter().find_map(|last| {
            let place = sessions.partition_point(|session| session.first <= last).checked_sub(1)?;
            (sessions[place].number == number).then_some(place)
        });
        let Some(place) = place else {
            // It has become a part of another.
            return Some(Done::Nothing);
        };
        let session = &mut sessions[place];
        if now.is_some() {
            let end = session.last + self.gap;
            let due = if session.marked { end + self.grace } else { end };
            if due > at {
                // It has become longer.
                session.due = due;
                self.due.insert((due, number), key);
                return Some(Done::Nothing);
            }
            if self.grace > 0 && !session.marked {
                (session.marked, session.due) = (true, end + self.grace);
                windows.fire(session.slot, Trigger::Watermark);
                self.due.insert((session.due, number), key);
                return Some(Done::Something);
            }
        } else {
            self.shut = self.shut.max(Some(session.last + self.gap));
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
        let gap = self.gap;
        let near = |session: &OpenSession| time > session.first - gap && time < session.last + gap;
        let over = windows.watermark().is_some_and(|now| time + gap + self.grace <= now)
            || self.shut.is_some_and(|shut| time + gap <= shut);
        if let Some(sessions) = self.open.get_mut(&key) {
            // The item can be near the last session that began before it, and the first that begins after it.
            let after = sessions.partition_point(|session| session.first <= time);
            let before = after.checked_sub(1).filter(|at| near(&sessions[*at]));
            let after = Some(after).filter(|at| sessions.get(*at).is_some_and(near));
            if let Some(at) = before.or(after) {
                let mut session = sessions[at];
                let within = session.first <= time && time <= session.last;
                session.first = session.first.min(time);
                session.last = session.last.max(time);
                // An item near both makes one of them: the session that was opened first stays.
                let other = before.and(after);
                if let Some(mut from) = other.map(|other| sessions[other]) {
                    if from.number < session.number {
                        std::mem::swap(&mut session, &mut from);
                    }
                    session.first = session.first.min(from.first).min(time);
                    session.last = session.last.max(from.last).max(time);
                    windows.merge(session.slot, from.slot);
                }
                let ahead = windows.watermark().is_none_or(|now| session.last + gap > now);
                if session.marked && ahead {
                    // Its end is due again, before the end of its lateness, under which it is in `due`.
                    self.due.remove(&(session.due, session.number));
                    (session.marked, session.due) = (false, session.last + gap);
                    self.due.insert((session.due, session.number), key.clone());
                }
                sessions[at] = session;
                if let Some(other) = other {
                    sessions.remove(other);
                }
                if !within || other.is_some() {
                    windows.rename(session.slot, named(key, &session, gap), session.first);
                }
                return Some(Merging([session.slot]));
            }
        }
        if over {
            return None;
        }
        let id = Session { key: key.clone(), start: time, end: time + gap };
        let slot = windows.open(id, time);
        let (number, due) = (windows.number(slot), time + gap);
        let session = OpenSession { first: time, last: time, slot, number, marked: false, due };
        self.due.insert((due, number), key.clone());
        let sessions = self.open.entry(key).or_default();
        let place = sessions.partition_point(|session| session.first <= time);
        sessions.insert(place, session);
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

fn named<K>(key: K, session: &OpenSession, gap: i64) -> Session<K> {
    Session { key, start: session.first, end: session.last + gap }
}

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
