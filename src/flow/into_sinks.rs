use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use super::plumbing::reporting::{Reporter, Reporting};
use super::plumbing::sink_driver::SinkDriver;
use futures_sink::Sink;
use std::future::Future;

impl<P> Flow<P> {
    /// Writes what comes out of each lane into a `Sink` of its own, and closes all sinks at the end.
    ///
    /// The last layer has as many lanes as there are sinks; after a partition, everything with one key goes into one
    /// sink. Each lane writes in its own task, and nothing crosses to the task that awaits this. A sink is asked before
    /// its lane, so that an item is taken only when there is room for it. The sink is flushed whenever its lane has
    /// nothing ready, and closed as soon as its lane has ended. For one sink in the task of the reader, there is
    /// [`forward`](Flow::forward).
    ///
    /// # Demand
    /// A sink that is not ready stops its lane, and the lane stops what feeds it.
    ///
    /// # Ordering
    /// Each sink gets the items of its lane in order.
    ///
    /// # Errors
    /// The first error of a sink stops all lanes, and is returned once the lanes, the source and all sinks are gone. A
    /// [`monitor`](Flow::monitor) says which sink it was, by the lane that wrote into it.
    /// Sinks that were not closed by then are dropped as they are.
    ///
    /// # Panics
    /// When there is no sink; when the number of lanes was [set](Flow::lanes) and is not the number of sinks; when the
    /// flow is already being read. The future panics like every reader of a [`Flow`], with the panic of a sink too.
    ///
    /// # Cancel safety
    /// Dropping the future drops the flow and the sinks.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, channel::mpsc};
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let (odd, odd_received) = mpsc::channel(8);
    /// let (even, even_received) = mpsc::channel(8);
    /// let written = Flow::from_iter(1..=5)
    ///     .lanes(1)
    ///     .partition_with(2, |n| Some(n % 2))
    ///     .into_sinks(vec![even, odd]);
    /// assert_eq!(written.await, Ok(()));
    /// assert_eq!(even_received.collect::<Vec<_>>().await, [2, 4]);
    /// assert_eq!(odd_received.collect::<Vec<_>>().await, [1, 3, 5]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.into_stages/3` with consumers that each get a stage of their own.
    #[track_caller]
    pub fn into_sinks<Si>(mut self, sinks: Vec<Si>) -> impl Future<Output = Result<(), Si::Error>>
    where
        P: Build<Bare, Lane: Send + 'static>,
        Si: Sink<P::Item, Error: Send + 'static> + Send + 'static,
    {
        assert!(!sinks.is_empty(), "into_sinks needs at least 1 sink, given 0");
        let settings = self.plan_mut("sinks").settings();
        match settings.lanes_set() {
            None => settings.set_lanes(sinks.len()),
            Some(lanes) => assert!(
                lanes == sinks.len(),
                "into_sinks needs a sink for each lane: lanes was set to {lanes}, given {} sinks",
                sinks.len()
            ),
        }
        self.launch.topology.last(|layer| layer.lanes = Some(sinks.len()));
        async move {
            let mut sinks = (0..).zip(sinks);
            let writing = Reporting::start(self, "written", |lane, errors: Reporter<(usize, Si::Error)>| {
                let (number, sink) = sinks.next().expect("a layer has as many lanes as were set");
                // There is room for one error of each lane. While the flow is being dropped, nothing reads them.
                SinkDriver::new(lane, sink, move |error| _ = errors.try_send((number, error)))
            });
            assert!(sinks.next().is_none(), "a layer has as many lanes as were set");
            writing.no_error_of_a_sink().await
        }
    }
}
