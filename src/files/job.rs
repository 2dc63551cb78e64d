use std::future::Future;
use std::io;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::task::{JoinHandle, spawn_blocking};

/// Something that blocks, at work on a thread for that. When it is dropped, the work is still done, and what it made is
/// dropped.
#[derive(Debug)]
pub(super) struct BlockingJob<T>(JoinHandle<io::Result<T>>);

impl<T: Send + 'static> BlockingJob<T> {
    pub(super) fn start(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Self {
        Self(spawn_blocking(work))
    }

    /// Not to be called again after it was ready.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        Poll::Ready(match ready!(Pin::new(&mut self.0).poll(cx)) {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(io::Error::other("the runtime was shut down")),
            },
        })
    }
}
