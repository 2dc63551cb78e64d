/// An item in an envelope, with what an operator that works on the item must leave as it is: the windows it belongs
/// to, or its place in an order. Some envelopes are empty and carry only word of something.
///
/// Operators that work item by item are written for items; by this trait they work on envelopes too.
pub trait Carry: Sized {
    /// What is in the envelope.
    type Item;
    /// The same envelope around something else.
    type With<U>: Carry<Item = U>;
    /// The envelopes around what one item became.
    type Many<I: Iterator>: Iterator<Item = Self::With<I::Item>>;

    /// Makes at most one item of the item.
    fn step<U>(self, f: impl FnOnce(Self::Item) -> Option<U>) -> Option<Self::With<U>>;

    /// Makes any number of items of the item.
    fn expand<I: Iterator>(self, f: impl FnOnce(Self::Item) -> I) -> Self::Many<I>;
}

/// An operator on items, put to work on what is in envelopes.
#[derive(Debug, Clone)]
pub struct Carried<Op>(pub(crate) Op);
