//! The numbers of a graph of stages for the crate `metrics`.

use super::{StageGraph, StageState};
use metrics::{Label, counter, describe_counter, describe_gauge, gauge};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the stages of one label do together.
#[derive(Default)]
struct Sums {
    received: u64,
    emitted: u64,
    sent: u64,
    undelivered: u64,
    discarded: u64,
    overflowed: u64,
    unsent: usize,
    waiting: usize,
    demand: usize,
    lag: usize,
    silent: usize,
}

impl StageGraph {
    /// Sets the counters and gauges of the crate [`metrics`](https://docs.rs/metrics) to these numbers, with the
    /// feature `metrics`. Call it on a new graph now and then, or whenever the exporter is asked.
    ///
    /// | name | kind | what it says |
    /// |---|---|---|
    /// | `gen_stage_stage_received_total` | counter, items | handed to the callbacks of a stage |
    /// | `gen_stage_stage_emitted_total` | counter, items | emitted by its callbacks |
    /// | `gen_stage_stage_sent_total` | counter, items | given to subscriptions: to two of them counts twice |
    /// | `gen_stage_stage_undelivered_total` | counter, items | sent, and dropped unread |
    /// | `gen_stage_stage_discarded_total` | counter, items | never sent, and dropped |
    /// | `gen_stage_stage_overflowed_total` | counter, items | of those discarded, thrown away by a full buffer |
    /// | `gen_stage_stage_unsent` | gauge, items | emitted, and not sent yet |
    /// | `gen_stage_stage_waiting` | gauge, items | received, and not handled for want of demand |
    /// | `gen_stage_stage_open_demand` | gauge, items | asked of it, and not sent yet |
    /// | `gen_stage_stage_lag` | gauge, items | by which the subscription lags that [lags](super::GraphSubscription::lag) most |
    /// | `gen_stage_stage_silent` | gauge | stages that did not answer in time |
    ///
    /// All have the labels `stages`, with the name given here, and `stage`, the label of the stage. Stages of one label
    /// are added up; where they come and go, the counters come out too low, for a counter keeps the highest sum that it
    /// had. The gauges of a stage that is in the graph and is silent, or has ended, are 0. A stage that has ended is
    /// most often no longer in the graph: its counters and gauges stay as they were set last.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::from_iter;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..9).stage().label("numbers").spawn();
    /// numbers.subscribe().await?.count().await;
    /// let graph = numbers.graph(Duration::from_secs(1)).await;
    /// graph.record_metrics("ingest"); // `gen_stage_stage_sent_total{stages="ingest",stage="numbers"} 9`
    /// assert_eq!(graph.stages[0].counts.sent, 9);
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # }).unwrap();
    /// ```
    pub fn record_metrics(&self, name: impl Into<Arc<str>>) {
        describe();
        let stages = Label::new("stages", name.into());
        for (label, sums) in self.sums() {
            let labels = || vec![stages.clone(), Label::new("stage", label.to_owned())];
            counter!("gen_stage_stage_received_total", labels()).absolute(sums.received);
            counter!("gen_stage_stage_emitted_total", labels()).absolute(sums.emitted);
            counter!("gen_stage_stage_sent_total", labels()).absolute(sums.sent);
            counter!("gen_stage_stage_undelivered_total", labels()).absolute(sums.undelivered);
            counter!("gen_stage_stage_discarded_total", labels()).absolute(sums.discarded);
            counter!("gen_stage_stage_overflowed_total", labels()).absolute(sums.overflowed);
            gauge!("gen_stage_stage_unsent", labels()).set(sums.unsent as f64);
            gauge!("gen_stage_stage_waiting", labels()).set(sums.waiting as f64);
            gauge!("gen_stage_stage_open_demand", labels()).set(sums.demand as f64);
            gauge!("gen_stage_stage_lag", labels()).set(sums.lag as f64);
            gauge!("gen_stage_stage_silent", labels()).set(sums.silent as f64);
        }
    }

    fn sums(&self) -> BTreeMap<&str, Sums> {
        let mut all = BTreeMap::<&str, Sums>::new();
        for stage in &self.stages {
            let sums = all.entry(&stage.label).or_default();
            sums.received += stage.counts.received;
            sums.emitted += stage.counts.emitted;
            sums.sent += stage.counts.sent;
            sums.undelivered += stage.counts.undelivered;
            sums.discarded += stage.counts.discarded;
            sums.overflowed += stage.counts.overflowed;
            sums.silent += usize::from(stage.state == StageState::Silent);
            if let Some(status) = &stage.status {
                sums.unsent += stage.unsent();
                sums.waiting += status.waiting;
                for consumer in &status.consumers {
                    sums.demand = sums.demand.saturating_add(consumer.demand);
                    sums.lag = sums.lag.max(consumer.lag);
                }
            }
        }
        all
    }
}

/// Says what the names stand for; exporters keep it.
fn describe() {
    describe_counter!("gen_stage_stage_received_total", "Items handed to the callbacks of a stage.");
    describe_counter!("gen_stage_stage_emitted_total", "Items emitted by the callbacks of a stage.");
    describe_counter!("gen_stage_stage_sent_total", "Items given to subscriptions.");
    describe_counter!("gen_stage_stage_undelivered_total", "Items sent, and dropped unread.");
    describe_counter!("gen_stage_stage_discarded_total", "Items never sent, and dropped.");
    describe_counter!("gen_stage_stage_overflowed_total", "Items thrown away by a full buffer.");
    describe_gauge!("gen_stage_stage_unsent", "Items emitted, and not sent yet.");
    describe_gauge!("gen_stage_stage_waiting", "Items received, and not handled for want of demand.");
    describe_gauge!("gen_stage_stage_open_demand", "Items asked of a stage, and not sent yet.");
    describe_gauge!("gen_stage_stage_lag", "Items by which the slowest subscription lags.");
    describe_gauge!("gen_stage_stage_silent", "Stages that did not answer in time.");
}
