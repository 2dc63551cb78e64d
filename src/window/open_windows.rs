use super::watermark::Watermark;
#[cfg(feature = "testing")]
use crate::lane::Origins;
use crate::reduce::{Fire, Slot, Trigger};
use std::collections::VecDeque;

/// What happened to a window, until the lane passes it on.
#[derive(Debug)]
pub(crate) enum WindowEvent<Id> {
    Fire(Fire<Id>),
    Merge { into: Slot, from: Slot },
}

/// The open windows of one lane, and the watermark: what a [`Windowing`](super::Windowing) works with.
///
/// A window is opened at a [`Slot`], where the lane keeps its state, and closed by [`close`](OpenWindows::close). What
/// is fired, closed and merged comes out in the order of the calls.
#[derive(Debug)]
pub struct OpenWindows<Id> {
    open: Vec<Option<OpenWindow<Id>>>,
    free: Vec<Slot>,
    /// How many windows were opened so far.
    opened: u64,
    pub(crate) events: VecDeque<WindowEvent<Id>>,
    pub(crate) watermark: Watermark,
}

/// What a kind is told that does something to a window after its end.
const NOT_OPEN: &str =
    "no window is open in this slot: it was closed, or merged into another, or is of another lane";

/// An open window.
#[derive(Debug)]
struct OpenWindow<Id> {
    id: Id,
    /// Windows are sorted by this when all of them fire.
    rank: i64,
    /// Tells a window from others that had the same slot.
    number: u64,
    /// Items since the trigger that counts them last went off.
    items: u64,
    /// Something came in since it last emitted, if that is noted.
    changed: bool,
}

impl<Id: Clone> OpenWindows<Id> {
    pub(crate) fn new(watermark: Watermark) -> Self {
        Self { open: Vec::new(), free: Vec::new(), opened: 0, events: VecDeque::new(), watermark }
    }

    /// Those of a lane with one upstream that is not read here.
    #[cfg(feature = "testing")]
    pub(crate) fn alone() -> Self {
        Self::new(Watermark::new(Origins::new(1)))
    }

    /// Whether a window is open there.
    #[cfg(feature = "testing")]
    pub(crate) fn is_open(&self, slot: Slot) -> bool {
        self.open.get(slot.index()).is_some_and(Option::is_some)
    }

    /// Opens a window, and says where its state is.
    ///
    /// A trigger that goes off for all windows does so in the order of their `rank`: of their starts, for example.
    ///
    /// # Examples
    /// See [`Windowing`](super::Windowing).
    pub fn open(&mut self, id: Id, rank: i64) -> Slot {
        let window = Some(OpenWindow { id, rank, number: self.opened, items: 0, changed: false });
        self.opened += 1;
        if let Some(slot) = self.free.pop() {
            self.open[slot.index()] = window;
            return slot;
        }
        let slot = u32::try_from(self.open.len()).expect("more than 4 billion windows are open");
        self.open.push(window);
        Slot(slot)
    }

    /// What names the window.
    ///
    /// # Panics
    /// When no window is open there.
    #[track_caller]
    #[must_use]
    pub fn id(&self, slot: Slot) -> &Id {
        &self.at(slot).id
    }

    /// Gives a window another name and rank: a session that became longer, for example.
    ///
    /// # Panics
    /// When no window is open there.
    #[track_caller]
    pub fn rename(&mut self, slot: Slot, id: Id, rank: i64) {
        let window = self.at_mut(slot);
        (window.id, window.rank) = (id, rank);
    }

    /// The name of a window, to be changed where it is.
    pub(crate) fn id_mut(&mut self, slot: Slot) -> &mut Id {
        &mut self.at_mut(slot).id
    }

    /// Makes a window emit what it has so far.
    ///
    /// # Panics
    /// When no window is open there.
    #[track_caller]
    pub fn fire(&mut self, slot: Slot, trigger: Trigger) {
        let fire = self.fires(slot, trigger);
        self.events.push_back(WindowEvent::Fire(fire));
    }

    /// A window that emits now, to be passed on.
    #[track_caller]
    pub(crate) fn fires(&mut self, slot: Slot, trigger: Trigger) -> Fire<Id> {
        let window = self.at_mut(slot);
        window.changed = false;
        Fire { slot, window: window.id.clone(), trigger }
    }

    /// Makes a window emit what it has, for the last time.
    ///
    /// # Panics
    /// When no window is open there.
    ///
    /// # Examples
    /// See [`Windowing`](super::Windowing).
    #[track_caller]
    pub fn close(&mut self, slot: Slot) {
        self.fire(slot, Trigger::Done);
        self.free(slot);
    }

    /// Makes one window of two: `into` stays, and gets the state of `from`.
    ///
    /// # Panics
    /// When `from` and `into` are not two open windows.
    #[track_caller]
    pub fn merge(&mut self, into: Slot, from: Slot) {
        assert_ne!(into, from, "a window cannot be merged with itself");
        let items = self.at(from).items;
        let into_window = self.at_mut(into);
        into_window.items += items;
        into_window.changed = true;
        self.free(from);
        self.events.push_back(WindowEvent::Merge { into, from });
    }

    /// The highest time that every upstream is known to have reached, if there is one; see [`saw`](OpenWindows::saw).
    #[must_use]
    pub fn watermark(&self) -> Option<i64> {
        self.watermark.now()
    }

    /// Takes note of the time of the item that is being placed.
    ///
    /// `false` when the time is too far ahead ([`max_ahead`](super::Window::max_ahead)): it moves no watermark, and the
    /// item belongs nowhere, so [`place`](super::Windowing::place) answers `None`.
    #[must_use = "an item that is too far ahead belongs nowhere"]
    pub fn saw(&mut self, time: i64) -> bool {
        self.watermark.saw(time)
    }

    /// How many windows are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len() - self.free.len()
    }

    /// Whether no window is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes that something comes into windows.
    #[inline]
    pub(crate) fn change(&mut self, slots: &[Slot]) {
        for slot in slots {
            self.at_mut(*slot).changed = true;
        }
    }

    /// Makes all windows fire, or all that changed, in the order of their ranks.
    pub(crate) fn fire_all(&mut self, trigger: Trigger, only_changed: bool) {
        let open = self.open.iter().enumerate().filter_map(|(at, window)| Some((at, window.as_ref()?)));
        let mut slots: Vec<_> = open
            .filter(|(_, window)| window.changed || !only_changed)
            .map(|(at, window)| (window.rank, window.number, at))
            .collect();
        slots.sort_unstable();
        for (_, _, at) in slots {
            self.fire(Slot(u32::try_from(at).expect("a slot's number fits")), trigger);
        }
    }

    /// Counts an item of a window; true at every `n`th.
    #[inline]
    pub(crate) fn count(&mut self, slot: Slot, n: u64) -> bool {
        let window = self.at_mut(slot);
        window.items += 1;
        let full = window.items >= n;
        if full {
            window.items = 0;
        }
        full
    }

    /// The number of the window that has the slot now.
    pub(crate) fn number(&self, slot: Slot) -> u64 {
        self.at(slot).number
    }

    #[track_caller]
    fn free(&mut self, slot: Slot) {
        self.open[slot.index()] = None;
        self.free.push(slot);
    }

    #[track_caller]
    fn at(&self, slot: Slot) -> &OpenWindow<Id> {
        self.open.get(slot.index()).and_then(Option::as_ref).expect(NOT_OPEN)
    }

    #[track_caller]
    fn at_mut(&mut self, slot: Slot) -> &mut OpenWindow<Id> {
        self.open.get_mut(slot.index()).and_then(Option::as_mut).expect(NOT_OPEN)
    }
}
