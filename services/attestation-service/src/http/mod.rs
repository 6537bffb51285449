//! The HTTP routes, and the state that their handlers share.
//!
//! A request goes through [`observe`], which gives it an identifier and logs and counts it, and then
//! to a handler. The handler reads the body within limits, checks who may ask, has the request
//! admitted to work, asks the [`Service`] and answers. Verifying and signing take less than a millisecond, so the thread
//! that serves the connection does them; only draft policies go to another thread. Changes of
//! policies, which are rare and made by few, write to the disk meanwhile.

mod admin;
mod attest;
mod body;
mod health;
mod management;
mod metadata;
mod observe;
mod respond;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use dcap_quote::{Trust, UnixTime};
use serving::{Admission, operator_routes};

pub use self::admin::{AdminToken, AdminTokenError};
use crate::metrics::Metrics;
use crate::service::Service;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// The state that handlers share.
pub(crate) struct App {
    pub service: Service,
    pub clock: Clock,
    pub admin: Option<AdminToken>,
    pub metrics: Metrics,
    pub admission: Admission,
}

/// Under which a service that trusts a simulated platform has its issuer, and all of its routes once more.
pub(crate) const SIMULATED_PREFIX: &str = "/simulated";

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    let api = Router::new()
        .route("/attest/{type}", post(attest::attest))
        .route("/attest/Tee/{type}", post(attest::attest))
        .route(
            "/policies/{type}",
            get(management::policy)
                .put(management::set_policy)
                .post(management::reset_policy)
                .fallback(management::no_method),
        )
        .route("/tcbbaselines/{type}", get(metadata::tcb_baselines))
        .route("/openapi.json", get(metadata::openapi))
        .route("/certificates", get(management::signers))
        .route("/certificates:add", post(management::add_signer))
        .route("/certificates:remove", post(management::remove_signer))
        .route("/certs", get(metadata::key_set))
        .route("/certs/", get(metadata::key_set))
        .route("/.well-known/openid-configuration", get(metadata::openid))
        .method_not_allowed_fallback(respond::method_not_allowed);
    let api = match app.service.settings.trust {
        Trust::Intel => api,
        Trust::Simulated => api.clone().nest(SIMULATED_PREFIX, api),
    };
    api.merge(operator_routes(get(health::health), get(health::metrics)))
        .method_not_allowed_fallback(respond::method_not_allowed)
        .fallback(respond::not_found)
        .layer(from_fn_with_state(Arc::clone(&app), observe::observe))
        .with_state(app)
}
