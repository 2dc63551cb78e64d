//! Streams and futures that are not ready at random, in all the ways they may be.

use crate::item::Live;
use crate::random::Random;
use futures::stream::Stream;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Gives its items, and is not ready now and then: woken at once, by another thread, or only by the last waker it got.
pub(crate) struct Moody<T> {
    items: VecDeque<T>,
    random: Random,
    /// How often it is not ready, of 10.
    mood: usize,
    wait: Option<Wait>,
    ended: bool,
    _live: Live,
}

/// Until when it is not ready, whatever wakes it before.
type Wait = Arc<Mutex<Waiting>>;

#[derive(Default)]
struct Waiting {
    over: bool,
    waker: Option<Waker>,
}

impl<T> Moody<T> {
    pub(crate) fn new(items: impl IntoIterator<Item = T>, random: Random, mood: usize) -> Self {
        let items = items.into_iter().collect();
        Self { items, random, mood, wait: None, ended: false, _live: Live::new() }
    }

    /// Whether what it waits for has not come; the waker replaces that of before.
    fn waits(&mut self, cx: &Context<'_>) -> bool {
        let Some(wait) = &self.wait else { return false };
        let mut waiting = lock(wait);
        if waiting.over {
            return false;
        }
        waiting.waker = Some(cx.waker().clone());
        drop(waiting);
        if self.random.chance(25) {
            cx.waker().wake_by_ref();
        }
        true
    }
}

impl<T> Unpin for Moody<T> {}

impl<T> Stream for Moody<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        assert!(!self.ended, "a source was polled after its end");
        if self.waits(cx) {
            return Poll::Pending;
        }
        self.wait = None;
        if self.random.below(10) < self.mood {
            match self.random.below(3) {
                0 => cx.waker().wake_by_ref(),
                1 => wake_elsewhere(cx.waker().clone()),
                _ => {
                    let wait = Wait::default();
                    lock(&wait).waker = Some(cx.waker().clone());
                    self.wait = Some(Arc::clone(&wait));
                    after(Duration::from_micros(self.random.below(200) as u64), move || {
                        let mut waiting = lock(&wait);
                        waiting.over = true;
                        let waker = waiting.waker.take();
                        drop(waiting);
                        waker.into_iter().for_each(Waker::wake);
                    });
                }
            }
            return Poll::Pending;
        }
        let item = self.items.pop_front();
        self.ended = item.is_none();
        Poll::Ready(item)
    }
}

/// Is not ready up to three times.
pub(crate) async fn moody(mut random: Random) {
    for _ in 0..random.below(4) {
        match random.below(4) {
            0 => tokio::task::yield_now().await,
            1 => {
                let mut first = true;
                poll_fn(|cx| {
                    if !std::mem::replace(&mut first, false) {
                        return Poll::Ready(());
                    }
                    wake_elsewhere(cx.waker().clone());
                    Poll::Pending
                })
                .await;
            }
            2 => {
                let (done, told) = tokio::sync::oneshot::channel::<()>();
                after(Duration::from_micros(random.below(150) as u64), move || drop(done));
                let _ = told.await;
            }
            _ => tokio::time::sleep(Duration::from_micros(random.below(300) as u64)).await,
        }
    }
}

/// Wakes in another thread, sometimes twice.
fn wake_elsewhere(waker: Waker) {
    after(Duration::ZERO, move || {
        waker.wake_by_ref();
        waker.wake();
    });
}

type Job = (Duration, Box<dyn FnOnce() + Send>);

/// Does something in another thread, after a time of the real clock: what comes from outside does.
fn after(time: Duration, job: impl FnOnce() + Send + 'static) {
    static JOBS: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let jobs = JOBS.get_or_init(|| {
        let (jobs, taken) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for (time, job) in taken {
                // Shorter than that is the time that a thread takes to go to sleep.
                if time > Duration::from_micros(100) {
                    std::thread::sleep(time - Duration::from_micros(100));
                }
                job();
            }
        });
        jobs
    });
    let _ = jobs.send((time, Box::new(job)));
}

fn lock(wait: &Wait) -> std::sync::MutexGuard<'_, Waiting> {
    wait.lock().unwrap_or_else(PoisonError::into_inner)
}
