//! What a story polls by hand: a flow or a stream, or a lane.

use super::stories::{Kept, keep};
use crate::failure::message_of;
use crate::sync::unpoisoned;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;

/// For how long a story waits for what has to come, by the clock of its runtime, which jumps to what is waited for.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// After this many polls that yielded nothing, each after a wake, what is polled only wakes itself.
const IDLE_POLLS: usize = 10_000;

/// Which wakers were woken. Each poll has another waker, for that of the last poll is the one that counts.
#[derive(Default)]
pub(super) struct Wakes {
    last: Arc<StoryWaker>,
    /// How many polls in a row were pending.
    idle: usize,
}

#[derive(Default)]
struct StoryWaker {
    woken: AtomicBool,
    /// The task of the story, while that waits.
    story: Mutex<Option<Waker>>,
}

impl Wake for StoryWaker {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        let story = unpoisoned(self.story.lock()).take();
        story.into_iter().for_each(Waker::wake);
    }
}

impl Wakes {
    /// Polls with a new waker; a panic is what it said.
    pub(super) fn poll<R>(
        &mut self,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
    ) -> Result<Poll<R>, String> {
        self.last = Arc::default();
        let waker = Waker::from(Arc::clone(&self.last));
        let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut Context::from_waker(&waker))));
        let polled = polled.map_err(|payload| message_of(&*payload).to_owned())?;
        self.idle = if polled.is_ready() { 0 } else { self.idle + 1 };
        Ok(polled)
    }

    /// If the last poll was pending, waits until the waker of that poll is woken.
    pub(super) async fn woken(&self, what: &str) -> Kept {
        if self.idle == 0 {
            return Ok(());
        }
        if self.idle > IDLE_POLLS {
            return Err(format!("it wakes {what} again and again, and has nothing"));
        }
        // Another turn, with another budget of tokio's.
        tokio::task::yield_now().await;
        let woken = poll_fn(|cx| {
            *unpoisoned(self.last.story.lock()) = Some(cx.waker().clone());
            if self.last.woken.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        });
        let woken = timeout(DAY, woken).await;
        woken.map_err(|_| format!("{what} waits, and the waker of its last poll is never woken"))
    }
}

/// What was said of how many items are still to come.
#[derive(Default)]
pub(super) struct Hints(Vec<(usize, (usize, Option<usize>))>);

impl Hints {
    /// Keeps what is said after this number of items.
    pub(super) fn note(&mut self, came: usize, hint: (usize, Option<usize>)) {
        self.0.push((came, hint));
    }

    /// In the end, this many have come.
    pub(super) fn come_true(&self, all: usize) -> Kept {
        for (came, (least, most)) in &self.0 {
            let rest = all - came;
            keep(*least <= rest && most.is_none_or(|most| rest <= most), || {
                let most = most.map_or_else(|| "or more".into(), |most| format!("to {most}"));
                format!("its size hint said that {least} {most} items were still to come, and {rest} came")
            })?;
        }
        Ok(())
    }
}

/// Runs a story on one thread, by a clock that jumps to what is waited for.
///
/// # Panics
/// When it is called in a task: there is a runtime already.
#[track_caller]
pub(super) fn run<R>(story: impl Future<Output = R>) -> R {
    assert!(
        Handle::try_current().is_err(),
        "a check has runtimes of its own, and cannot run in a task: call it in a plain `#[test]`"
    );
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without drivers can be built").block_on(story)
}

/// Lets all tasks run until they wait, as far as that can be seen.
pub(super) async fn settle() {
    for _ in 0..30 {
        tokio::task::yield_now().await;
    }
}
