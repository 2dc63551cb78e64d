//! Where in a flow something happens, as its messages say it.

use crate::failure::{located, message_of};
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

type Payload = Box<dyn Any + Send>;

/// A layer: its label, and where the code is that opened it.
#[derive(Debug, Clone)]
pub(in crate::flow) struct Layer {
    /// Different for each layer, also where the same code opened both.
    id: u64,
    label: Option<Arc<str>>,
    opened: &'static Location<'static>,
    part: LayerPart,
}

/// What of a layer has a task.
///
/// # Examples
/// See [`Monitor::stats`](crate::flow::Monitor::stats).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayerPart {
    /// A lane.
    Lane,
    /// A source that has a task of its own, and feeds the lanes.
    Source,
    /// The sink of [`dead_letters`](crate::Flow::dead_letters). Its items are not counted.
    DeadLetters,
    /// What subscribes the stages of [`through_stages`](crate::Flow::through_stages).
    Subscribing,
}

impl LayerPart {
    /// What one of its tasks is.
    pub(in crate::flow) fn word(self) -> &'static str {
        match self {
            Self::Lane => "lane",
            Self::Source => "source",
            Self::DeadLetters => "dead-letter sink",
            Self::Subscribing => "subscription",
        }
    }
}

impl Layer {
    #[track_caller]
    pub(in crate::flow) fn here() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let id = LAST.fetch_add(1, Ordering::Relaxed);
        Self { id, label: None, opened: Location::caller(), part: LayerPart::Lane }
    }

    pub(in crate::flow) fn label(&self) -> Option<&Arc<str>> {
        self.label.as_ref()
    }

    /// Its label, or else the place where it was opened.
    pub(in crate::flow) fn name(&self) -> String {
        match &self.label {
            Some(label) => label.to_string(),
            None => format!("{}:{}", self.opened.file(), self.opened.line()),
        }
    }

    pub(in crate::flow) fn opened(&self) -> &'static Location<'static> {
        self.opened
    }

    pub(in crate::flow) fn its_part(&self) -> LayerPart {
        self.part
    }

    /// Whether it is the same part of the same layer.
    pub(in crate::flow) fn is(&self, other: &Self) -> bool {
        (self.id, self.part) == (other.id, other.part)
    }

    pub(in crate::flow) fn set_label(&mut self, label: Arc<str>) {
        self.label = Some(label);
    }

    /// The same layer, for tasks that are not its lanes.
    pub(in crate::flow) fn part(&self, part: LayerPart) -> Self {
        Self { part, ..self.clone() }
    }
}

/// One of the tasks of a flow.
#[derive(Debug, Clone)]
pub(in crate::flow) struct Place {
    pub(in crate::flow) flow: Option<Arc<str>>,
    pub(in crate::flow) layer: Layer,
    pub(in crate::flow) number: usize,
}

impl Place {
    /// A span for the task, under the one that the flow is started in.
    pub(in crate::flow) fn span(&self) -> tracing::Span {
        tracing::debug_span!(
            "lane",
            flow = self.flow.as_deref(),
            layer = self.layer.label.as_deref(),
            opened = %self.layer.opened,
            lane = self.number
        )
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line) = (self.opened.file(), self.opened.line());
        match &self.label {
            Some(label) => write!(f, "the layer `{label}` ({file}:{line})"),
            None => write!(f, "the layer at {file}:{line}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer.part {
            part @ (LayerPart::Lane | LayerPart::Source) => write!(f, "{} {}", part.word(), self.number)?,
            LayerPart::DeadLetters => write!(f, "the sink of dead letters")?,
            LayerPart::Subscribing => write!(f, "a subscription")?,
        }
        write!(f, " of {}", self.layer)?;
        match &self.flow {
            Some(flow) => write!(f, " of the flow `{flow}`"),
            None => Ok(()),
        }
    }
}

/// What is said of a sink that fails, at the end of a lane or of a layer.
pub(in crate::flow) fn failed_sink(of: impl fmt::Display) -> String {
    format!("the sink of {of} failed, and its error went to the caller")
}

/// A panic of a task.
pub(in crate::flow) struct Fallen {
    /// Where it was, unless it was in a drop.
    pub(in crate::flow) place: Option<String>,
    pub(in crate::flow) payload: Payload,
}

impl Fallen {
    /// What a task was raised with.
    pub(in crate::flow) fn at(place: Option<&Place>, payload: Payload) -> Self {
        let task = place.map(Place::to_string);
        let (place, payload) = located(task.clone(), payload);
        if let Some(place) = &place {
            // Of a stage that a lane reads, or of another flow; a future of a lane names its lane itself.
            let raised_in = task.filter(|task| !place.ends_with(task));
            let panic = message_of(&*payload);
            // A reader gets the payload as it was, and learns the place from here only. A log that panics changes
            // nothing.
            let log = || tracing::error!(place, raised_in, panic, "a lane of a flow panicked");
            let _ = catch_unwind(AssertUnwindSafe(log));
        }
        Self { place, payload }
    }

    /// What a drop was raised with, while tasks were stopped.
    pub(in crate::flow) fn in_drop(payload: Payload) -> Self {
        Self { place: None, payload }
    }
}
