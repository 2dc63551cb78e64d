use crate::sampler::Sampler;
use crate::server::router;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A dashboard that has its address; made by [`Dashboard::bind`](crate::Dashboard::bind).
///
/// # Examples
/// ```
/// use gen_stage_dashboard::Dashboard;
///
/// # tokio_test::block_on(async {
/// let dashboard = Dashboard::new().bind(([127, 0, 0, 1], 0)).await?;
/// println!("look at http://{}", dashboard.local_addr());
/// let serving = tokio::spawn(dashboard.serve());
/// // …
/// serving.abort();
/// assert!(serving.await.unwrap_err().is_cancelled());
/// # Ok::<(), gen_stage_dashboard::DashboardError>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a dashboard shows nothing until it serves"]
pub struct BoundDashboard {
    addr: SocketAddr,
    listener: TcpListener,
    sampler: Arc<Sampler>,
    hosts: Arc<[String]>,
}

impl BoundDashboard {
    pub(crate) fn new(addr: SocketAddr, listener: TcpListener, sampler: Sampler, hosts: Vec<String>) -> Self {
        Self { addr, listener, sampler: Arc::new(sampler), hosts: hosts.into() }
    }

    /// The address at which it listens, with the port that it got.
    ///
    /// # Examples
    /// See [`BoundDashboard`].
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// What is watched, as it is now, as [JSON](crate#json); read anew if it was read an interval ago or more. It waits
    /// for stages that are watched to answer: for half an interval at most, and for 2 s at most.
    ///
    /// # Panics
    /// When stages are watched, and it is polled outside of a runtime with timers.
    ///
    /// # Cancel safety
    /// A reading that it has begun is completed by the next look.
    ///
    /// # Examples
    /// See [the crate](crate#json).
    pub async fn json(&self) -> String {
        self.sampler.snapshot().await.to_string()
    }

    /// Serves the page until it is dropped, which ends all its connections; one in the middle of an answer ends with that.
    ///
    /// # Cancel safety
    /// To drop the future is the way to end it.
    ///
    /// # Examples
    /// See [`BoundDashboard`].
    pub async fn serve(self) -> Infallible {
        let Self { listener, sampler, hosts, .. } = self;
        // Connections are tasks, and outlive this future if nobody tells them that it is gone.
        let end = EndOnDrop(Arc::clone(&sampler));
        let (here, gone) = oneshot::channel::<()>();
        let router = router(Arc::clone(&sampler), hosts);
        let serving = axum::serve(listener, router).with_graceful_shutdown(async { _ = gone.await });
        let _alive = (here, end);
        tokio::select! {
            _ = serving => unreachable!("it accepts connections for ever"),
            never = sampler.run() => never,
        }
    }
}

/// Ends the streams of events.
struct EndOnDrop(Arc<Sampler>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}
