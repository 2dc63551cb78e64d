use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use super::plumbing::reporting::{Reporter, Reporting};
use crate::lane::{Each, Lane};
use pin_project_lite::pin_project;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<P, T, E> Flow<P>
where
    P: Build<Bare, Item = Result<T, E>, Lane: Send + 'static>,
{
    /// Calls `f` with the value of each `Ok` that comes out, on every lane, until all have ended or there is an error.
    ///
    /// `f` runs in the tasks of the lanes, on all cores, and not in the task that awaits this. A flow of plain items
    /// becomes one of results by `map(Ok)`.
    ///
    /// # Ordering
    /// Each lane in order.
    ///
    /// # Errors
    /// The first error, of the flow or of `f`, stops all lanes and is returned once they are gone with the source.
    /// Until then other lanes go on calling `f`; their errors are dropped.
    ///
    /// # Panics
    /// Like every reader of a [`Flow`], with the panic of `f` too; and when the flow is already being read.
    ///
    /// # Cancel safety
    /// Dropping the future drops the flow, with the items in flight.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let endless = Flow::from_iter(1u32..).map(Ok);
    /// let failed = endless.try_for_each(|n| if n == 1234 { Err("no such number") } else { Ok(()) }).await;
    /// assert_eq!(failed, Err("no such number"));
    /// # });
    /// ```
    pub async fn try_for_each<F>(self, f: F) -> Result<(), E>
    where
        F: FnMut(T) -> Result<(), E> + Clone + Send + 'static,
        E: Send + 'static,
    {
        let driver = |lane, errors| TryDriver { lane, f: f.clone(), errors };
        Reporting::start(self, "run", driver).no_error().await
    }
}

pin_project! {
    /// Runs a lane for its side effects until the first error.
    struct TryDriver<L, F, E> {
        #[pin]
        lane: L,
        f: F,
        errors: Reporter<E>,
    }
}

impl<T, E, L, F> Future for TryDriver<L, F, E>
where
    L: Lane<Item = Result<T, E>>,
    F: FnMut(T) -> Result<(), E>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let f = this.f;
        let mut failed = None;
        let mut each = |item: Result<T, E>| match item.and_then(&mut *f) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        };
        // The loop breaks at an error only.
        let ended = ready!(this.lane.as_mut().poll_each(cx, &mut each));
        if let (Each::Stopped, Some(error)) = (ended, failed) {
            // There is room for one error of each lane. When the flow is being dropped, no reader is left for it.
            let _ = this.errors.try_send(error);
        }
        Poll::Ready(())
    }
}
