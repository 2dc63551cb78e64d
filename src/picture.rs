//! Pictures of boxes and arrows, in the languages of Mermaid and of Graphviz.

/// Boxes and arrows, in the order in which they are written down.
#[derive(Debug, Default)]
pub(crate) struct Picture(Vec<PicturePart>);

#[derive(Debug)]
enum PicturePart {
    Box {
        name: String,
        lines: Vec<String>,
    },
    /// What is no part of what is drawn, and is at its edge.
    Round {
        name: String,
        text: &'static str,
    },
    Arrow {
        from: String,
        to: String,
        label: String,
    },
}

impl Picture {
    pub(crate) fn add_box(&mut self, name: String, lines: impl Iterator<Item = String>) {
        self.0.push(PicturePart::Box { name, lines: lines.collect() });
    }

    pub(crate) fn add_round(&mut self, name: String, text: &'static str) {
        self.0.push(PicturePart::Round { name, text });
    }

    pub(crate) fn add_arrow(&mut self, from: String, to: String, label: impl Into<String>) {
        self.0.push(PicturePart::Arrow { from, to, label: label.into() });
    }

    pub(crate) fn to_mermaid(&self) -> String {
        // Labels are HTML.
        let escaped = |line: &String| line.replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;");
        let parts = self.0.iter().map(|part| match part {
            PicturePart::Box { name, lines } => {
                let lines: Vec<_> = lines.iter().map(escaped).collect();
                format!("  {name}[\"{}\"]\n", lines.join("<br>"))
            }
            PicturePart::Round { name, text } => format!("  {name}([{text}])\n"),
            PicturePart::Arrow { from, to, label } => format!("  {from} -->|{label}| {to}\n"),
        });
        ["flowchart LR\n".to_owned()].into_iter().chain(parts).collect()
    }

    /// `what` it is a picture of, in a word.
    pub(crate) fn to_dot(&self, what: &str) -> String {
        let escaped = |line: &String| line.replace('\\', r"\\").replace('"', "\\\"");
        let parts = self.0.iter().map(|part| match part {
            PicturePart::Box { name, lines } => {
                let lines: Vec<_> = lines.iter().map(escaped).collect();
                format!("  {name} [label=\"{}\"]\n", lines.join(r"\n"))
            }
            PicturePart::Round { name, text } => format!("  {name} [label=\"{text}\" shape=oval]\n"),
            PicturePart::Arrow { from, to, label } => format!("  {from} -> {to} [label=\"{label}\"]\n"),
        });
        let head = format!("digraph {what} {{\n  rankdir=LR\n  node [shape=box]\n");
        [head].into_iter().chain(parts).chain(["}\n".to_owned()]).collect()
    }
}
