use super::plumbing::place::Layer;
use crate::demand::Demand;
use crate::picture::Picture;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// What a flow is made of: its layers, their operators, and which layer feeds which; made by
/// [`Flow::describe`](super::Flow::describe) before it runs, and by [`Monitor::topology`](super::Monitor::topology) and
/// [`FlowHandle::topology`](super::FlowHandle::topology) from then on.
///
/// Its text has a line for each layer, and below it one for each operator. [`to_mermaid`](Topology::to_mermaid) and
/// [`to_dot`](Topology::to_dot) draw it.
///
/// # Examples
/// See [`Flow::describe`](super::Flow::describe).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Topology {
    /// The [name](super::Flow::named) of the flow, if it has one.
    pub name: Option<Arc<str>>,
    /// The layers. What feeds others comes first.
    pub layers: Vec<TopologyLayer>,
}

/// What a layer is made of.
///
/// # Examples
/// See [`Flow::describe`](super::Flow::describe).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TopologyLayer {
    /// Its [label](super::Flow::label), if it has one.
    pub label: Option<Arc<str>>,
    /// What opened it: a source, or `partition_by`, `shuffle`, `merge` and the like.
    pub opened_by: Operator,
    /// How many [lanes](super::Flow::lanes) were set. `None`: as many as there are cores; without operators, none: then
    /// what feeds the layer feeds the next one.
    pub lanes: Option<usize>,
    /// The [demand](super::Flow::demand) of each of its lanes.
    pub demand: Demand,
    /// What it does with its items, in this order.
    pub operators: Vec<Operator>,
    /// The layers that feed it, as indexes of [`Topology::layers`].
    pub fed_by: Vec<usize>,
    /// The labels of the stages that it reads from: those of [`from_stages`](super::Flow::from_stages) and
    /// [`through_stages`](super::Flow::through_stages). A
    /// [graph of stages](crate::stage::StageGraph) shows what these are connected to, and what reads from the stages
    /// that a flow [ends in](super::Flow::into_stages).
    pub stages: Vec<Arc<str>>,
    layer: Layer,
}

/// An operator: the method that was called, and where.
///
/// # Examples
/// See [`Flow::describe`](super::Flow::describe).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operator {
    /// The name of the method.
    pub name: &'static str,
    /// The file of the code that called it.
    pub file: &'static str,
    /// The line there.
    pub line: u32,
}

impl Operator {
    /// The operator that the caller of this stands for.
    #[track_caller]
    fn here(name: &'static str) -> Self {
        let at = Location::caller();
        Self { name, file: at.file(), line: at.line() }
    }
}

impl Topology {
    /// A layer opens, which the layers `fed_by` feed.
    #[track_caller]
    fn open(&mut self, name: &'static str, layer: &Layer, fed_by: Vec<usize>) {
        self.layers.push(TopologyLayer {
            label: None,
            opened_by: Operator::here(name),
            lanes: None,
            demand: Demand::default(),
            operators: Vec::new(),
            fed_by,
            stages: Vec::new(),
            layer: layer.clone(),
        });
    }

    /// The layer of a source opens.
    #[track_caller]
    pub(super) fn open_source(&mut self, name: &'static str, layer: &Layer) {
        self.open(name, layer, Vec::new());
    }

    /// A layer opens that the last one feeds.
    #[track_caller]
    pub(super) fn open_next(&mut self, name: &'static str, layer: &Layer) {
        self.open(name, layer, self.layers.len().checked_sub(1).into_iter().collect());
    }

    /// A layer opens that the last ones of two flows feed.
    #[track_caller]
    pub(super) fn open_over(&mut self, name: &'static str, layer: &Layer, other: Self) {
        let first = self.layers.len();
        self.layers.extend(other.layers.into_iter().map(|mut layer| {
            layer.fed_by.iter_mut().for_each(|at| *at += first);
            layer
        }));
        let both = [first, self.layers.len()].into_iter().filter_map(|end| end.checked_sub(1));
        self.open(name, layer, both.collect());
    }

    /// An operator comes last in the last layer.
    #[track_caller]
    pub(super) fn add(&mut self, name: &'static str) {
        let operator = Operator::here(name);
        self.last(|layer| layer.operators.push(operator));
    }

    /// Changes the last layer.
    pub(super) fn last(&mut self, change: impl FnOnce(&mut TopologyLayer)) {
        self.layers.last_mut().map(change);
    }

    /// The operators of a layer that runs.
    pub(super) fn operators_of(&self, layer: &Layer) -> &[Operator] {
        self.layers.iter().find(|one| one.layer.is(layer)).map_or(&[], |one| &one.operators)
    }

    /// A picture in the language of Mermaid, which many viewers of Markdown draw.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// let words = Flow::from_iter(["a", "b"]).label("in").map(|word| word).partition().label("out").count_by(|word| *word);
    /// let picture = r#"flowchart LR
    ///   layer0["in<br>map"]
    ///   layer1["out<br>count_by"]
    ///   layer0 -->|partition| layer1
    /// "#;
    /// assert_eq!(words.describe().to_mermaid(), picture);
    /// ```
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        self.picture().to_mermaid()
    }

    /// A picture in the language of Graphviz: `dot -Tsvg` draws it.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// let words = Flow::from_iter(["a", "b"]).label("in").map(|word| word).partition().label("out").count_by(|word| *word);
    /// let picture = r#"digraph flow {
    ///   rankdir=LR
    ///   node [shape=box]
    ///   layer0 [label="in\nmap"]
    ///   layer1 [label="out\ncount_by"]
    ///   layer0 -> layer1 [label="partition"]
    /// }
    /// "#;
    /// assert_eq!(words.describe().to_dot(), picture);
    /// ```
    #[must_use]
    pub fn to_dot(&self) -> String {
        self.picture().to_dot("flow")
    }

    fn picture(&self) -> Picture {
        let mut picture = Picture::default();
        for (at, layer) in self.layers.iter().enumerate() {
            picture.add_box(format!("layer{at}"), layer.picture_lines());
            for above in &layer.fed_by {
                picture.add_arrow(format!("layer{above}"), format!("layer{at}"), layer.opened_by.name);
            }
        }
        picture
    }
}

impl TopologyLayer {
    pub(super) fn set_label(&mut self, label: Arc<str>) {
        self.layer.set_label(Arc::clone(&label));
        self.label = Some(label);
    }

    /// What is written into its box: its name, then its stages and its operators.
    fn picture_lines(&self) -> impl Iterator<Item = String> {
        let stages = self.stages.iter().map(|label| format!("stage `{label}`"));
        let operators = self.operators.iter().map(|operator| operator.name.to_owned());
        [self.layer.name()].into_iter().chain(stages).chain(operators)
    }
}

/// Its name, as in messages.
impl fmt::Display for TopologyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.layer.fmt(f)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.name, self.file, self.line)
    }
}

/// A line for each layer, and below it one for each operator.
impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "the flow `{name}`")?,
            None => write!(f, "a flow")?,
        }
        for (at, layer) in self.layers.iter().enumerate() {
            write!(f, "\n{layer}: {}", layer.opened_by.name)?;
            // By default the layer before feeds it.
            if !layer.fed_by.is_empty() && layer.fed_by != [at.wrapping_sub(1)] {
                let above = layer.fed_by.iter().map(|above| self.layers[*above].to_string());
                write!(f, " of {}", above.collect::<Vec<_>>().join(" and "))?;
            }
            for label in &layer.stages {
                write!(f, ", stage `{label}`")?;
            }
            match layer.lanes {
                Some(1) => write!(f, ", 1 lane")?,
                Some(lanes) => write!(f, ", {lanes} lanes")?,
                None if layer.operators.is_empty() => {}
                None => write!(f, ", a lane for each core")?,
            }
            if layer.demand != Demand::default() {
                write!(f, ", demand {} to {}", layer.demand.min(), layer.demand.max())?;
            }
            for operator in &layer.operators {
                write!(f, "\n  {operator}")?;
            }
        }
        Ok(())
    }
}
