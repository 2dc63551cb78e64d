use super::info::Trigger;

/// What a lane carries to a `reduce`: items with the windows they belong to, and what happens to windows, in the order
/// in which it happens.
///
/// Operators between a window and its `reduce` see the items; the rest passes through them. Users meet this type in
/// type names only.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal<T, P, Id> {
    /// An item, and where it goes.
    Item(P, T),
    /// A window is to emit.
    Fire(Fire<Id>),
    /// Two windows have become one.
    Merge {
        /// The window that stays.
        into: Slot,
        /// The window that goes.
        from: Slot,
    },
}

/// A trigger that went off for one window.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fire<Id> {
    /// Where the window's state is.
    pub slot: Slot,
    /// What names the window.
    pub window: Id,
    /// What went off; with [`Trigger::Done`] the window is over.
    pub trigger: Trigger,
}

/// The place of an open window's state; used again after the window is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub(crate) u32);

impl Slot {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}
