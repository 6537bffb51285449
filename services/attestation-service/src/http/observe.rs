//! What every request gets: a name, a line in the log, a count, and a place or the word that there is none.
//!
//! Logged are methods, routes, outcomes and durations; never bodies, tokens or other headers.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Response};
use axum::middleware::Next;
use axum::response::IntoResponse as _;

use tracing::{Instrument as _, info_span};

use super::App;
use super::respond::ERROR_CODE;
use crate::error::ErrorCode;
use crate::hex::hex;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
/// Bytes of a caller's own name for a request that are repeated.
const MAX_CLIENT_REQUEST_ID: usize = 128;

pub(super) async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response<Body> {
    let started = Instant::now();
    let id = request_id();
    let client_id = request.headers().get(CLIENT_REQUEST_ID).cloned();
    let client_id = client_id.filter(|id| id.len() <= MAX_CLIENT_REQUEST_ID);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("other", MatchedPath::as_str);

    // Who looks after the service is never turned away.
    let is_operators = route.starts_with("/health") || route == "/metrics";
    let permit = app.room.try_acquire();
    let mut response = if permit.is_ok() || is_operators {
        next.run(request).instrument(info_span!("request", id)).await
    } else {
        ErrorCode::ServiceBusy
            .because("too many requests are being worked on; try again in a second")
            .into_response()
    };
    drop(permit);

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
    app.metrics.answered(route, status);
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

/// Random, so that it tells nothing.
fn request_id() -> String {
    let mut id = [0; 16];
    // Without randomness, signing fails as well; a name is not worth failing for.
    let _ = aws_lc_rs::rand::fill(&mut id);
    hex(&id)
}
