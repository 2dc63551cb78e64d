use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names one subscription: unique in a process.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::SubscriptionId;
/// assert_ne!(SubscriptionId::next(), SubscriptionId::next());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(u64);

/// Names one stage: unique in a process.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::StageId;
/// assert_ne!(StageId::next(), StageId::next());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StageId(u64);

macro_rules! identity {
    ($name:ident) => {
        impl $name {
            /// Makes one that was not there before. Stages do that for you; tests of a dispatcher need it.
            #[must_use]
            pub fn next() -> Self {
                static LAST: AtomicU64 = AtomicU64::new(0);
                Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "#{}", self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    };
}

identity!(SubscriptionId);
identity!(StageId);
