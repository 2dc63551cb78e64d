/// In which order items have to come, for a check.
///
/// # Examples
/// See [`check_operator`](super::check_operator).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemOrder {
    /// In any.
    Any,
    /// In that of the model where there is one lane, and in any where there are several.
    OfLane,
    /// In that of the model.
    OfSource,
}
