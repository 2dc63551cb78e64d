use super::core::Starter;
use super::end::SupervisorError;
use super::sink::DynamicSupervisor;
use super::spec::ChildSpec;
use crate::coop::Turn;
use futures_core::Stream;
use futures_sink::Sink;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// How many children are started before they have their turn. Fewer than fit into the own queue of a tokio worker:
/// others go to a queue that all workers share.
const TURN: usize = 64;

impl<T, S> DynamicSupervisor<T, S>
where
    T: Send + 'static,
    S: ChildSpec<T>,
{
    /// Waits for a place and starts a child for the item: `send`, without a trait to import.
    ///
    /// # Errors
    /// [`SupervisorError`] with the item, when the supervisor takes no more.
    ///
    /// # Cancel safety
    /// A future that is dropped before it is done drops its item. [`start_all`](Self::start_all) takes an item only
    /// when there is a place.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::supervisor::DynamicSupervisor;
    ///
    /// # tokio_test::block_on(async {
    /// let mut supervisor = DynamicSupervisor::new(|_: &str| async {});
    /// supervisor.start("a").await?;
    /// supervisor.handle().shutdown().await;
    /// let refused = supervisor.start("b").await.unwrap_err();
    /// assert_eq!(refused.into_item(), Some("b"));
    /// # Ok::<(), gen_stage::supervisor::SupervisorError<&str>>(())
    /// # });
    /// ```
    pub async fn start(&mut self, item: T) -> Result<(), SupervisorError<T>> {
        match poll_fn(|cx| self.poll_place(cx)).await {
            Ok(()) => Pin::new(self).start_send(item),
            Err(error) => Err(SupervisorError::new(error.end().clone(), Some(item))),
        }
    }

    /// Starts a child for each item of a stream, each when there is a place; returns when the stream has ended.
    ///
    /// It gives way to the children now and then, so that they run where they were started, which is faster. Unlike
    /// `forward` it does not close the sink at the end, and takes an item only when there is a place for it, so that it
    /// holds no item when it is dropped. If the supervisor ends while the stream has nothing, it returns at once;
    /// `forward` sees that only at the next item.
    ///
    /// # Demand
    /// The stream is polled only while there is a place; its end, too, is seen only then.
    ///
    /// # Errors
    /// [`SupervisorError`] when the supervisor takes no more; with an item only if that happened between finding a
    /// place and starting the item.
    ///
    /// # Cancel safety
    /// Nothing is lost: every item that was taken has its child.
    ///
    /// # Examples
    /// ```
    /// use futures::stream;
    /// use gen_stage::supervisor::DynamicSupervisor;
    ///
    /// # tokio_test::block_on(async {
    /// let mut supervisor = DynamicSupervisor::new(|_: u32| async {}).max_demand(2, 1);
    /// supervisor.start_all(stream::iter(0..10)).await?;
    /// supervisor.start_all(stream::iter(10..20)).await?;
    /// let report = supervisor.handle().drain(None).await;
    /// assert_eq!(report.counts.completed, 20);
    /// # Ok::<(), gen_stage::supervisor::SupervisorError<u32>>(())
    /// # });
    /// ```
    pub async fn start_all<I>(&mut self, items: I) -> Result<(), SupervisorError<T>>
    where
        I: Stream<Item = T>,
    {
        let mut items = pin!(items);
        let mut turn = Turn::new(TURN);
        poll_fn(|cx| {
            loop {
                ready!(turn.poll_step(cx));
                ready!(self.poll_place(cx))?;
                match items.as_mut().poll_next(cx) {
                    Poll::Ready(Some(item)) => Pin::new(&mut *self).start_send(item)?,
                    Poll::Ready(None) => return Poll::Ready(Ok(())),
                    Poll::Pending => return self.poll_end(cx).map(Err),
                }
            }
        })
        .await
    }

    /// Waits for the end of the supervisor.
    fn poll_end(&mut self, cx: &Context<'_>) -> Poll<SupervisorError<T>> {
        let core: &Arc<Starter<T, S>> = self.running().0;
        let polled = core.shared.with(|registry| registry.poll_sink_over(cx));
        polled.map(|report| SupervisorError::new(report.end.clone(), None))
    }
}
