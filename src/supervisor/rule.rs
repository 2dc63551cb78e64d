use std::time::Duration;

/// How a child is stopped: how long it has to end after it was asked to.
///
/// To ask is to cancel the child's [token](super::Child::token). A child that returns then has
/// [stopped](super::Outcome::Stopped), which is neither a failure nor an abort. A child that does not watch its token
/// runs on for as long as the rule lets it.
///
/// # Examples
/// ```
/// use gen_stage::supervisor::Shutdown;
/// use std::time::Duration;
/// assert_eq!(Shutdown::default(), Shutdown::After(Duration::from_secs(5)));
/// ```
///
/// # Source
/// The `shutdown` of a child spec: `:brutal_kill`, a number of milliseconds (5000 unless said), `:infinity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shutdown {
    /// It is aborted at once, and not asked.
    Brutal,
    /// It is asked, and aborted if it has not ended after this time.
    After(Duration),
    /// It is asked, and waited for, however long it takes.
    Wait,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::After(Duration::from_secs(5))
    }
}
