use super::open_windows::OpenWindows;
use super::session::Session;
use super::time::whole_millis;
use super::wall_clock::WallClock;
use super::window::{ClockTimed, Window};
use super::windowing::Windowing;
use crate::reduce::{Single, Slot};
use crate::sealed::Sealed;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;
use std::time::Duration;
use tokio::time::Instant;

impl Window<()> {
    /// Windows of items with one key that come less than `gap` after each other: sessions by the clock.
    ///
    /// `key` says the key of an item. A session is done when nothing has come for its key for `gap`, or at the end of
    /// input. Sessions never merge and no item is late, so that a `reduce` needs no
    /// [`merge_states`](crate::Flow::merge_states). Within a lane each key has sessions of its own: partition by the
    /// same key to have them whole. Memory is that of the keys with an open session.
    ///
    /// Time is that of the clock, as for [`fixed_by_clock`](Window::fixed_by_clock).
    ///
    /// Names of windows: [`Session`], in milliseconds since 1970; its end moves on with each item.
    ///
    /// # Panics
    /// When `gap` is not a whole number of milliseconds, at least 1; and when the lanes' runtime has no timer. A panic
    /// in `key` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use async_stream::stream;
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    /// use tokio::time::sleep;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
    /// let second = Duration::from_secs(1);
    /// let clicks = stream! {
    ///     yield "anna";
    ///     sleep(10 * second).await;
    ///     yield "anna";
    ///     yield "bert";
    ///     sleep(40 * second).await;
    ///     yield "anna";
    /// };
    /// let gone = Window::session_by_clock(30 * second, |user: &&'static str| *user).clock_starts_at(0);
    /// let sessions: Vec<(&str, i64, u32)> = clicks
    ///     .flow()
    ///     .lanes(1)
    ///     .window(gone)
    ///     .reduce(|| 0, |n, _click| *n += 1)
    ///     .on_trigger(|n, info| [(info.window.key, info.window.end, *n)])
    ///     .collect()
    ///     .await;
    /// assert_eq!(sessions, [("anna", 40_000, 2), ("bert", 40_000, 1), ("anna", 80_000, 1)]);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Source
    /// None in Flow, where it was asked for: sessions of Flow 0.7 to 0.13 went by the times of items.
    #[track_caller]
    pub fn session_by_clock<T, K, G>(gap: Duration, key: G) -> Window<SessionsByClock<K, G>>
    where
        K: Hash + Eq + Clone,
        G: FnMut(&T) -> K,
    {
        let gap = whole_millis("the gap of a session by the clock", gap, 1);
        Window::custom(SessionsByClock {
            key,
            gap,
            clock: WallClock::default(),
            now: 0,
            open: HashMap::default(),
            due: BTreeMap::new(),
        })
    }
}

/// Sessions of each key by the clock: see [`Window::session_by_clock`].
#[derive(Clone)]
pub struct SessionsByClock<K, G> {
    key: G,
    gap: i64,
    clock: WallClock,
    /// What time it is, as last read.
    now: i64,
    open: HashMap<K, LiveSession, foldhash::fast::RandomState>,
    /// When to look at each open session, with its number: at the end that it had when it was last looked at.
    due: BTreeMap<(i64, u64), K>,
}

/// A session that goes on while items come.
#[derive(Debug, Clone, Copy)]
struct LiveSession {
    slot: Slot,
    end: i64,
}

impl<K: Hash + Eq + Clone, G> SessionsByClock<K, G> {
    /// Closes the session that ends first, if it ends by then.
    #[inline]
    fn close_by(&mut self, time: i64, windows: &mut OpenWindows<Session<K>>) -> bool {
        // Most often nothing is due.
        if self.due.first_key_value().is_none_or(|((at, _), _)| *at > time) {
            return false;
        }
        self.close_first(time, windows)
    }

    #[inline(never)]
    fn close_first(&mut self, time: i64, windows: &mut OpenWindows<Session<K>>) -> bool {
        while let Some(first) = self.due.first_entry().filter(|first| first.key().0 <= time) {
            let ((at, number), key) = first.remove_entry();
            let Some(session) = self.open.get(&key).copied() else { continue };
            if session.end > at {
                // It has become longer, and is looked at again when it ends.
                self.due.insert((session.end, number), key);
                continue;
            }
            self.open.remove(&key);
            windows.close(session.slot);
            return true;
        }
        false
    }
}

impl<T, K, G> Windowing<T> for SessionsByClock<K, G>
where
    K: Hash + Eq + Clone,
    G: FnMut(&T) -> K,
{
    type Id = Session<K>;
    type Places = Single;

    fn start(&mut self, _: &mut OpenWindows<Session<K>>) {
        self.now = self.clock.now();
    }

    fn place(&mut self, item: &T, windows: &mut OpenWindows<Session<K>>) -> Option<Single> {
        let key = (self.key)(item);
        self.now = self.clock.now();
        // The timer may be late: the lane had no time to look at it.
        while self.close_by(self.now, windows) {}
        let end = self.now.saturating_add(self.gap);
        if let Some(session) = self.open.get_mut(&key) {
            session.end = end;
            windows.id_mut(session.slot).end = end;
            return Some(Single([session.slot]));
        }
        let slot = windows.open(Session { key: key.clone(), start: self.now, end }, self.now);
        self.due.insert((end, windows.number(slot)), key.clone());
        self.open.insert(key, LiveSession { slot, end });
        Some(Single([slot]))
    }

    #[inline]
    fn close_next(&mut self, windows: &mut OpenWindows<Session<K>>) -> bool {
        self.close_by(self.now, windows)
    }

    fn finish_next(&mut self, windows: &mut OpenWindows<Session<K>>) -> bool {
        self.close_by(i64::MAX, windows)
    }

    fn deadline(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((at, _), _)| self.clock.moment(*at))
    }

    fn on_time(&mut self, now: Instant, _: &mut OpenWindows<Session<K>>) {
        self.now = self.clock.millis_at(now);
    }
}

impl<K, G> Sealed for SessionsByClock<K, G> {}

impl<K, G> ClockTimed for SessionsByClock<K, G> {
    fn clock(&mut self) -> &mut WallClock {
        &mut self.clock
    }
}

impl<K, G> fmt::Debug for SessionsByClock<K, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionsByClock")
            .field("gap", &self.gap)
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}
