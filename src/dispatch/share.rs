/// Picks the outlet with the most open demand; of equals, the first.
///
/// # Source
/// The order of GenStage's `DemandDispatcher`.
pub(crate) fn most_demand(open: impl IntoIterator<Item = usize>) -> Option<usize> {
    let mut best = None;
    for (outlet, demand) in open.into_iter().enumerate() {
        if demand > best.map_or(0, |(_, most)| most) {
            best = Some((outlet, demand));
        }
    }
    best.map(|(outlet, _)| outlet)
}

/// The length of the next batch when several outlets share a source: 1, 2, 4 … up to the full batch.
///
/// A source with a few hundred items would otherwise be one batch, and one lane would do all the work.
#[derive(Debug, Clone)]
pub(crate) struct Ramp {
    next: usize,
    full: usize,
}

impl Ramp {
    /// Starts at the full batch when there is nobody to share with.
    pub(crate) fn new(full: usize, outlets: usize) -> Self {
        let next = if outlets > 1 { 1 } else { full };
        Self { next, full }
    }

    pub(crate) fn length(&self) -> usize {
        self.next
    }

    pub(crate) fn climb(&mut self) {
        self.next = self.next.saturating_mul(2).min(self.full);
    }
}

#[cfg(test)]
mod tests {
    use super::{Ramp, most_demand};

    #[test]
    fn the_highest_demand_wins_and_the_first_of_equals() {
        assert_eq!(most_demand([4, 2, 3]), Some(0));
        assert_eq!(most_demand([4, 6, 5]), Some(1));
        assert_eq!(most_demand([0, 3, 3]), Some(1));
        assert_eq!(most_demand([0, 0]), None);
        assert_eq!(most_demand([]), None);
    }

    #[test]
    fn batches_grow_to_the_full_length_when_shared() {
        let mut ramp = Ramp::new(5, 2);
        let lengths: Vec<_> = (0..5)
            .map(|_| {
                let length = ramp.length();
                ramp.climb();
                length
            })
            .collect();
        assert_eq!(lengths, [1, 2, 4, 5, 5]);
        assert_eq!(Ramp::new(5, 1).length(), 5);
    }
}
