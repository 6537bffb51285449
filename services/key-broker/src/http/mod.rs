//! The wire: routes, and what each asks of the broker.

mod deployments;
mod owners;
mod provision;
mod request;
mod respond;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::Response;
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::{get, post, put};
use dcap_quote::UnixTime;
use prometheus_client::registry::Registry;
use ra_tls::CollateralSource;
use serving::{Admission, ServerMetrics, operator_routes};

use crate::broker::Broker;
use crate::tls::Certificates;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// The state that handlers share.
pub(crate) struct App {
    pub broker: Broker,
    pub clock: Clock,
    pub collateral: Arc<dyn CollateralSource>,
    pub certificates: Arc<Certificates>,
    pub admission: Admission,
    pub registry: Registry,
    pub metrics: ServerMetrics,
}

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route(provisioning::PATH, post(provision::provision))
        .route("/v1/status", get(status::status))
        .route("/v1/backup", get(status::backup))
        .route("/v1/audit", get(owners::audit))
        .route("/v1/instances", get(owners::all_instances))
        .route("/v1/deployments", get(deployments::list))
        .route(
            "/v1/deployments/{name}",
            get(deployments::policy).put(deployments::apply),
        )
        .route("/v1/deployments/{name}/history", get(deployments::history))
        .route(
            "/v1/deployments/{name}/history/{number}",
            get(deployments::old_policy),
        )
        .route(
            "/v1/deployments/{name}/approvals",
            get(deployments::pending).post(deployments::approve),
        )
        .route("/v1/deployments/{name}/secrets", get(owners::secrets))
        .route(
            "/v1/deployments/{name}/secrets/{secret}",
            put(owners::set_secret).delete(owners::rotate_secret),
        )
        .route(
            "/v1/deployments/{name}/image-keys/{id}",
            put(owners::set_image_key),
        )
        .route("/v1/deployments/{name}/authority", get(owners::authority))
        .route("/v1/deployments/{name}/instances", get(owners::instances))
        .route("/openapi.json", get(status::openapi))
        .merge(operator_routes(get(status::health), get(status::metrics)))
        .method_not_allowed_fallback(respond::method_not_allowed)
        .fallback(respond::not_found)
        .layer(from_fn_with_state(Arc::clone(&app), observe))
        .with_state(app)
}

/// Counts a request and writes a line to the log. The log has methods, routes and outcomes, never bodies.
async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response<Body> {
    let started = std::time::Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    let response = next.run(request).await;
    let status = response.status().as_u16();
    app.metrics.answered(route, status);
    let microseconds = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::info!(method = method.as_str(), route, status, microseconds, "request");
    response
}
