/// Picks the next of `outlets`: the first after `last` that wants something. `None`: none of them does.
///
/// In turn, and not the one that wants most: a lane that has just begun, or that is slow, wants little, and would
/// never have its turn beside those that want much all the time.
pub(crate) fn next_in_turn(
    outlets: usize,
    last: usize,
    mut wants: impl FnMut(usize) -> bool,
) -> Option<usize> {
    let after = last.wrapping_add(1).min(outlets);
    (after..outlets).chain(0..after).find(|at| wants(*at))
}

/// The length of the next batch when `outlets` share a source that has at most `left` items more: shorter towards the
/// end, so that all outlets get there at about the same time.
pub(crate) fn share_of(left: Option<usize>, outlets: usize, full: usize) -> usize {
    match left {
        // Nothing is known of the end, or only the end itself is still to come.
        None | Some(0) => full,
        Some(left) => (left / outlets).clamp(1, full),
    }
}

#[cfg(test)]
mod tests {
    use super::{next_in_turn, share_of};

    #[test]
    fn each_that_wants_something_has_its_turn() {
        let next = |open: &[usize], last| next_in_turn(open.len(), last, |at| open[at] > 0);
        assert_eq!((next(&[], 0), next(&[0, 0], 0)), (None, None));
        assert_eq!(
            [usize::MAX, 0, 1, 2, 9].map(|last| next(&[500, 1, 500], last)),
            [0, 1, 2, 0, 0].map(Some)
        );
        assert_eq!(next(&[0, 1, 0], 1), Some(1));
    }

    #[test]
    fn batches_get_short_towards_the_end() {
        assert_eq!(share_of(None, 2, 500), 500);
        assert_eq!([10_000, 400, 5, 0].map(|left| share_of(Some(left), 2, 500)), [500, 200, 2, 500]);
    }
}
