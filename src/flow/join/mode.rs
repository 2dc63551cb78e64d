use crate::sealed::Sealed;

/// An item of one of the two flows of a join.
///
/// # Examples
/// See [`window_join`](crate::Flow::window_join).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side<L, R> {
    /// An item of the flow that the join is called on.
    Left(L),
    /// An item of the flow it is joined with.
    Right(R),
}

impl<L, R> Side<L, R> {
    /// Makes one function of two: for the time of an item of either side, for example.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::flow::Side;
    ///
    /// let mut length = Side::by(|name: &String| name.len(), |number: &u32| *number as usize);
    /// assert_eq!(length(&Side::Left("anna".into())), 4);
    /// assert_eq!(length(&Side::Right(7)), 7);
    /// ```
    pub fn by<U, F, G>(mut left: F, mut right: G) -> impl FnMut(&Self) -> U + Clone + use<L, R, U, F, G>
    where
        F: FnMut(&L) -> U + Clone,
        G: FnMut(&R) -> U + Clone,
    {
        move |side| match side {
            Self::Left(item) => left(item),
            Self::Right(item) => right(item),
        }
    }

    #[inline(always)]
    pub(super) const fn as_ref(&self) -> Side<&L, &R> {
        match self {
            Self::Left(item) => Side::Left(item),
            Self::Right(item) => Side::Right(item),
        }
    }
}

/// Which rows a join makes: [`Inner`], [`LeftOuter`], [`RightOuter`] or [`FullOuter`].
///
/// # Examples
/// See [`window_join`](crate::Flow::window_join).
pub trait JoinMode<L, R>: Sealed {
    /// What a row is.
    type Row;

    /// The row of two items with equal keys.
    #[doc(hidden)]
    fn both(left: L, right: R) -> Self::Row;

    /// The row, if any, of an item of the left flow whose key the right one does not have.
    #[doc(hidden)]
    fn left(left: L) -> Option<Self::Row>;

    /// The row, if any, of an item of the right flow whose key the left one does not have.
    #[doc(hidden)]
    fn right(right: R) -> Option<Self::Row>;
}

/// Joins items with equal keys: rows are `(left, right)`.
///
/// # Examples
/// See [`window_join`](crate::Flow::window_join).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inner;

/// Joins as [`Inner`] does, and keeps the other items of the left flow: rows are `(left, Option<right>)`.
///
/// # Examples
/// See [`window_join`](crate::Flow::window_join).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOuter;

/// Joins as [`Inner`] does, and keeps the other items of the right flow: rows are `(Option<left>, right)`.
///
/// # Examples
/// See [`window_join`](crate::Flow::window_join).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RightOuter;

/// Joins as [`Inner`] does, and keeps the other items of both flows: rows are `(Option<left>, Option<right>)`.
///
/// # Examples
/// See [`window_join`](crate::Flow::window_join).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FullOuter;

impl Sealed for Inner {}

impl<L, R> JoinMode<L, R> for Inner {
    type Row = (L, R);

    fn both(left: L, right: R) -> (L, R) {
        (left, right)
    }

    fn left(_: L) -> Option<(L, R)> {
        None
    }

    fn right(_: R) -> Option<(L, R)> {
        None
    }
}

impl Sealed for LeftOuter {}

impl<L, R> JoinMode<L, R> for LeftOuter {
    type Row = (L, Option<R>);

    fn both(left: L, right: R) -> Self::Row {
        (left, Some(right))
    }

    fn left(left: L) -> Option<Self::Row> {
        Some((left, None))
    }

    fn right(_: R) -> Option<Self::Row> {
        None
    }
}

impl Sealed for RightOuter {}

impl<L, R> JoinMode<L, R> for RightOuter {
    type Row = (Option<L>, R);

    fn both(left: L, right: R) -> Self::Row {
        (Some(left), right)
    }

    fn left(_: L) -> Option<Self::Row> {
        None
    }

    fn right(right: R) -> Option<Self::Row> {
        Some((None, right))
    }
}

impl Sealed for FullOuter {}

impl<L, R> JoinMode<L, R> for FullOuter {
    type Row = (Option<L>, Option<R>);

    fn both(left: L, right: R) -> Self::Row {
        (Some(left), Some(right))
    }

    fn left(left: L) -> Option<Self::Row> {
        Some((Some(left), None))
    }

    fn right(right: R) -> Option<Self::Row> {
        Some((None, Some(right)))
    }
}
