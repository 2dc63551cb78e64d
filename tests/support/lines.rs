//! What is logged.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use tracing_core::span::Current;

/// The lines that this thread logs while this is alive, level first.
pub(crate) struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    spans: Arc<Mutex<Vec<String>>>,
    entered: Arc<Mutex<Vec<u64>>>,
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
        let entered = Arc::clone(&ears.entered);
        Self { lines, spans, entered, _guard: tracing::subscriber::set_default(ears) }
    }

    /// Says which spans the caller of the answer is in, the innermost last.
    pub(crate) fn within(&self) -> impl Fn() -> Vec<String> + Clone + Send + Sync + 'static {
        let (spans, entered) = (Arc::clone(&self.spans), Arc::clone(&self.entered));
        move || {
            let spans = spans.lock().unwrap();
            entered.lock().unwrap().iter().map(|id| spans[*id as usize - 1].clone()).collect()
        }
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
    entered: Arc<Mutex<Vec<u64>>>,
    /// What each span was made by.
    kinds: Mutex<Vec<&'static tracing::Metadata<'static>>>,
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
        let mut spans = self.spans.lock().unwrap();
        spans.push(fields.0);
        self.kinds.lock().unwrap().push(span.metadata());
        tracing::span::Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        self.lines.lock().unwrap().push(fields.0);
    }

    fn current_span(&self) -> Current {
        let Some(id) = self.entered.lock().unwrap().last().copied() else { return Current::none() };
        Current::new(tracing::span::Id::from_u64(id), self.kinds.lock().unwrap()[id as usize - 1])
    }

    fn enter(&self, id: &tracing::span::Id) {
        self.entered.lock().unwrap().push(id.into_u64());
    }

    fn exit(&self, id: &tracing::span::Id) {
        assert_eq!(self.entered.lock().unwrap().pop(), Some(id.into_u64()), "spans are left in turn");
    }
}
