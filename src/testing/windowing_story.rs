//! One story that a kind of window lives through, on two lanes.

use super::stories::{Kept, Plot, keep};
use crate::failure::message_of;
use crate::reduce::Places;
use crate::window::{OpenWindows, Sought, WindowEvent, Windowing};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::time::Instant;

/// What answers `true` this often in a row does so for ever.
const FOR_EVER: usize = 10_000;

/// A kind of window, and the two lanes that have a clone of it each.
pub(super) struct WindowingStory<'a, T, K: Windowing<T>> {
    plot: &'a mut Plot,
    lanes: [WindowingLane<T, K>; 2],
    /// The highest number so far.
    number: u64,
}

/// A lane, as far as a kind of window knows it.
struct WindowingLane<T, K: Windowing<T>> {
    kind: K,
    windows: OpenWindows<K::Id>,
}

/// Whether a call may have left something for a later one.
type Answer = bool;

impl<'a, T, K: Windowing<T> + Clone> WindowingStory<'a, T, K> {
    pub(super) fn new(plot: &'a mut Plot, kind: K) -> Result<Self, String> {
        Ok(Self {
            plot,
            lanes: [WindowingLane::start(kind.clone())?, WindowingLane::start(kind)?],
            number: 0,
        })
    }

    /// Takes `steps` steps, each drawn at random, and comes to the end of input.
    pub(super) async fn tell(mut self, steps: u64, item: impl Fn(u64) -> T) -> Kept {
        for _ in 0..steps {
            let lane = self.plot.draw(2);
            match self.plot.draw(20) {
                0..14 => {
                    let number = self.next_number();
                    self.plot.step(format!("lane {lane} gets {number}"));
                    self.lanes[lane].item(&item(number))?;
                }
                14..18 => {
                    let time = self.plot.one_of(&[1, 50, 1000, 60_000]);
                    self.plot.step(format!("{time} ms pass"));
                    tokio::time::sleep(Duration::from_millis(time)).await;
                }
                _ => {
                    self.plot.step(format!("all that feeds lane {lane} is idle"));
                    self.lanes[lane].finish()?;
                }
            }
            self.lanes.iter_mut().try_for_each(WindowingLane::look_at_the_clock)?;
        }
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            self.plot.step(format!("the input of lane {number} ends"));
            lane.finish()?;
        }
        Ok(())
    }

    /// Numbers rise most of the time.
    fn next_number(&mut self) -> u64 {
        if self.plot.draw(4) == 0 {
            return self.number.saturating_sub(self.plot.draw(40) as u64);
        }
        self.number += self.plot.draw(21) as u64;
        self.number
    }
}

impl<T, K: Windowing<T>> WindowingLane<T, K> {
    fn start(kind: K) -> Result<Self, String> {
        let mut lane = Self { kind, windows: OpenWindows::alone() };
        lane.call("start", K::start)?;
        lane.pass("start")?;
        Ok(lane)
    }

    /// Calls a method of the kind; a panic breaks its promise.
    fn call<R>(
        &mut self,
        name: &str,
        call: impl FnOnce(&mut K, &mut OpenWindows<K::Id>) -> R,
    ) -> Result<R, String> {
        let called = catch_unwind(AssertUnwindSafe(|| call(&mut self.kind, &mut self.windows)));
        called.map_err(|payload| format!("`{name}` panics: {}", message_of(&*payload)))
    }

    /// Passes on what was fired, closed and merged; true if there was something.
    fn pass(&mut self, name: &str) -> Result<Answer, String> {
        let mut some = false;
        while let Some(event) = self.windows.events.pop_front() {
            some = true;
            let merged = matches!(event, WindowEvent::Merge { .. });
            keep(!merged || K::Places::MERGE, || {
                format!(
                    "`{name}` merges windows, and their places are not `Merging`: there is no rule for their states"
                )
            })?;
        }
        Ok(some)
    }

    fn item(&mut self, item: &T) -> Kept {
        let sought = self.call("place", |kind, windows| kind.seek(item, windows))?;
        self.call("place", K::settle)?;
        self.pass("place")?;
        if let Sought::Quiet(places) | Sought::Placed(Some(places)) = sought {
            let slots = places.slots();
            keep(!slots.is_empty(), || {
                "`place` puts an item into no window, and does not answer `None`".into()
            })?;
            for (at, slot) in slots.iter().enumerate() {
                keep(self.windows.is_open(*slot), || {
                    "`place` puts an item into a window that is not open: it would never come out".into()
                })?;
                keep(!slots[..at].contains(slot), || "`place` puts an item into a window twice".into())?;
            }
        }
        self.close_due()
    }

    /// Until there is nothing more to close.
    fn close_due(&mut self) -> Kept {
        self.repeat("close_next", K::close_next)
    }

    fn repeat(&mut self, name: &str, next: fn(&mut K, &mut OpenWindows<K::Id>) -> Answer) -> Kept {
        for _ in 0..FOR_EVER {
            let more = self.call(name, next)?;
            let some = self.pass(name)?;
            if !more {
                return keep(!some, || {
                    format!(
                        "`{name}` fires or closes a window and answers `false`: that waits for the next item"
                    )
                });
            }
        }
        Err(format!("`{name}` answers `true` again and again"))
    }

    fn look_at_the_clock(&mut self) -> Kept {
        let now = Instant::now();
        if self.kind.deadline().is_none_or(|at| at > now) {
            return Ok(());
        }
        self.call("on_time", |kind, windows| kind.on_time(now, windows))?;
        self.pass("on_time")?;
        // What is over may be closed by `close_next` only.
        self.close_due()?;
        keep(self.kind.deadline().is_none_or(|at| at > now), || {
            "after `on_time`, the deadline is not later than that time".into()
        })
    }

    fn finish(&mut self) -> Kept {
        self.repeat("finish_next", K::finish_next)?;
        keep(self.windows.is_empty(), || {
            let open = self.windows.len();
            format!("`finish_next` answers `false`, and {open} windows are open, which never emit")
        })
    }
}
