//! Windows: each kind by the suite of all operators and by a model of its own, then what kinds have in common.

mod ahead;
mod count;
mod fixed;
mod fixed_by_clock;
mod global;
mod idle;
mod join;
mod join_ref;
mod lane;
mod late;
mod model;
mod panics;
mod periodic;
mod program;
mod properties;
mod session;
mod session_by_clock;
mod sliding;
mod stream_window;
mod suite_beside_models;
#[path = "../support/mod.rs"]
mod support;
mod triggers;
mod windowing;
mod with_window;

use crate::support::{Alive, settle};
use futures::channel::mpsc;
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};
use gen_stage::window::{Info, Span};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What comes out by now, with everything that can run having run; time stands still.
async fn so_far<S: Stream + Unpin>(flow: &mut S) -> Vec<S::Item> {
    let mut got = Vec::new();
    let mut waited = false;
    loop {
        match flow.next().now_or_never() {
            Some(Some(item)) => {
                got.push(item);
                waited = false;
            }
            Some(None) => return got,
            None if waited => return got,
            None => {
                settle().await;
                waited = true;
            }
        }
    }
}

/// Lets so much of the paused clock pass, with every timer in it.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
    settle().await;
}

/// A source whose items are sent by the test.
fn sent<T: Send + 'static>() -> (mpsc::UnboundedSender<T>, BoxStream<'static, T>) {
    let (sender, receiver) = mpsc::unbounded();
    (sender, receiver.boxed())
}

/// Items, and then nothing for ever.
fn then_silence<T: Send + 'static>(
    items: impl IntoIterator<Item = T, IntoIter: Send + 'static>,
) -> BoxStream<'static, T> {
    futures::stream::iter(items).chain(futures::stream::pending()).boxed()
}

/// The start of the window and the trigger's name, with something else.
fn told<V>(info: Info<Span>, value: V) -> (i64, String, V) {
    (info.window.start, info.trigger.to_string(), value)
}

fn done<V>(start: i64, value: V) -> (i64, String, V) {
    (start, "done".to_string(), value)
}

fn watermark<V>(start: i64, value: V) -> (i64, String, V) {
    (start, "watermark".to_string(), value)
}

/// Makes states that count themselves, and the most that were alive together.
#[derive(Debug, Clone, Default)]
struct Peak {
    alive: Arc<AtomicUsize>,
    peak: Arc<AtomicUsize>,
    made: Arc<AtomicUsize>,
}

impl Peak {
    fn state(&self) -> Alive {
        let alive = Alive::new(&self.alive);
        self.peak.fetch_max(self.alive.load(Ordering::SeqCst), Ordering::SeqCst);
        self.made.fetch_add(1, Ordering::SeqCst);
        alive
    }

    fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}
