use crate::bound::BoundDashboard;
use crate::error::DashboardError;
use crate::sampler::Sampler;
use crate::supervisor_view::SupervisorView;
use crate::watched::{Watched, WatchedFlow, WatchedStages, WatchedSupervisor};
use gen_stage::flow::Monitor;
use gen_stage::stage::StageRef;
use gen_stage::supervisor::SupervisorHandle;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::net::TcpListener;

/// How often numbers may be read.
const EVERY: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// Shows flows, supervisors and graphs of stages on a page in the browser, as they are now, while they run.
///
/// It only looks: nothing can be started, changed or stopped by it. It has no login, and shows the names of layers,
/// files, children and stages to everyone who reaches it: keep it on [`LOOPBACK`](Self::LOOPBACK), or put it behind a
/// proxy that asks for one.
///
/// While nobody looks, nothing is read, and a flow is not timed before the first look.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage_dashboard::Dashboard;
///
/// # tokio_test::block_on(async {
/// let mut squares = Flow::from_iter(0..1000_u64).label("numbers").partition().label("squares").map(|n| n * n);
/// let dashboard = Dashboard::new().watch("squares", &squares.monitor());
/// let dashboard = dashboard.bind(([127, 0, 0, 1], 0)).await?; // or at Dashboard::LOOPBACK
/// println!("look at http://{}", dashboard.local_addr());
///
/// // It shows the flow for as long as the flow runs. `tokio::spawn(dashboard.serve())` does for good.
/// tokio::select! {
///     never = dashboard.serve() => match never {},
///     squares = squares.collect::<Vec<_>>() => assert_eq!(squares.len(), 1000),
/// }
/// # Ok::<(), gen_stage_dashboard::DashboardError>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a dashboard shows nothing until it serves"]
pub struct Dashboard {
    watched: Watched,
    every: Duration,
    hosts: Vec<String>,
}

impl Default for Dashboard {
    fn default() -> Self {
        Self { watched: Watched::default(), every: Duration::from_secs(1), hosts: Vec::new() }
    }
}

impl Dashboard {
    /// Where only this machine reaches it: port 9630 of 127.0.0.1.
    ///
    /// # Examples
    /// ```
    /// use gen_stage_dashboard::Dashboard;
    ///
    /// assert_eq!(Dashboard::LOOPBACK.to_string(), "127.0.0.1:9630");
    /// ```
    pub const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9630);

    /// A dashboard that shows nothing yet.
    ///
    /// # Examples
    /// See [`Dashboard`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows a flow under a name, which nothing else that is watched may have.
    ///
    /// The flow need not have started. When it has ended, its last numbers stay. A flow that was
    /// [started](gen_stage::Flow::start) is watched by the [monitor](gen_stage::flow::FlowHandle::monitor) of its handle.
    ///
    /// # Examples
    /// See [`Dashboard`].
    pub fn watch(mut self, name: impl Into<String>, monitor: &Monitor) -> Self {
        self.watched.flows.push(WatchedFlow { name: name.into(), monitor: monitor.clone() });
        self
    }

    /// Shows a supervisor under a name, which nothing else that is watched may have: how many children it has, what became
    /// of the others, and what the first 100 of them do.
    ///
    /// To be watched does not keep a supervisor alive.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::supervisor::DynamicSupervisor;
    /// use gen_stage_dashboard::Dashboard;
    ///
    /// # tokio_test::block_on(async {
    /// let jobs = DynamicSupervisor::new(|_job: u32| std::future::pending::<()>()).into_handle();
    /// jobs.start_child(7).unwrap();
    /// let dashboard = Dashboard::new().watch_supervisor("jobs", &jobs).bind(([127, 0, 0, 1], 0)).await?;
    /// assert!(dashboard.json().await.contains(r#""alive":1"#));
    /// # Ok::<(), gen_stage_dashboard::DashboardError>(())
    /// # }).unwrap();
    /// ```
    pub fn watch_supervisor<T: Send + 'static>(
        mut self,
        name: impl Into<String>,
        handle: &SupervisorHandle<T>,
    ) -> Self {
        let handle = handle.downgrade();
        let look = Box::new(move |name: &str| SupervisorView::of(name, &handle));
        self.watched.supervisors.push(WatchedSupervisor { name: name.into(), look });
        self
    }

    /// Shows these stages, and all that they are connected to, under a name, which nothing else that is watched may
    /// have: as a graph, with rates, demand, and what is queued and dropped, of each subscription.
    ///
    /// Each reading [walks](gen_stage::stage::StageGraph::walk) from the given stages to the others, so that those that
    /// subscribe later are shown, too. A stage that does not answer within half of the
    /// [interval](Self::every), and within 2 s, is shown as silent: its code is at work, or stuck. What is connected to
    /// silent stages only is not found: give several stages where that matters. Of the stages that have ended, the
    /// given ones stay, with their last numbers.
    ///
    /// To be watched does not keep a stage alive.
    ///
    /// # Panics
    /// When no stage is given.
    ///
    /// # Examples
    /// ```
    /// use futures::sink;
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{from_iter, from_sink};
    /// use gen_stage_dashboard::Dashboard;
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..).stage().label("numbers").spawn();
    /// let nowhere = from_sink(sink::drain()).stage().label("nowhere").subscribe_to(numbers.subscribe()).spawn();
    /// let dashboard = Dashboard::new().watch_stages("pipeline", [nowhere.stage_ref()]);
    /// let json = dashboard.bind(([127, 0, 0, 1], 0)).await?.json().await;
    /// assert!(json.contains(r#""label":"numbers","kind":"producer","dispatcher":"ByDemand","state":"running""#));
    /// # Ok::<(), gen_stage_dashboard::DashboardError>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn watch_stages(
        mut self,
        name: impl Into<String>,
        stages: impl IntoIterator<Item = StageRef>,
    ) -> Self {
        let (name, stages) = (name.into(), Vec::from_iter(stages));
        assert!(!stages.is_empty(), "watch_stages must be given 1 stage or more, given 0 for `{name}`");
        self.watched.graphs.push(WatchedStages { name, stages });
        self
    }

    /// Reads the numbers of all that is watched once in this time, and sends them to all who look: 100 ms to 1 min, 1 s
    /// unless set, for the whole dashboard.
    ///
    /// # Panics
    /// When it is less than 100 ms or more than 1 min.
    ///
    /// # Examples
    /// ```
    /// use gen_stage_dashboard::Dashboard;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let dashboard = Dashboard::new().every(Duration::from_millis(250));
    /// let dashboard = dashboard.bind(([127, 0, 0, 1], 0)).await?;
    /// assert!(dashboard.json().await.contains(r#""every_ms":250"#));
    /// # Ok::<(), gen_stage_dashboard::DashboardError>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn every(mut self, every: Duration) -> Self {
        assert!(EVERY.contains(&every), "every must be from 100 ms to 1 min, given {every:?}");
        self.every = every;
        self
    }

    /// Answers requests for this host too, as a proxy passes them on: a name without a port, none unless set.
    ///
    /// Without it, requests must be for `localhost` or for an address. A page from elsewhere whose name leads here could
    /// otherwise read what is shown.
    ///
    /// # Examples
    /// ```
    /// use gen_stage_dashboard::Dashboard;
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// use tokio::net::TcpStream;
    ///
    /// # tokio_test::block_on(async {
    /// let dashboard = Dashboard::new().host("flows.example.org").bind(([127, 0, 0, 1], 0)).await?;
    /// let at = dashboard.local_addr();
    /// let serving = tokio::spawn(dashboard.serve());
    /// for (host, answer) in [("flows.example.org", "HTTP/1.1 200"), ("evil.example.org", "HTTP/1.1 421")] {
    ///     let mut client = TcpStream::connect(at).await.unwrap();
    ///     let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    ///     client.write_all(request.as_bytes()).await.unwrap();
    ///     let mut response = String::new();
    ///     client.read_to_string(&mut response).await.unwrap();
    ///     assert!(response.starts_with(answer), "{response}");
    /// }
    /// # serving.abort();
    /// # Ok::<(), gen_stage_dashboard::DashboardError>(())
    /// # }).unwrap();
    /// ```
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into().to_ascii_lowercase());
        self
    }

    /// Serves the page at an address until it is dropped, as [`BoundDashboard::serve`] does.
    ///
    /// # Errors
    /// [`DashboardError`]: when two things have one name, or the address cannot be listened on.
    ///
    /// # Cancel safety
    /// To drop the future is the way to end it.
    ///
    /// # Examples
    /// See [`Dashboard`].
    pub async fn serve(self, addr: impl Into<SocketAddr>) -> Result<(), DashboardError> {
        match self.bind(addr).await?.serve().await {}
    }

    /// Listens at an address, and serves nothing yet; with port 0, at a port that is free.
    ///
    /// # Errors
    /// [`DashboardError`]: when two things have one name, or the address cannot be listened on.
    ///
    /// # Cancel safety
    /// Dropped, it does not listen.
    ///
    /// # Examples
    /// See [`BoundDashboard`].
    pub async fn bind(self, addr: impl Into<SocketAddr>) -> Result<BoundDashboard, DashboardError> {
        if let Some(name) = self.watched.name_twice() {
            return Err(DashboardError::NameTwice { name: name.into() });
        }
        let addr = addr.into();
        let bound = async {
            let listener = TcpListener::bind(addr).await?;
            Ok((listener.local_addr()?, listener))
        };
        let (addr, listener) = bound.await.map_err(|source| DashboardError::Bind { addr, source })?;
        Ok(BoundDashboard::new(addr, listener, Sampler::new(self.watched, self.every), self.hosts))
    }
}
