//! The service on the wire: routes, and what they share.
//!
//! A request goes through [`observe`] (its name, log and count, and whether there is room for it), then to a handler, which reads the
//! body within limits, asks the [`Service`] and answers. Verifying and signing take less than a millisecond, and are done by the
//! thread that serves the connection; only drafts of policies go to another. Changes of policies, which are rare and
//! made by few, write to the disk meanwhile.

mod admin;
mod attest;
mod body;
mod health;
mod management;
mod metadata;
mod observe;
mod respond;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use dcap_quote::{Trust, UnixTime};
use tokio::sync::Semaphore;

pub use self::admin::{AdminToken, AdminTokenError};
use crate::metrics::Metrics;
use crate::service::Service;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// What handlers share.
pub(crate) struct App {
    pub service: Service,
    pub clock: Clock,
    pub admin: Option<AdminToken>,
    pub metrics: Metrics,
    pub limits: Limits,
    /// A permit for each request that is worked on.
    pub room: Semaphore,
}

/// Bounds for what callers can take up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_size: usize,
    /// For TLS to begin.
    pub handshake_timeout: Duration,
    /// For a whole body to arrive.
    pub body_timeout: Duration,
    /// For the whole head of a request to arrive, from the end of the one before.
    pub idle_timeout: Duration,
    /// Requests that are worked on; those beyond are told to come back.
    pub requests: usize,
    /// Connections; those beyond wait until another ends.
    pub connections: usize,
    /// For requests to end after the service was told to.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_size: 1 << 20,
            handshake_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            requests: 512,
            connections: 2048,
            shutdown: Duration::from_secs(20),
        }
    }
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
                .post(management::reset_policy),
        )
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
    api.route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::health))
        .route("/metrics", get(health::metrics))
        .method_not_allowed_fallback(respond::method_not_allowed)
        .fallback(respond::not_found)
        .layer(from_fn_with_state(Arc::clone(&app), observe::observe))
        .with_state(app)
}
