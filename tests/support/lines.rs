//! What is logged.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

/// The lines that this thread logs while this is alive, level first.
pub(crate) struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
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
        let lines = Arc::clone(&ears.0);
        Self { lines, _guard: tracing::subscriber::set_default(ears) }
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
struct Ears(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Ears {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("gen_stage")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields(String);
        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
                self.0 += &format!(" {}={value:?}", field.name());
            }
        }
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
