//! A graph of stages as text, and as a picture.

use super::{GraphStage, GraphSubscription, StageGraph, StageState};
use crate::demand::Demand;
use crate::picture::Picture;
use crate::stage::terms::{AskMode, CancelMode};
use std::fmt;

impl StageGraph {
    /// A picture in the language of Mermaid, which many viewers of Markdown draw.
    ///
    /// # Examples
    /// ```
    /// use futures::sink;
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{from_iter, from_sink};
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..).stage().label("numbers").spawn();
    /// let nowhere = from_sink(sink::drain()).stage().label("nowhere");
    /// let nowhere = nowhere.subscribe_to(numbers.subscribe().demand(10, 5).transient()).spawn();
    /// let reader = numbers.subscribe().manual().await?;
    ///
    /// let picture = r#"flowchart LR
    ///   stage0["numbers<br>producer<br>ByDemand"]
    ///   stage1["nowhere<br>consumer"]
    ///   stage0 -->|demand 5 to 10, transient| stage1
    ///   stream1([a stream])
    ///   stage0 -->|demand 500 to 1000, permanent, manual| stream1
    /// "#;
    /// assert_eq!(nowhere.graph(Duration::from_secs(1)).await.to_mermaid(), picture);
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # }).unwrap();
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
    /// use gen_stage::stage::from_iter;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..).stage().label("numbers").spawn();
    /// let reader = numbers.subscribe().demand(10, 5).await?;
    /// let picture = r#"digraph stages {
    ///   rankdir=LR
    ///   node [shape=box]
    ///   stage0 [label="numbers\nproducer\nByDemand"]
    ///   stream0 [label="a stream" shape=oval]
    ///   stage0 -> stream0 [label="demand 5 to 10, permanent"]
    /// }
    /// "#;
    /// assert_eq!(numbers.graph(Duration::from_secs(1)).await.to_dot(), picture);
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn to_dot(&self) -> String {
        self.picture().to_dot("stages")
    }

    fn picture(&self) -> Picture {
        let mut picture = Picture::default();
        for (at, stage) in self.stages.iter().enumerate() {
            picture.add_box(format!("stage{at}"), stage.picture_lines());
        }
        for (at, subscription) in self.subscriptions.iter().enumerate() {
            let to = subscription.to.map_or_else(|| format!("stream{at}"), |to| format!("stage{to}"));
            if subscription.to.is_none() {
                picture.add_round(to.clone(), "a stream");
            }
            picture.add_arrow(format!("stage{}", subscription.from), to, subscription.terms());
        }
        picture
    }

    /// The subscriptions to a stage. All are in the order of the stages that send.
    fn sent_by(&self, stage: usize) -> &[GraphSubscription] {
        let place = |stage| self.subscriptions.partition_point(|subscription| subscription.from < stage);
        &self.subscriptions[place(stage)..place(stage + 1)]
    }
}

impl GraphStage {
    /// What is written into its box.
    fn picture_lines(&self) -> impl Iterator<Item = String> {
        let dispatcher = self.dispatcher.map(String::from);
        let state = self.told_state();
        [self.label.clone(), self.kind.to_string()].into_iter().chain(dispatcher).chain(state)
    }

    /// What there is to say of its state, unless it runs.
    fn told_state(&self) -> Option<String> {
        match (self.state, &self.end) {
            (StageState::Running, _) => None,
            (StageState::Silent, _) => Some("silent".into()),
            (StageState::Ended, None) => Some("ended".into()),
            (StageState::Ended, Some(reason)) => Some(format!("ended ({reason})")),
        }
    }
}

/// In a line: what it is, and what waits in it.
impl fmt::Display for GraphStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.label, self.kind)?;
        for said in self.dispatcher.map(String::from).into_iter().chain(self.told_state()) {
            write!(f, ", {said}")?;
        }
        let waiting = self.status.as_ref().map_or(0, |status| status.waiting);
        for (items, what) in [(self.unsent(), "unsent"), (waiting, "waiting")] {
            if items > 0 {
                write!(f, ", {items} {what}")?;
            }
        }
        Ok(())
    }
}

impl GraphSubscription {
    /// What was said of it when it was made.
    fn terms(&self) -> String {
        let mode = if self.mode == AskMode::Manual { ", manual" } else { "" };
        let keeps = self.keeps.map(|keeps| format!(", {keeps}")).unwrap_or_default();
        format!("demand {} to {}, {}{mode}{keeps}", self.bounds.min(), self.bounds.max(), self.cancel)
    }

    /// In a line of the text, without defaults and counts of 0.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bounds != Demand::default() {
            write!(f, ", demand {} to {}", self.bounds.min(), self.bounds.max())?;
        }
        if self.cancel != CancelMode::default() {
            write!(f, ", {}", self.cancel)?;
        }
        if self.mode == AskMode::Manual {
            write!(f, ", manual")?;
        }
        if let Some(keeps) = self.keeps {
            write!(f, ", {keeps}")?;
        }
        let counts = [
            (self.demand as u64, "wants"),
            (self.on_their_way(), "on their way"),
            (self.lag as u64, "lags by"),
            (self.dropped, "dropped"),
            (self.left_out, "left out"),
        ];
        let told = counts.iter().filter(|(items, _)| *items > 0).map(|(items, what)| match *what {
            "wants" | "lags by" => format!("{what} {items}"),
            _ => format!("{items} {what}"),
        });
        let told: Vec<_> = told.collect();
        if told.is_empty() { Ok(()) } else { write!(f, " ({})", told.join(", ")) }
    }
}

/// A tree, with a line for each stage and for each subscription.
impl fmt::Display for StageGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.stages.len() == 1 { "" } else { "s" };
        write!(f, "{} stage{plural}", self.stages.len())?;
        let mut told = vec![false; self.stages.len()];
        // In this order, a stage that was not told of yet is fed by none that comes after it, or is in a circle.
        for root in 0..self.stages.len() {
            let root = (!told[root]).then_some(TreeLine { depth: 0, stage: Some(root), by: None });
            let mut next = Vec::from_iter(root);
            while let Some(TreeLine { depth, stage, by }) = next.pop() {
                write!(f, "\n{:width$}", "", width = 2 * depth)?;
                match stage {
                    None => f.write_str("a stream")?,
                    Some(at) if told[at] => write!(f, "`{}`, see above", self.stages[at].label)?,
                    Some(at) => {
                        told[at] = true;
                        self.stages[at].fmt(f)?;
                        let below = self.sent_by(at).iter().rev();
                        next.extend(below.map(|by| TreeLine {
                            depth: depth + 1,
                            stage: by.to,
                            by: Some(by),
                        }));
                    }
                }
                by.map_or(Ok(()), |by| by.write(f))?;
            }
        }
        Ok(())
    }
}

/// A line that is to be written: a stage, or a stream, and the subscription by which it reads from the one above it.
struct TreeLine<'a> {
    depth: usize,
    stage: Option<usize>,
    by: Option<&'a GraphSubscription>,
}
