use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Which window emits, and why: given to [`on_trigger`](crate::Flow::on_trigger).
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::window::{Trigger, Window};
///
/// # tokio_test::block_on(async {
/// let sums: Vec<(u64, Trigger, u32)> = Flow::from_iter(1..=5)
///     .lanes(1)
///     .window(Window::count(3))
///     .reduce(|| 0, |sum, n| *sum += n)
///     .on_trigger(|sum, info| [(info.window, info.trigger, *sum)])
///     .collect()
///     .await;
/// assert_eq!(sums, [(0, Trigger::Done, 6), (1, Trigger::Done, 9)]);
/// # });
/// ```
///
/// # Source
/// The second and third arguments of the function given to `Flow.on_trigger/2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info<Id> {
    /// What names the window: see the kinds of [`Window`](crate::window::Window).
    pub window: Id,
    /// What went off.
    pub trigger: Trigger,
    /// The lane of the window, 0 to `lanes - 1`.
    pub lane: usize,
    /// How many lanes the layer has.
    pub lanes: usize,
}

impl<Id> Info<Id> {
    pub(crate) fn new(window: Id, trigger: Trigger, (lane, lanes): (usize, usize)) -> Self {
        Self { window, trigger, lane, lanes }
    }

    /// Whether the window is over: its state is dropped after this.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    ///
    /// # tokio_test::block_on(async {
    /// // At every second item, and once more when the window is over.
    /// let done: Vec<bool> = Flow::from_iter(1..=4)
    ///     .lanes(1)
    ///     .window(Window::global().every(2))
    ///     .reduce(|| 0, |sum, n| *sum += n)
    ///     .on_trigger(|_, info| [info.is_done()])
    ///     .collect()
    ///     .await;
    /// assert_eq!(done, [false, false, true]);
    /// # });
    /// ```
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.trigger == Trigger::Done
    }
}

/// What makes a window emit.
///
/// # Examples
/// ```
/// use gen_stage::window::Trigger;
///
/// assert_eq!(Trigger::Named("sample").to_string(), "sample");
/// ```
///
/// # Source
/// The trigger's name in `Flow.Window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trigger {
    /// The window is over.
    Done,
    /// The watermark has passed the end of the window, which goes on taking late items.
    Watermark,
    /// This many items have come into the window since the trigger last went off.
    Every(NonZeroUsize),
    /// A period of this length has passed.
    Periodically(Duration),
    /// A trigger of the user's: a message, or what a custom trigger said.
    Named(&'static str),
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Watermark => f.write_str("watermark"),
            Self::Every(items) => write!(f, "every {items} items"),
            Self::Periodically(period) => write!(f, "every {period:?}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}
