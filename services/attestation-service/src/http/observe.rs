//! Middleware that gives every request an identifier, a line in the log and a count.
//!
//! The log has methods, routes, outcomes and durations. It never has bodies, tokens or other headers.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Response};
use axum::middleware::Next;
use serving::request_id;
use tracing::{Instrument as _, info_span};

use super::App;
use super::respond::ERROR_CODE;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
/// Bytes of a caller's own name for a request that are repeated.
const MAX_CLIENT_REQUEST_ID: usize = 128;

pub(super) async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response<Body> {
    let started = Instant::now();
    let id = request_id::<16>();
    let client_id = request.headers().get(CLIENT_REQUEST_ID).cloned();
    let client_id = client_id.filter(|id| id.len() <= MAX_CLIENT_REQUEST_ID);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("other", MatchedPath::as_str);

    let mut response = next.run(request).instrument(info_span!("request", id)).await;

    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(client_id) = client_id {
        headers.insert(CLIENT_REQUEST_ID, client_id);
    }
    let status = response.status().as_u16();
    let duration = started.elapsed();
    let error = response
        .headers()
        .get(ERROR_CODE)
        .and_then(|code| code.to_str().ok());
    app.metrics.server.answered(route, status);
    tracing::info!(
        id,
        method = method.as_str(),
        route,
        status,
        error,
        microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
        "request"
    );
    response
}
