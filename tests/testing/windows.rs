//! The check of kinds of windows: ours pass, and each broken promise is told.

use crate::told;
use gen_stage::testing::check_windowing;
use gen_stage::window::{Merging, OpenWindows, Several, Single, Slot, Trigger, Window, Windowing};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// Numbers as times: 20 ms each.
fn times(number: u64) -> i64 {
    20 * i64::try_from(number).unwrap()
}

#[test]
fn ours_keep_their_contract() {
    check_windowing(Window::global, times);
    check_windowing(|| Window::count(3), times);
    check_windowing(|| Window::periodic(SECOND), times);
    let fixed = || Window::fixed(SECOND, |time: &i64| *time);
    check_windowing(fixed, times);
    check_windowing(|| fixed().fill_gaps(), times);
    check_windowing(|| fixed().allowed_lateness(SECOND), times);
    check_windowing(|| fixed().allowed_lateness_by_clock(SECOND), times);
    check_windowing(|| Window::sliding(SECOND, SECOND / 5, |time: &i64| *time), times);
    check_windowing(|| Window::session(SECOND, |time: &i64| time % 60, |time| *time), times);
    check_windowing(|| Window::fixed_by_clock(SECOND), times);
    check_windowing(|| Window::session_by_clock(SECOND, |time: &i64| time % 60), times);
}

/// What the kind does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    ClosesTwice,
    PlacesInAClosedWindow,
    LeavesOneOpen,
    ClosesForEver,
    FinishesForEver,
    ClosesAndSaysNo,
    FinishesAndSaysNo,
    KeepsItsDeadline,
    PlacesNowhere,
    PlacesTwice,
    FiresWhatIsClosed,
    MergesWhatStays,
    Panics,
    SharesWithOtherLanes,
}

/// Windows of five numbers, each with a second at most, but for its fault.
#[derive(Clone)]
struct Faulty {
    fault: Fault,
    open: Option<(Slot, Instant)>,
    closed: Option<Slot>,
    items: u64,
    shared: Arc<Mutex<Option<Slot>>>,
}

impl Faulty {
    fn new(fault: Fault) -> Window<Self> {
        Window::custom(Self { fault, open: None, closed: None, items: 0, shared: Arc::default() })
    }

    fn slot(&mut self, windows: &mut OpenWindows<u64>) -> Slot {
        if self.fault == Fault::SharesWithOtherLanes {
            let mut shared = self.shared.lock().unwrap();
            return *shared.get_or_insert_with(|| windows.open(0, 0));
        }
        let open = self.open.get_or_insert_with(|| (windows.open(self.items, 0), Instant::now() + SECOND));
        open.0
    }

    fn close(&mut self, windows: &mut OpenWindows<u64>) -> bool {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(slot) = self.open.take().map(|(slot, _)| slot).or(shared) else { return false };
        windows.close(slot);
        self.items = 0;
        self.closed = Some(slot);
        match self.fault {
            Fault::ClosesTwice => windows.close(slot),
            Fault::FiresWhatIsClosed => windows.fire(slot, Trigger::Named("late")),
            _ => {}
        }
        true
    }
}

impl Windowing<i64> for Faulty {
    type Id = u64;
    type Places = Several;

    fn place(&mut self, _: &i64, windows: &mut OpenWindows<u64>) -> Option<Several> {
        self.items += 1;
        let slot = self.slot(windows);
        Some(match self.fault {
            Fault::PlacesInAClosedWindow if self.items == 5 => {
                self.close(windows);
                Several::new([slot])
            }
            Fault::PlacesNowhere if self.items == 3 => Several::new([]),
            Fault::PlacesTwice if self.items == 3 => Several::new([slot, slot]),
            Fault::MergesWhatStays if self.items == 3 => {
                let other = windows.open(9, 9);
                windows.merge(slot, other);
                Several::new([slot])
            }
            Fault::Panics if self.items == 4 => panic!("no fours"),
            _ => Several::new([slot]),
        })
    }

    fn close_next(&mut self, windows: &mut OpenWindows<u64>) -> bool {
        let closed = self.items >= 5 && self.close(windows);
        closed && self.fault != Fault::ClosesAndSaysNo || self.fault == Fault::ClosesForEver
    }

    fn finish_next(&mut self, windows: &mut OpenWindows<u64>) -> bool {
        if self.fault == Fault::LeavesOneOpen && self.items == 2 {
            return false;
        }
        let closed = self.close(windows);
        closed && self.fault != Fault::FinishesAndSaysNo || self.fault == Fault::FinishesForEver
    }

    fn deadline(&self) -> Option<Instant> {
        self.open.map(|(_, until)| until)
    }

    fn on_time(&mut self, _: Instant, windows: &mut OpenWindows<u64>) {
        if self.fault != Fault::KeepsItsDeadline {
            self.close(windows);
        }
    }
}

#[test]
fn each_fault_is_found_and_told_with_the_story_that_led_to_it() {
    let not_open = "panics: no window is open in this slot: it was closed, or merged into another";
    let faults = [
        (Fault::ClosesTwice, not_open),
        (Fault::PlacesInAClosedWindow, "`place` puts an item into a window that is not open"),
        (Fault::LeavesOneOpen, "`finish_next` answers `false`, and 1 windows are open, which never emit"),
        (Fault::ClosesForEver, "`close_next` answers `true` again and again"),
        (Fault::FinishesForEver, "`finish_next` answers `true` again and again"),
        (Fault::ClosesAndSaysNo, "`close_next` fires or closes a window and answers `false`"),
        (Fault::FinishesAndSaysNo, "`finish_next` fires or closes a window and answers `false`"),
        (Fault::KeepsItsDeadline, "after `on_time`, the deadline is not later than that time"),
        (Fault::PlacesNowhere, "`place` puts an item into no window, and does not answer `None`"),
        (Fault::PlacesTwice, "`place` puts an item into a window twice"),
        (Fault::FiresWhatIsClosed, not_open),
        (Fault::MergesWhatStays, "`place` merges windows, and their places are not `Merging`"),
        (Fault::Panics, "`place` panics: no fours"),
        (Fault::SharesWithOtherLanes, "no window is open in this slot"),
    ];
    for (fault, expected) in faults {
        let text = told(|| check_windowing(|| Faulty::new(fault), times));
        assert!(text.starts_with("the kind of window breaks its contract: "), "{fault:?}: {text}");
        assert!(text.contains(expected), "{fault:?}: {text}");
        assert!(text.contains("; story ") && text.contains("lane "), "{fault:?}: {text}");
    }
    check_windowing(|| Faulty::new(Fault::None), times);
}

/// Pairs of windows that are merged at every third item.
#[derive(Clone, Default)]
struct Pairs(Vec<Slot>);

impl Windowing<i64> for Pairs {
    type Id = ();
    type Places = Merging;

    fn place(&mut self, time: &i64, windows: &mut OpenWindows<()>) -> Option<Merging> {
        if time % 3 == 0 && self.0.len() > 1 {
            let from = self.0.swap_remove(0);
            windows.merge(self.0[0], from);
        } else {
            self.0.push(windows.open((), *time));
        }
        self.0.first().map(|slot| Merging::new(*slot))
    }

    fn close_next(&mut self, windows: &mut OpenWindows<()>) -> bool {
        self.0.len() > 5 && self.finish_next(windows)
    }

    fn finish_next(&mut self, windows: &mut OpenWindows<()>) -> bool {
        self.0.pop().map(|slot| windows.close(slot)).is_some()
    }
}

#[test]
fn windows_with_places_that_merge_may_be_merged() {
    check_windowing(|| Window::custom(Pairs::default()), times);
}

/// The one window of its lane, which is closed at the end and never opened again.
#[derive(Clone, Default)]
struct Once(Option<Slot>);

impl Windowing<i64> for Once {
    type Id = ();
    type Places = Single;

    fn start(&mut self, windows: &mut OpenWindows<()>) {
        self.0 = Some(windows.open((), 0));
    }

    fn place(&mut self, _: &i64, _: &mut OpenWindows<()>) -> Option<Single> {
        self.0.map(Single::new)
    }

    fn close_next(&mut self, _: &mut OpenWindows<()>) -> bool {
        false
    }

    fn finish_next(&mut self, windows: &mut OpenWindows<()>) -> bool {
        self.0.inspect(|slot| windows.close(*slot)).is_some()
    }
}

#[test]
fn a_kind_that_forgets_that_its_window_is_closed_is_found() {
    let text = told(|| check_windowing(|| Window::custom(Once::default()), times));
    assert!(text.contains("`finish_next` panics: no window is open in this slot"), "{text}");
}
