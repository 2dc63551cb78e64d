//! Where in a flow something happens, as its messages say it.

use crate::failure::{located, message_of};
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

type Payload = Box<dyn Any + Send>;

/// A layer: its label, and where the code is that opened it.
#[derive(Debug, Clone)]
pub(in crate::flow) struct Layer {
    label: Option<Arc<str>>,
    opened: &'static Location<'static>,
    part: Part,
}

/// What of a layer has a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::flow) enum Part {
    Lane,
    Source,
    DeadLetters,
    Subscribing,
}

impl Layer {
    #[track_caller]
    pub(in crate::flow) fn here() -> Self {
        Self { label: None, opened: Location::caller(), part: Part::Lane }
    }

    pub(in crate::flow) fn set_label(&mut self, label: Arc<str>) {
        self.label = Some(label);
    }

    /// The same layer, for tasks that are not its lanes.
    pub(in crate::flow) fn part(&self, part: Part) -> Self {
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

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer.part {
            Part::Lane => write!(f, "lane {}", self.number)?,
            Part::Source => write!(f, "source {}", self.number)?,
            Part::DeadLetters => write!(f, "the sink of dead letters")?,
            Part::Subscribing => write!(f, "a subscription")?,
        }
        let (file, line) = (self.layer.opened.file(), self.layer.opened.line());
        match &self.layer.label {
            Some(label) => write!(f, " of the layer `{label}` ({file}:{line})")?,
            None => write!(f, " of the layer at {file}:{line}")?,
        }
        match &self.flow {
            Some(flow) => write!(f, " of the flow `{flow}`"),
            None => Ok(()),
        }
    }
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
        let (place, payload) = located(place.map(Place::to_string), payload);
        if let Some(place) = &place {
            // A reader gets the payload as it was, and learns the place from here only. A log that panics changes
            // nothing.
            let log = || tracing::error!(place, panic = message_of(&*payload), "a lane of a flow panicked");
            let _ = catch_unwind(AssertUnwindSafe(log));
        }
        Self { place, payload }
    }

    /// What a drop was raised with, while tasks were stopped.
    pub(in crate::flow) fn in_drop(payload: Payload) -> Self {
        Self { place: None, payload }
    }
}
