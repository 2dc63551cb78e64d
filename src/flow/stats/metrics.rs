//! The numbers of a flow for the crate `metrics`.

use super::{FlowStats, LaneStats, LayerStats};
use metrics::{Label, Unit, counter, describe_counter, describe_gauge, gauge};
use std::sync::Arc;

impl FlowStats {
    /// Sets the counters and gauges of the crate [`metrics`](https://docs.rs/metrics) to these numbers, with the feature
    /// `metrics`. Call it now and then, or whenever the exporter is asked.
    ///
    /// | name | kind | what it says |
    /// |---|---|---|
    /// | `gen_stage_flow_taken_total` | counter, items | taken by a lane from what feeds it |
    /// | `gen_stage_flow_sent_total` | counter, items | sent by a lane |
    /// | `gen_stage_flow_waiting` | gauge, items | sent to a lane, and not taken yet |
    /// | `gen_stage_flow_open_demand` | gauge, items | asked for by a lane, and not sent yet |
    /// | `gen_stage_flow_busy_seconds` | gauge, seconds | in which a lane worked |
    /// | `gen_stage_flow_idle_seconds` | gauge, seconds | in which a lane waited for items, or for futures |
    /// | `gen_stage_flow_back_pressured_seconds` | gauge, seconds | in which a lane waited for demand |
    /// | `gen_stage_flow_futures` | gauge | futures of `map_async` that a lane has begun |
    /// | `gen_stage_flow_windows` | gauge | windows that a lane has open |
    /// | `gen_stage_flow_watermark_milliseconds` | gauge, milliseconds | how far the event time of a lane has got |
    /// | `gen_stage_flow_read_total` | counter, items | taken by the reader of the flow |
    /// | `gen_stage_flow_discarded_total` | counter, items | dropped before an operator or the reader took them |
    /// | `gen_stage_flow_late_total` | counter, items | too late for their windows, or too far ahead |
    /// | `gen_stage_flow_replaced_total` | counter, items | gave way to newer ones while they were held |
    /// | `gen_stage_flow_failed` | gauge, 0 or 1 | whether the flow has failed |
    ///
    /// All have the label `flow`, with the name given here. Those of lanes have also `layer`, its [label](crate::Flow::label)
    /// or the file and line that opened it; `part`, `lane` or `source` for example; and `lane`, a number. The three times
    /// only grow. Two flows need two names, and so do two layers: numbers of the same labels replace each other. A flow that
    /// is run anew needs another name too, for a counter keeps the highest number that it had.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let flow = Flow::from_iter(0..100).label("numbers").lanes(1).shuffle().start();
    /// flow.wait().await?;
    /// flow.stats().record_metrics("ingest"); // `gen_stage_flow_sent_total{flow="ingest",layer="numbers",…} 100`
    /// assert_eq!(flow.stats().layers[0].lanes[0].sent, 100);
    /// # Ok::<(), gen_stage::flow::FlowError>(())
    /// # });
    /// ```
    pub fn record_metrics(&self, name: impl Into<Arc<str>>) {
        describe();
        let flow = Label::new("flow", name.into());
        let of_flow = || vec![flow.clone()];
        for layer in &self.layers {
            for (number, lane) in layer.lanes.iter().enumerate() {
                record_lane(lane, &labels(&flow, layer, number));
            }
        }
        counter!("gen_stage_flow_read_total", of_flow()).absolute(self.read);
        counter!("gen_stage_flow_discarded_total", of_flow()).absolute(self.discarded);
        counter!("gen_stage_flow_late_total", of_flow()).absolute(self.late);
        counter!("gen_stage_flow_replaced_total", of_flow()).absolute(self.replaced);
        gauge!("gen_stage_flow_failed", of_flow()).set(if self.failure.is_some() { 1.0 } else { 0.0 });
    }
}

fn labels(flow: &Label, layer: &LayerStats, lane: usize) -> Vec<Label> {
    let lane = Label::new("lane", lane.to_string());
    vec![flow.clone(), Label::new("layer", layer.layer.name()), Label::new("part", layer.part.word()), lane]
}

fn record_lane(lane: &LaneStats, labels: &[Label]) {
    let labels = || labels.to_vec();
    counter!("gen_stage_flow_taken_total", labels()).absolute(lane.taken);
    counter!("gen_stage_flow_sent_total", labels()).absolute(lane.sent);
    gauge!("gen_stage_flow_waiting", labels()).set(lane.waiting as f64);
    gauge!("gen_stage_flow_open_demand", labels()).set(lane.open_demand as f64);
    gauge!("gen_stage_flow_busy_seconds", labels()).set(lane.times.busy);
    gauge!("gen_stage_flow_idle_seconds", labels()).set(lane.times.idle);
    gauge!("gen_stage_flow_back_pressured_seconds", labels()).set(lane.times.back_pressured);
    gauge!("gen_stage_flow_futures", labels()).set(lane.futures as f64);
    gauge!("gen_stage_flow_windows", labels()).set(lane.windows as f64);
    if let Some(watermark) = lane.watermark {
        gauge!("gen_stage_flow_watermark_milliseconds", labels()).set(watermark as f64);
    }
}

/// Says what the names stand for; exporters keep it.
fn describe() {
    describe_counter!("gen_stage_flow_taken_total", "Items taken by a lane from what feeds it.");
    describe_counter!("gen_stage_flow_sent_total", "Items sent by a lane.");
    describe_gauge!("gen_stage_flow_waiting", "Items sent to a lane, and not taken yet.");
    describe_gauge!("gen_stage_flow_open_demand", "Items asked for by a lane, and not sent yet.");
    describe_gauge!("gen_stage_flow_busy_seconds", Unit::Seconds, "Seconds in which a lane worked.");
    describe_gauge!(
        "gen_stage_flow_idle_seconds",
        Unit::Seconds,
        "Seconds in which a lane waited for items or futures."
    );
    describe_gauge!(
        "gen_stage_flow_back_pressured_seconds",
        Unit::Seconds,
        "Seconds in which a lane waited for demand."
    );
    describe_gauge!("gen_stage_flow_futures", "Futures that a lane has begun.");
    describe_gauge!("gen_stage_flow_windows", "Windows that a lane has open.");
    describe_gauge!(
        "gen_stage_flow_watermark_milliseconds",
        Unit::Milliseconds,
        "How far the event time of a lane has got."
    );
    describe_counter!("gen_stage_flow_read_total", "Items taken by the reader of the flow.");
    describe_counter!("gen_stage_flow_discarded_total", "Items dropped before anything took them.");
    describe_counter!("gen_stage_flow_late_total", "Items too late for their windows, or too far ahead.");
    describe_counter!(
        "gen_stage_flow_replaced_total",
        "Items that gave way to newer ones while they were held."
    );
    describe_gauge!("gen_stage_flow_failed", "Whether the flow has failed: 0 or 1.");
}
