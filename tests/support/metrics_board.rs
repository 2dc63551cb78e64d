//! What is set in the crate `metrics`.

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// Keeps every number under its name and labels, and the names that were described.
#[derive(Default)]
pub(crate) struct MetricsBoard {
    numbers: Arc<Mutex<BTreeMap<String, f64>>>,
    described: Mutex<BTreeSet<String>>,
}

impl MetricsBoard {
    /// Shows what `record` sets.
    pub(crate) fn of(record: impl FnOnce()) -> BTreeMap<String, f64> {
        let board = Self::default();
        metrics::with_local_recorder(&board, record);
        let numbers = board.numbers.lock().unwrap().clone();
        let names: BTreeSet<_> =
            numbers.keys().map(|key| key.split('{').next().unwrap().to_owned()).collect();
        assert!(names.is_subset(&board.described.into_inner().unwrap()), "each is described: {names:?}");
        numbers
    }

    fn cell(&self, key: &Key) -> Arc<Cell> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        Arc::new(Cell { name, numbers: Arc::clone(&self.numbers) })
    }
}

struct Cell {
    name: String,
    numbers: Arc<Mutex<BTreeMap<String, f64>>>,
}

impl Cell {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut numbers = self.numbers.lock().unwrap();
        let number = numbers.entry(self.name.clone()).or_default();
        *number = change(*number);
    }
}

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.change(|number| number + value as f64);
    }

    fn absolute(&self, value: u64) {
        self.change(|number| number.max(value as f64));
    }
}

impl GaugeFn for Cell {
    fn increment(&self, value: f64) {
        self.change(|number| number + value);
    }

    fn decrement(&self, value: f64) {
        self.change(|number| number - value);
    }

    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

impl Recorder for MetricsBoard {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.described.lock().unwrap().insert(name.as_str().into());
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.described.lock().unwrap().insert(name.as_str().into());
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("{} is no counter and no gauge", key.name())
    }
}
