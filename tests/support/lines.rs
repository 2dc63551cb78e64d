//! What is logged.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

/// The lines that this thread logs while this is alive, level first.
pub(crate) struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    spans: Arc<Mutex<Vec<String>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Lines {
    /// Starts to listen.
    pub(crate) fn listen() -> Self {
        // As long as nobody listens, places that log are found to be of no interest when they are come to first, and that
        // is kept: another thread may be about to do so. So there is always one who listens, from the first test on.
        static ALWAYS: OnceLock<tracing::Dispatch> = OnceLock::new();
        ALWAYS.get_or_init(|| tracing::Dispatch::new(Ears::default()));
        let ears = Ears::default();
        let (lines, spans) = (Arc::clone(&ears.lines), Arc::clone(&ears.spans));
        Self { lines, spans, _guard: tracing::subscriber::set_default(ears) }
    }

    /// All spans: level, name and fields of each.
    pub(crate) fn spans(&self) -> Vec<String> {
        self.spans.lock().unwrap().clone()
    }

    /// All lines.
    pub(crate) fn all(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The lines with this in them.
    pub(crate) fn with(&self, text: &str) -> Vec<String> {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(text)).cloned().collect()
    }
}

#[derive(Default)]
struct Ears {
    lines: Arc<Mutex<Vec<String>>>,
    spans: Arc<Mutex<Vec<String>>>,
}

/// The fields of a line or a span.
struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl tracing::Subscriber for Ears {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("gen_stage")
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        let mut fields = Fields(format!("{} {}", span.metadata().level(), span.metadata().name()));
        span.record(&mut fields);
        self.spans.lock().unwrap().push(fields.0);
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        self.lines.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
