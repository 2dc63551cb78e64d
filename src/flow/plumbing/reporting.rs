//! Runs a flow to its end in tasks of its own, each of which may leave a report.

use crate::flow::flow::Flow;
use crate::flow::plumbing::envelope::Bare;
use crate::flow::plumbing::plan::Build;
use crate::flow::plumbing::tasks::{Failure, Tasks};
use std::future::{Future, poll_fn};
use std::task::Poll;
use tokio::sync::mpsc;

/// A driver for each lane of a flow, and what they report.
pub(in crate::flow) struct Reporting<R> {
    tasks: Tasks,
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
        let reports = tasks.building(|tasks| {
            let layer = plan.settings().layer.clone();
            let lanes = plan.build(tasks);
            let (reporter, reports) = mpsc::channel(lanes.len().max(1));
            for (number, lane) in lanes.into_iter().enumerate() {
                tasks.spawn(&layer, number, driver(lane, reporter.clone()));
            }
            reports
        });
        Self { tasks, reports }
    }

    /// Waits for all lanes, and returns what they reported.
    pub(in crate::flow) async fn all(mut self) -> Vec<R> {
        if let Err(failure) = poll_fn(|cx| self.tasks.poll_ended(cx)).await {
            failure.raise();
        }
        std::iter::from_fn(|| self.reports.try_recv().ok()).collect()
    }

    /// Waits for all lanes; a report is an error, and stops them.
    pub(in crate::flow) async fn no_error(mut self) -> Result<(), R> {
        let ended = poll_fn(|cx| {
            if let Poll::Ready(Some(error)) = self.reports.poll_recv(cx) {
                return Poll::Ready(Err(error));
            }
            self.tasks.poll_ended(cx).map(Ok)
        });
        match ended.await {
            // An error may have come after the last poll.
            Ok(Ok(())) => self.reports.try_recv().map_or(Ok(()), Err),
            Ok(Err(failure)) => failure.raise(),
            Err(error) => {
                self.tasks.stopped().await.unwrap_or_else(|failure| Failure::raise(failure));
                Err(error)
            }
        }
    }
}
