use super::ends::Link;
use super::reason::Reason;
use super::status::ProducerStatus;
use super::terms::{AskMode, CancelMode};
use super::upstream::Upstream;
use crate::demand::Ledger;

/// One subscription of a stage that reads.
pub(super) struct Entry {
    pub(super) upstream: Upstream,
    pub(super) link: Link,
    pub(super) mode: AskMode,
    pub(super) ledger: Ledger,
    /// Subscribed when the stage was set up: a refusal then ends the stage.
    pub(super) at_start: bool,
    /// Another subscription takes its place, so that its end means nothing.
    pub(super) replaced: bool,
}

impl Entry {
    /// Starts to ask, in automatic mode.
    pub(super) fn begin(&mut self, mode: AskMode) {
        self.mode = mode;
        if mode == AskMode::Automatic {
            self.link.ask(self.ledger.open());
        }
    }

    pub(super) fn status(&self) -> ProducerStatus {
        self.upstream.status(self.mode, self.ledger.wanted())
    }

    /// Whether the end of this subscription for `reason` ends the stage.
    pub(super) fn ends_with(&self, reason: &Reason) -> bool {
        let mode = self.upstream.cancel_mode();
        match reason {
            _ if self.replaced => false,
            // The caller that made the subscription has been told; at the start there is no caller.
            Reason::Refused(_) => self.at_start && mode != CancelMode::Temporary,
            reason => mode.ends_on(reason),
        }
    }
}
