//! The numbers of a supervisor for the crate `metrics`.

use super::report::ChildCounts;
use metrics::{counter, describe_counter, describe_gauge, gauge};
use std::sync::Arc;

impl ChildCounts {
    /// Sets the counters and gauges of the crate [`metrics`](https://docs.rs/metrics) to these numbers, with the feature
    /// `metrics`. Call it now and then, or whenever the exporter is asked.
    ///
    /// | name | kind | what it says |
    /// |---|---|---|
    /// | `gen_stage_supervisor_children` | gauge | children that have not ended, by `state`: `active`, `restarting` |
    /// | `gen_stage_supervisor_unread_results` | gauge | results that wait for their reader, or were dropped without it |
    /// | `gen_stage_supervisor_started_total` | counter | children that were started |
    /// | `gen_stage_supervisor_restarts_total` | counter | restarts |
    /// | `gen_stage_supervisor_ended_total` | counter | children that have ended, by `outcome`: `completed`, `stopped`, `failed`, `panicked`, `aborted`, `not_restarted` |
    /// | `gen_stage_supervisor_not_started_total` | counter, items | without a child, by `why`: `ignored`, `failed`, `refused` |
    ///
    /// All have the label `supervisor`, with the name given here.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let handle = DynamicSupervisor::new(|_: u32| async {}).into_handle();
    /// handle.start_child(1)?;
    /// handle.count_children().record_metrics("jobs"); // `gen_stage_supervisor_started_total{supervisor="jobs"} 1`
    /// assert_eq!(handle.count_children().started, 1);
    /// # Ok::<(), gen_stage::supervisor::StartError<u32>>(())
    /// # });
    /// ```
    pub fn record_metrics(&self, name: impl Into<Arc<str>>) {
        describe();
        let name: Arc<str> = name.into();
        let labelled = |key: &'static str, value: &'static str| {
            [("supervisor", Arc::clone(&name)), (key, Arc::from(value))]
        };
        for (state, children) in [("active", self.active), ("restarting", self.restarting)] {
            gauge!("gen_stage_supervisor_children", &labelled("state", state)).set(children as f64);
        }
        let supervisor = [("supervisor", Arc::clone(&name))];
        gauge!("gen_stage_supervisor_unread_results", &supervisor).set(self.unread as f64);
        counter!("gen_stage_supervisor_started_total", &supervisor).absolute(self.started);
        counter!("gen_stage_supervisor_restarts_total", &supervisor).absolute(self.restarts);
        let ended = [
            ("completed", self.completed),
            ("stopped", self.stopped),
            ("failed", self.failed),
            ("panicked", self.panicked),
            ("aborted", self.aborted),
            ("not_restarted", self.not_restarted),
        ];
        for (outcome, children) in ended {
            counter!("gen_stage_supervisor_ended_total", &labelled("outcome", outcome)).absolute(children);
        }
        let without = [("ignored", self.ignored), ("failed", self.not_started), ("refused", self.refused)];
        for (why, items) in without {
            counter!("gen_stage_supervisor_not_started_total", &labelled("why", why)).absolute(items);
        }
    }
}

/// Says what the names stand for; exporters keep it.
fn describe() {
    describe_gauge!("gen_stage_supervisor_children", "Children that have not ended.");
    describe_gauge!("gen_stage_supervisor_unread_results", "Results of children that were not read.");
    describe_counter!("gen_stage_supervisor_started_total", "Children that were started.");
    describe_counter!("gen_stage_supervisor_restarts_total", "Restarts.");
    describe_counter!("gen_stage_supervisor_ended_total", "Children that have ended.");
    describe_counter!("gen_stage_supervisor_not_started_total", "Items for which no child was started.");
}
