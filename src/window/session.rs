use super::desk::Desk;
use super::info::Trigger;
use super::places::Merging;
use super::signal::Slot;
use super::time::{EventTime, time_of, whole_millis};
use super::window::{EventTimed, Window};
use super::windowing::Windowing;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

impl Window<()> {
    /// Windows of items with one key that are less than `gap` apart: sessions.
    ///
    /// `key` and `by` say the key and the time of an item. An item at least `gap` after the last one of its key opens
    /// a session of its own, one that comes late may make one session of two: so a `reduce` needs
    /// [`merge_states`](crate::Flow::merge_states). Behind a partition by the same key, sessions are whole; within a
    /// lane each key has sessions of its own.
    ///
    /// A session is done when the watermark has got `gap` past its last item.
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

/// What names a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Session<K> {
    /// The key of its items.
    pub key: K,
    /// The time of its first item, in milliseconds.
    pub start: i64,
    /// When it ends: the gap behind its last item. Not a part of it.
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
    /// By key: few at a time, mostly one.
    open: HashMap<K, Vec<OpenSession>, foldhash::fast::FixedState>,
    /// When something may have to be done for a session; it may have become longer since, or a part of another. Told
    /// apart by the number of the window.
    due: BTreeMap<(i64, u64), K>,
    /// All is being closed: `due` has the ends of sessions as they are.
    finishing: bool,
    /// What ended before was closed as all was idle: it does not come back.
    shut: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct OpenSession {
    first: i64,
    last: i64,
    slot: Slot,
    number: u64,
    /// The watermark has passed the end, and that was said.
    marked: bool,
}

impl<K: Hash + Eq + Clone, G, F> Sessions<K, G, F> {
    /// When something is to be done for a session, at the earliest.
    fn due_at(&self, session: &OpenSession) -> i64 {
        let end = session.last + self.gap;
        if session.marked { end + self.grace } else { end }
    }

    /// Does what is due for the first session in the row, if its time has come; `now` of `None` is the end of time.
    ///
    /// `None` when there is nothing more to do.
    fn do_first(&mut self, now: Option<i64>, desk: &mut Desk<Session<K>>) -> Option<Done> {
        let (&(at, number), _) = self.due.first_key_value()?;
        if now.is_some_and(|now| at > now) {
            return None;
        }
        let (_, key) = self.due.pop_first()?;
        let Some(sessions) = self.open.get_mut(&key) else { return Some(Done::Nothing) };
        let Some(place) = sessions.iter().position(|session| session.number == number) else {
            // It has become a part of another.
            return Some(Done::Nothing);
        };
        let mut session = sessions[place];
        if now.is_some() {
            let end = session.last + self.gap;
            let due = if session.marked { end + self.grace } else { end };
            if due > at {
                // It has become longer.
                self.due.insert((due, number), key);
                return Some(Done::Nothing);
            }
            if self.grace > 0 && !session.marked {
                session.marked = true;
                sessions[place] = session;
                desk.fire(session.slot, Trigger::Watermark);
                self.due.insert((self.due_at(&session), number), key);
                return Some(Done::Something);
            }
        } else {
            self.shut = self.shut.max(Some(session.last + self.gap));
        }
        sessions.swap_remove(place);
        if sessions.is_empty() {
            self.open.remove(&key);
        }
        desk.close(session.slot);
        Some(Done::Something)
    }
}

/// What became of a session that was looked at.
enum Done {
    Something,
    /// It was not its time.
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

    fn place(&mut self, item: &T, desk: &mut Desk<Session<K>>) -> Option<Merging> {
        let time = time_of((self.by)(item));
        desk.saw(time);
        let key = (self.key)(item);
        let gap = self.gap;
        let near = |session: &OpenSession| time > session.first - gap && time < session.last + gap;
        let over = desk.watermark().is_some_and(|now| time + gap + self.grace <= now)
            || self.shut.is_some_and(|shut| time + gap <= shut);
        if let Some(sessions) = self.open.get_mut(&key) {
            if let Some(at) = sessions.iter().position(near) {
                let mut session = sessions[at];
                let within = session.first <= time && time <= session.last;
                session.first = session.first.min(time);
                session.last = session.last.max(time);
                // The item may be near another session too.
                let other =
                    sessions.iter().enumerate().position(|(other, session)| other != at && near(session));
                if let Some(other) = other {
                    let from = sessions[other];
                    session.first = session.first.min(from.first);
                    session.last = session.last.max(from.last);
                    desk.merge(session.slot, from.slot);
                }
                let ahead = desk.watermark().is_none_or(|now| session.last + gap > now);
                if session.marked && ahead {
                    // It is to be told again, and earlier than it would be done.
                    session.marked = false;
                    self.due.insert((session.last + gap, session.number), key.clone());
                }
                sessions[at] = session;
                if let Some(other) = other {
                    sessions.swap_remove(other);
                }
                if !within || other.is_some() {
                    desk.rename(session.slot, named(key, &session, gap), session.first);
                }
                return Some(Merging([session.slot]));
            }
        }
        if over {
            return None;
        }
        let id = Session { key: key.clone(), start: time, end: time + gap };
        let slot = desk.open(id, time);
        let session = OpenSession { first: time, last: time, slot, number: desk.number(slot), marked: false };
        self.due.insert((time + gap, session.number), key.clone());
        self.open.entry(key).or_default().push(session);
        Some(Merging([slot]))
    }

    fn close_next(&mut self, desk: &mut Desk<Session<K>>) -> bool {
        let Some(now) = desk.watermark() else { return false };
        loop {
            match self.do_first(Some(now), desk) {
                None => return false,
                Some(Done::Something) => return true,
                Some(Done::Nothing) => {}
            }
        }
    }

    fn finish_next(&mut self, desk: &mut Desk<Session<K>>) -> bool {
        if !self.finishing {
            // In the order of their ends, and not of when they were to be looked at.
            self.finishing = true;
            let open =
                self.open.iter().flat_map(|(key, sessions)| sessions.iter().map(move |one| (key, one)));
            let ends = open.map(|(key, one)| ((one.last + self.gap, one.number), key.clone()));
            self.due = ends.collect();
        }
        loop {
            match self.do_first(None, desk) {
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
