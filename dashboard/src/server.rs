//! The routes, and what every answer says.

use crate::sampler::Sampler;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::WatchStream;

/// The page may load what this server serves, and nothing else, from nowhere else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The page: where each of its files is served, what it is, and its text.
const FILES: [(&str, &str, &str); 11] = [
    ("/", HTML, include_str!("../page/index.html")),
    ("/app.css", CSS, include_str!("../page/app.css")),
    ("/app.js", SCRIPT, include_str!("../page/app.js")),
    ("/flow.js", SCRIPT, include_str!("../page/flow.js")),
    ("/card.js", SCRIPT, include_str!("../page/card.js")),
    ("/layers.js", SCRIPT, include_str!("../page/layers.js")),
    ("/stages.js", SCRIPT, include_str!("../page/stages.js")),
    ("/stage_card.js", SCRIPT, include_str!("../page/stage_card.js")),
    ("/graph.js", SCRIPT, include_str!("../page/graph.js")),
    ("/supervisor.js", SCRIPT, include_str!("../page/supervisor.js")),
    ("/dom.js", SCRIPT, include_str!("../page/dom.js")),
];

/// The routes. `hosts` are the names by which the server may be called.
pub(crate) fn router(sampler: Arc<Sampler>, hosts: Arc<[String]>) -> Router {
    let mut router = Router::new().route("/api", get(api)).route("/events", get(events)).with_state(sampler);
    for (path, kind, text) in FILES {
        router = router.route(path, get(move || async move { ([(CONTENT_TYPE, kind)], text) }));
    }
    router.layer(from_fn_with_state(hosts, known_host)).layer(from_fn(guarded))
}

async fn api(State(sampler): State<Arc<Sampler>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], sampler.snapshot().await.to_string())
}

async fn events(State(sampler): State<Arc<Sampler>>) -> impl IntoResponse {
    let snapshots = WatchStream::new(sampler.subscribe().await).map_while(|snapshot| snapshot);
    Sse::new(snapshots.map(|snapshot| Ok::<_, Infallible>(Event::default().data(snapshot))))
}

/// Says what browsers must not do with an answer.
async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let says: [(HeaderName, &'static str); 5] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in says {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Answers only who calls the server by a name that is its own.
///
/// A page from elsewhere can have its own name lead to this address, and would then read what is here as if it were
/// its own. It cannot do that with an address for a name.
async fn known_host(State(hosts): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    match host_of(request.uri(), request.headers()) {
        Some(host) if is_known(&host, &hosts) => next.run(request).await,
        host => {
            let host = host.unwrap_or_default();
            let text = format!("this dashboard is not called `{host}`: see Dashboard::host\n");
            (StatusCode::MISDIRECTED_REQUEST, [(CONTENT_TYPE, "text/plain; charset=utf-8")], text)
                .into_response()
        }
    }
}

/// The host that a request is for, without its port, in small letters.
fn host_of(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let named = || headers.get(HOST)?.to_str().ok()?.parse().ok();
    let authority = uri.authority().cloned().or_else(named)?;
    Some(authority.host().to_ascii_lowercase())
}

fn is_known(host: &str, hosts: &[String]) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok() || hosts.iter().any(|own| own == host)
}
