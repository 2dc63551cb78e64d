use std::io;
use std::net::SocketAddr;
use thiserror::Error;

/// Why a dashboard does not serve.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage_dashboard::{Dashboard, DashboardError};
///
/// # tokio_test::block_on(async {
/// let (mut clicks, mut views) = (Flow::from_iter(0..9), Flow::from_iter(0..9));
/// let dashboard = Dashboard::new().watch("ingest", &clicks.monitor()).watch("ingest", &views.monitor());
/// let error = dashboard.bind(([127, 0, 0, 1], 0)).await.unwrap_err();
/// assert!(matches!(&error, DashboardError::NameTwice { name } if name == "ingest"));
/// assert_eq!(error.to_string(), "a dashboard shows each thing under a name of its own, given `ingest` twice");
/// # });
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DashboardError {
    /// Two things that are watched have the same name.
    #[error("a dashboard shows each thing under a name of its own, given `{name}` twice")]
    NameTwice {
        /// The name.
        name: String,
    },
    /// The address cannot be listened on, when something else listens there, for example.
    #[error("the dashboard cannot listen on {addr}: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}
