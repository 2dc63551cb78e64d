//! Runs a flow to its end in tasks of its own, each of which may leave a report.

use crate::flow::flow::Flow;
use crate::flow::plumbing::envelope::Bare;
use crate::flow::plumbing::place::Layer;
use crate::flow::plumbing::plan::Build;
use crate::flow::plumbing::tasks::{BoxedDriver, Failure, Tasks};
use std::future::{Future, poll_fn};
use std::task::Poll;
use tokio::sync::mpsc;

/// A driver for each lane of a flow, and what they report.
pub(in crate::flow) struct Reporting<R> {
    tasks: Tasks,
    /// The lanes that have the drivers.
    layer: Layer,
    reports: mpsc::Receiver<R>,
}

/// Where a driver leaves its report: there is room for one report of each driver.
pub(in crate::flow) type Reporter<R> = mpsc::Sender<R>;

impl<R> Reporting<R> {
    /// Starts a driver for each lane. `what` is in the message of the panic when the flow is already being read.
    pub(in crate::flow) fn start<P, D>(
        flow: Flow<P>,
        what: &str,
        mut driver: impl FnMut(P::Lane, Reporter<R>) -> D,
    ) -> Self
    where
        P: Build<Bare>,
        D: Future<Output = ()> + Send + 'static,
    {
        let (mut plan, launch) = flow.into_plan(what);
        let mut tasks = Tasks::new(&launch);
        let layer = plan.settings().layer.clone();
        let reports = tasks.building(|tasks| {
            let lanes = plan.build_all(tasks);
            let (reporter, reports) = mpsc::channel(lanes.len().max(1));
            let mut drivers: Vec<BoxedDriver> = Vec::with_capacity(lanes.len());
            for lane in lanes {
                drivers.push(Box::pin(driver(lane, reporter.clone())));
            }
            tasks.spawn_all(&layer, drivers);
            reports
        });
        Self { tasks, layer, reports }
    }

    /// Waits for all lanes, and returns what they reported.
    pub(in crate::flow) async fn all(mut self) -> Vec<R> {
        if let Err(failure) = poll_fn(|cx| self.tasks.poll_ended(cx)).await {
            failure.raise();
        }
        std::iter::from_fn(|| self.reports.try_recv().ok()).collect()
    }

    /// Waits for all lanes; a report is an error, and stops them.
    pub(in crate::flow) async fn no_error(self) -> Result<(), R> {
        self.no_error_but(|_, _, _| {}).await
    }

    /// The same; `shows` is called with the error before the lanes are stopped.
    async fn no_error_but(mut self, shows: impl Fn(&Tasks, &Layer, &R)) -> Result<(), R> {
        let ended = poll_fn(|cx| {
            if let Poll::Ready(Some(error)) = self.reports.poll_recv(cx) {
                return Poll::Ready(Err(error));
            }
            self.tasks.poll_ended(cx).map(Ok)
        });
        match ended.await {
            // An error may have come after the last poll.
            Ok(Ok(())) => {
                let error = self.reports.try_recv().ok();
                error.iter().for_each(|error| shows(&self.tasks, &self.layer, error));
                error.map_or(Ok(()), Err)
            }
            Ok(Err(failure)) => failure.raise(),
            Err(error) => {
                shows(&self.tasks, &self.layer, &error);
                self.tasks.stopped().await.unwrap_or_else(|failure| Failure::raise(failure));
                Err(error)
            }
        }
    }
}

impl<E> Reporting<(usize, E)> {
    /// Waits for all lanes, each of which writes into a sink. A report is the error of the sink of a lane, which stops
    /// them. Monitors and the handle of the flow show which lane it was.
    pub(in crate::flow) async fn no_error_of_a_sink(self) -> Result<(), E> {
        let shown = self.no_error_but(|tasks, layer, (lane, _)| tasks.show_failed_sink(layer, *lane));
        shown.await.map_err(|(_, error)| error)
    }
}
