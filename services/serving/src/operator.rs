//! Routes for the operator of a server: health and metrics.

use axum::Router;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use axum::routing::{MethodRouter, get};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

const HEALTH: &str = "/health";
const LIVE: &str = "/health/live";
const READY: &str = "/health/ready";
const METRICS: &str = "/metrics";

/// `/health` and `/health/ready`, which `health` answers; `/health/live`, which says that the
/// process serves requests; and `/metrics`.
///
/// `health` answers 200 while the server can do its work, and 503 otherwise.
pub fn operator_routes<S: Clone + Send + Sync + 'static>(
    health: MethodRouter<S>,
    metrics: MethodRouter<S>,
) -> Router<S> {
    Router::new()
        .route(HEALTH, health.clone())
        .route(READY, health)
        .route(LIVE, get(live))
        .route(METRICS, metrics)
}

/// Whether a route is one of [`operator_routes`], which are answered however busy the server is.
#[must_use]
pub fn is_operator_route(route: &str) -> bool {
    [HEALTH, LIVE, READY, METRICS].contains(&route)
}

/// All metrics of a registry, in the text format of OpenMetrics 1.0.
#[must_use]
pub fn metrics_response(registry: &Registry) -> Response<Body> {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode(&mut text, registry);
    let mut response = Response::new(Body::from(text));
    let format = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, format);
    response
}

async fn live() -> Response<Body> {
    let mut response = Response::new(Body::from(r#"{"status":"alive"}"#));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
