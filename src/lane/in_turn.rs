use std::task::Poll;

/// Polls one after the other, starting at `at`, until one has an answer; takes out those that have ended.
///
/// `poll` answers `Ready(None)` when what it polls has ended. `ended` gets that, and says whether to poll the next one at
/// once. `None`: all have ended.
#[inline(always)]
pub(crate) fn poll_in_turn<E, R>(
    all: &mut Vec<E>,
    at: &mut usize,
    mut poll: impl FnMut(&mut E) -> Poll<Option<R>>,
    mut ended: impl FnMut(E) -> bool,
) -> Poll<Option<R>> {
    let mut waiting = 0;
    while waiting < all.len() {
        if *at >= all.len() {
            *at = 0;
        }
        match poll(&mut all[*at]) {
            Poll::Ready(Some(answer)) => return Poll::Ready(Some(answer)),
            Poll::Ready(None) => {
                if !ended(all.remove(*at)) {
                    return Poll::Pending;
                }
            }
            Poll::Pending => {
                waiting += 1;
                *at += 1;
            }
        }
    }
    if all.is_empty() { Poll::Ready(None) } else { Poll::Pending }
}
