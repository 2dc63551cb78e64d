//! How much to ask for, and when: the arithmetic of demand, without any I/O.
//!
//! A consumer keeps between [`min`](Demand::min) and [`max`](Demand::max) items of demand open with its producer.
//! It asks for `max` items once, at the start. What arrives is handled in pieces of at most `max - min` items;
//! after a piece, when open demand has fallen to `min` or below, it asks for enough to bring it back to `max`.
//!
//! ```text
//! max 10, min 2      open demand   asks
//! start                   0         10     a message of 10 arrives
//! after a piece of 8      2          8     10 are open again
//! after a piece of 2      8          0     above min: nothing to ask
//! after a piece of 8      0         10     …
//! ```
//!
//! [`Demand`] is the pair of numbers, checked. [`Ledger`] does the counting for one consumer of one producer.

use thiserror::Error;

/// The two bounds of a consumer's demand, in items per edge.
///
/// `max` is both the most items that may be in flight and the size of the first ask. `min` is the level of open
/// demand at which the consumer asks again. `max - min` is the size of a [batch](Demand::batch).
///
/// The default is 1000 and 500. Larger numbers cost memory and latency, and buy fewer hand-overs between tasks;
/// slow work per item wants small ones, down to `max` 1 and `min` 0.
///
/// # Examples
/// ```
/// use gen_stage::Demand;
///
/// let demand = Demand::new(100, 20)?;
/// assert_eq!((demand.max(), demand.min(), demand.batch()), (100, 20, 80));
/// assert_eq!(Demand::default(), Demand::new(1000, 500)?);
/// assert_eq!(
///     Demand::new(10, 10).unwrap_err().to_string(),
///     "min_demand must be at most 9, one less than max_demand, given 10",
/// );
/// # Ok::<(), gen_stage::DemandError>(())
/// ```
///
/// # Source
/// GenStage's `max_demand` and `min_demand` subscription options, with the same defaults and bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Demand {
    max: usize,
    min: usize,
}

/// The most demand that is counted, in items. More makes no visible difference, and sums of this do not overflow.
pub(crate) const MOST: usize = usize::MAX >> (usize::BITS / 3);

impl Demand {
    /// One item at a time.
    pub(crate) const ONE: Self = Self { max: 1, min: 0 };

    /// Takes both bounds, in items.
    ///
    /// # Errors
    /// [`DemandError::Max`] when `max` is 0; [`DemandError::Min`] when `min` is not below `max`.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::{Demand, DemandError};
    ///
    /// assert!(Demand::new(1, 0).is_ok());
    /// assert_eq!(Demand::new(0, 0), Err(DemandError::Max { given: 0 }));
    /// ```
    pub const fn new(max: usize, min: usize) -> Result<Self, DemandError> {
        if max == 0 {
            Err(DemandError::Max { given: max })
        } else if min >= max {
            Err(DemandError::Min { bound: max - 1, given: min })
        } else {
            Ok(Self { max, min })
        }
    }

    /// Takes the upper bound, in items; the lower one is half of it, rounded down.
    ///
    /// # Errors
    /// [`DemandError::Max`] when `max` is 0.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::Demand;
    ///
    /// assert_eq!(Demand::up_to(3)?.min(), 1);
    /// assert_eq!(Demand::up_to(1)?.min(), 0);
    /// # Ok::<(), gen_stage::DemandError>(())
    /// ```
    pub const fn up_to(max: usize) -> Result<Self, DemandError> {
        Self::new(max, max / 2)
    }

    /// The most items in flight, and the size of the first ask: at least 1, by default 1000.
    ///
    /// # Examples
    /// ```
    /// assert_eq!(gen_stage::Demand::default().max(), 1000);
    /// ```
    #[must_use]
    pub const fn max(self) -> usize {
        self.max
    }

    /// The open demand at which more is asked for: below `max`, by default half of it.
    ///
    /// # Examples
    /// ```
    /// assert_eq!(gen_stage::Demand::default().min(), 500);
    /// ```
    #[must_use]
    pub const fn min(self) -> usize {
        self.min
    }

    /// The most items handled, and handed from task to task, at once: `max - min`, at least 1.
    ///
    /// # Examples
    /// ```
    /// assert_eq!(gen_stage::Demand::default().batch(), 500);
    /// ```
    #[must_use]
    pub const fn batch(self) -> usize {
        self.max - self.min
    }

    /// The same demand, with `max` at most [`MOST`]; the size of a batch stays what it was, as far as it can.
    pub(crate) const fn countable(self) -> Self {
        if self.max <= MOST {
            return self;
        }
        let batch = self.max - self.min;
        Self { max: MOST, min: MOST.saturating_sub(batch) }
    }

    /// The demand of each of several edges that together ask for this much, and each for at least 1.
    pub(crate) const fn shared_by(self, edges: usize) -> Self {
        let max = if self.max > edges { self.max / edges } else { 1 };
        Self { max, min: max / 2 }
    }
}

impl Default for Demand {
    fn default() -> Self {
        Self { max: 1000, min: 500 }
    }
}

/// Why a pair of numbers is no [`Demand`].
///
/// # Examples
/// ```
/// use gen_stage::Demand;
///
/// let refused = Demand::new(0, 0).unwrap_err();
/// assert_eq!(refused.to_string(), "max_demand must be at least 1, given 0");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DemandError {
    /// `max_demand` was 0.
    #[error("max_demand must be at least 1, given {given}")]
    Max {
        /// What was given, in items.
        given: usize,
    },
    /// `min_demand` was not below `max_demand`.
    #[error("min_demand must be at most {bound}, one less than max_demand, given {given}")]
    Min {
        /// The highest `min_demand` that goes with the `max_demand` given, in items.
        bound: usize,
        /// What was given, in items.
        given: usize,
    },
}

/// Counts the demand that one consumer has open with one producer, and says when to ask for how much.
///
/// # Examples
/// ```
/// use gen_stage::{Demand, demand::Ledger};
///
/// let mut ledger = Ledger::new(Demand::new(7, 3)?);
/// assert_eq!(ledger.open(), 7);             // the first ask
/// // A message of 7 items arrives and is handled in two pieces.
/// assert_eq!(ledger.piece(7), 4);
/// assert_eq!(ledger.handled(4), 4);         // 3 are left open: ask for 4 more
/// assert_eq!(ledger.piece(3), 3);
/// assert_eq!(ledger.handled(3), 0);         // 4 are left open: enough
/// # Ok::<(), gen_stage::DemandError>(())
/// ```
///
/// # Source
/// The consumer's side of GenStage's automatic mode.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// The most demand that is kept open: `max`, or less while it grows.
    limit: usize,
    demand: Demand,
    /// Asked for and not yet handled; at most `demand.max`.
    wanted: usize,
}

impl Ledger {
    /// Starts with nothing asked for.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::{Demand, demand::Ledger};
    /// assert_eq!(Ledger::new(Demand::default()).wanted(), 0);
    /// ```
    #[must_use]
    pub const fn new(demand: Demand) -> Self {
        Self { demand, wanted: 0, limit: demand.max }
    }

    /// The bounds this ledger keeps to.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::{Demand, demand::Ledger};
    /// assert_eq!(Ledger::new(Demand::default()).demand(), Demand::default());
    /// ```
    #[must_use]
    pub const fn demand(&self) -> Demand {
        self.demand
    }

    /// The items asked for and not yet handled: 0 to `max`.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::{Demand, demand::Ledger};
    /// let mut ledger = Ledger::new(Demand::default());
    /// ledger.open();
    /// assert_eq!(ledger.wanted(), 1000);
    /// ```
    #[must_use]
    pub const fn wanted(&self) -> usize {
        self.wanted
    }

    /// Returns how much to ask for at the start, to bring open demand to `max`. A second call returns 0.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::{Demand, demand::Ledger};
    /// let mut ledger = Ledger::new(Demand::default());
    /// assert_eq!((ledger.open(), ledger.open()), (1000, 0));
    /// ```
    pub fn open(&mut self) -> usize {
        let ask = self.limit - self.wanted;
        self.wanted = self.limit;
        ask
    }

    /// The length of the next piece to handle, of `available` items that have arrived.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::{Demand, demand::Ledger};
    /// let ledger = Ledger::new(Demand::default());
    /// assert_eq!((ledger.piece(700), ledger.piece(200)), (500, 200));
    /// ```
    #[must_use]
    pub fn piece(&self, available: usize) -> usize {
        available.min(self.demand.batch())
    }

    /// Counts `items` as handled and returns how much to ask for now, which may be 0.
    ///
    /// Items beyond what was asked for are not counted: a producer that sends too much is owed nothing for it.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::{Demand, demand::Ledger};
    /// let mut ledger = Ledger::new(Demand::default());
    /// ledger.open();
    /// assert_eq!((ledger.handled(499), ledger.handled(1)), (0, 500));
    /// ```
    pub fn handled(&mut self, items: usize) -> usize {
        self.wanted = self.wanted.saturating_sub(items);
        if self.wanted <= self.demand.min { self.open() } else { 0 }
    }

    /// A ledger that asks for one item at first, and for more as items are handled; see
    /// [`handled_in`](Self::handled_in).
    pub(crate) const fn growing(demand: Demand) -> Self {
        Self { demand, wanted: 0, limit: 1 }
    }

    pub(crate) fn is_growing(&self) -> bool {
        self.limit < self.demand.max
    }

    /// [`handled`](Self::handled) while growing. Asks for `times` times as much next, at most 8 times, and at least a
    /// quarter more.
    pub(crate) fn handled_in(&mut self, items: usize, times: usize) -> usize {
        self.wanted = self.wanted.saturating_sub(items);
        if self.wanted > self.demand.min.min(self.limit / 2) {
            return 0;
        }
        if items > 0 {
            let quarter_more = self.limit.saturating_add(self.limit / 4 + 1);
            let next = self.limit.saturating_mul(times.min(8)).max(quarter_more);
            // From a full batch on, grows by full batches: otherwise every later ask would end in a scrap of one.
            let batch = self.demand.batch();
            self.limit = if self.limit < batch {
                next.min(batch)
            } else {
                (next - next % batch).max(self.limit.saturating_add(batch)).min(self.demand.max)
            };
        }
        self.open()
    }
}

#[cfg(test)]
mod tests {
    use super::{Demand, Ledger};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    /// The asks that reach a producer that always fills them, and the pieces that its consumer handles.
    ///
    /// Asks travel as messages: one ask, one answer of as many items.
    fn against_a_counting_producer(max: usize, min: usize, pieces: usize) -> (Vec<usize>, Vec<usize>) {
        let mut ledger = Ledger::new(Demand::new(max, min).unwrap());
        let (mut asks, mut handled, mut answered) = (vec![ledger.open()], Vec::new(), 0);
        while handled.len() < pieces {
            let mut message = asks[answered];
            answered += 1;
            while message > 0 {
                let piece = ledger.piece(message);
                message -= piece;
                handled.push(piece);
                let ask = ledger.handled(piece);
                if ask > 0 {
                    asks.push(ask);
                }
            }
        }
        handled.truncate(pieces);
        (asks, handled)
    }

    #[test]
    fn golden_sequences_of_the_original_come_out() {
        // (max, min, the first asks, the first pieces), as in the table of GenStage's measured behaviour.
        let golden: &[(usize, usize, &[usize], &[usize])] = &[
            (10, 0, &[10, 10, 10], &[10, 10, 10]),
            (10, 5, &[10, 5, 5, 5], &[5, 5, 5]),
            (10, 8, &[10, 2, 2, 2], &[2, 2, 2]),
            (10, 9, &[10, 1, 1, 1], &[1, 1, 1]),
            (10, 2, &[10, 8, 10, 8, 10, 8], &[8, 2, 8, 8, 2, 8, 8]),
            (7, 3, &[7, 4, 7, 4], &[4, 3, 4, 4, 3, 4, 4]),
            (5, 2, &[5, 3, 5, 3], &[3, 2, 3, 3, 2, 3, 3]),
            (3, 1, &[3, 2, 3, 2], &[2, 1, 2, 2, 1, 2, 2]),
            (2, 1, &[2, 1, 1, 1], &[1, 1, 1, 1]),
            (4, 3, &[4, 1, 1, 1], &[1, 1, 1, 1]),
            (1, 0, &[1, 1, 1], &[1, 1, 1]),
            (100, 20, &[100, 80, 100, 80], &[80, 20, 80, 80, 20]),
            (100, 50, &[100, 50, 50], &[50, 50, 50]),
            (1000, 500, &[1000, 500, 500], &[500, 500, 500]),
            (1000, 750, &[1000, 250, 250], &[250, 250, 250]),
        ];
        for &(max, min, asks, pieces) in golden {
            let (asked, handled) = against_a_counting_producer(max, min, 12);
            assert_eq!(&asked[..asks.len()], asks, "asks at {max}/{min}");
            assert_eq!(&handled[..pieces.len()], pieces, "pieces at {max}/{min}");
        }
    }

    #[test]
    fn scenario_014_short_messages_are_asked_for_together() {
        let mut ledger = Ledger::new(Demand::new(1000, 750).unwrap());
        ledger.open();
        let asks: Vec<_> = (0..4).map(|_| ledger.handled(100)).collect();
        assert_eq!(asks, [0, 0, 300, 0]);
    }

    #[test]
    fn scenario_032_and_035_bounds_are_named_with_the_value() {
        let said = |max, min| Demand::new(max, min).unwrap_err().to_string();
        assert_eq!(said(0, 0), "max_demand must be at least 1, given 0");
        assert_eq!(said(10, 10), "min_demand must be at most 9, one less than max_demand, given 10");
        assert_eq!(said(1, 1), "min_demand must be at most 0, one less than max_demand, given 1");
    }

    #[test]
    fn demand_grows_with_what_was_handled() {
        let asks = |max, min, times| {
            let mut ledger = Ledger::growing(Demand::new(max, min).unwrap());
            let mut ask = ledger.open();
            let mut asks = vec![ask];
            while ledger.is_growing() {
                ask = ledger.handled_in(ask, times);
                asks.push(ask);
            }
            asks
        };
        assert_eq!(asks(1000, 500, 50), [1, 8, 64, 500, 1000]);
        assert_eq!(asks(100, 20, 50), [1, 8, 64, 80, 100]);
        assert_eq!(asks(7, 3, 0), [1, 2, 3, 4, 7]);
        assert_eq!(asks(1, 0, 0), [1]);
        assert_eq!(asks(40, 0, 0), [1, 2, 3, 4, 6, 8, 11, 14, 18, 23, 29, 37, 40]);
    }

    #[test]
    fn items_beyond_what_was_asked_are_not_counted() {
        let mut ledger = Ledger::new(Demand::new(4, 0).unwrap());
        ledger.open();
        assert_eq!(ledger.handled(9), 4);
        assert_eq!(ledger.wanted(), 4);
    }

    proptest! {
        #[test]
        fn open_demand_stays_within_its_bounds(
            max in 1usize..2000,
            below in any::<proptest::sample::Index>(),
            messages in proptest::collection::vec(1usize..300, 0..60),
        ) {
            let demand = Demand::new(max, below.index(max)).unwrap();
            let mut ledger = Ledger::new(demand);
            let (mut asked, mut done) = (ledger.open(), 0);
            for message in messages {
                // A producer may send any part of what is open.
                let mut message = message.min(ledger.wanted());
                while message > 0 {
                    let piece = ledger.piece(message);
                    prop_assert!(piece >= 1 && piece <= demand.batch());
                    message -= piece;
                    done += piece;
                    asked += ledger.handled(piece);
                    // Conservation, the ceiling, and never a stall: above min there is demand to fill.
                    prop_assert_eq!(asked, done + ledger.wanted());
                    prop_assert!(ledger.wanted() <= demand.max());
                    prop_assert!(ledger.wanted() > demand.min());
                }
            }
        }
    }
}
