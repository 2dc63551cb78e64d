use crate::coop::{Pace, give_way};
use crate::flow::plumbing::gauge::waits_for_demand;
use crate::lane::{Each, Lane};
use futures_sink::Sink;
use pin_project_lite::pin_project;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// Writes the items of a lane into a sink, and closes it at the end.
    ///
    /// An item is taken when the sink is ready for it. The sink is flushed whenever the lane has nothing ready.
    #[must_use = "a driver does nothing until it is polled"]
    pub(in crate::flow) struct SinkDriver<L, Si, F> {
        #[pin]
        lane: L,
        #[pin]
        sink: Si,
        closing: bool,
        pace: Pace,
        // Called with the first error, which ends this driver.
        failed: F,
    }
}

impl<L, Si, F> SinkDriver<L, Si, F>
where
    L: Lane,
    Si: Sink<L::Item>,
    F: FnMut(Si::Error),
{
    pub(in crate::flow) fn new(lane: L, sink: Si, failed: F) -> Self {
        Self { lane, sink, closing: false, pace: Pace::default(), failed }
    }

    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Si::Error>> {
        let mut this = self.project();
        this.pace.begin();
        // A second context to poll the sink with, while the lane has the first.
        let waker = cx.waker().clone();
        let asking = &mut Context::from_waker(&waker);
        while !*this.closing {
            let Poll::Ready(ready) = this.sink.as_mut().poll_ready(cx) else {
                return waits_for_demand();
            };
            ready?;
            let sink = &mut this.sink;
            let mut written = Ok(());
            let polled = this.lane.as_mut().poll_each(cx, &mut |item| {
                written = sink.as_mut().start_send(item);
                if written.is_ok() {
                    match sink.as_mut().poll_ready(asking) {
                        Poll::Ready(Ok(())) => return ControlFlow::Continue(()),
                        Poll::Ready(failed) => written = failed,
                        Poll::Pending => {}
                    }
                }
                ControlFlow::Break(())
            });
            written?;
            match polled {
                Poll::Ready(Each::Ended) => *this.closing = true,
                Poll::Ready(Each::Stopped) if this.pace.is_over() => return give_way(cx),
                Poll::Ready(Each::Stopped) => {}
                Poll::Pending => {
                    ready!(this.sink.as_mut().poll_flush(cx))?;
                    return Poll::Pending;
                }
            }
        }
        this.sink.poll_close(cx)
    }
}

impl<L, Si, F> Future for SinkDriver<L, Si, F>
where
    L: Lane,
    Si: Sink<L::Item>,
    F: FnMut(Si::Error),
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Err(error) = ready!(self.as_mut().poll_write(cx)) {
            (self.project().failed)(error);
        }
        Poll::Ready(())
    }
}
