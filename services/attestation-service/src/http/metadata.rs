//! Routes for validators of tokens and for whoever writes clients: the keys, the document that says where they are, the TCB
//! baselines, and the description of all routes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Response, StatusCode};
use serde_json::json;

use super::admin::{self, Access};
use super::body::{self, Segment};
use super::{App, respond};
use crate::api::{ApiVersion, AttestationType};
use crate::baselines::TcbBaseline;
use crate::error::ApiError;

/// The description of all routes (OpenAPI 3.1).
const OPENAPI: &str = include_str!("../../openapi.json");

/// `/certs`: the keys (RFC 7517).
pub(super) async fn key_set(State(app): State<Arc<App>>) -> Response<Body> {
    match app.admission.admit() {
        Ok(_permit) => respond::document(StatusCode::OK, &app.service.state().keys.key_set()),
        Err(error) => respond::refusal(error),
    }
}

/// OpenID Connect Discovery 1.0, section 3, as far as it applies.
pub(super) async fn openid(State(app): State<Arc<App>>) -> Response<Body> {
    let document = json!({
        "issuer": app.service.settings.issuer,
        "jwks_uri": app.service.key_set_url(),
        "response_types_supported": ["token", "none"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": [
            "iss", "jti", "iat", "nbf", "exp", "nonce", "x-ms-ver", "x-ms-attestation-type", "x-ms-policy",
            "x-ms-policy-hash", "x-ms-policy-signer", "x-ms-runtime", "x-ms-inittime", "x-ms-sgx-is-debuggable",
            "x-ms-sgx-product-id", "x-ms-sgx-mrsigner", "x-ms-sgx-mrenclave", "x-ms-sgx-svn", "x-ms-sgx-report-data",
            "x-ms-sgx-ehd", "x-ms-sgx-collateral", "attester_tcb_status", "tdx_mrtd", "tdx_report_data",
        ],
    });
    respond::document(StatusCode::OK, &document)
}

/// `/openapi.json`.
pub(super) async fn openapi() -> Response<Body> {
    respond::json_text(OPENAPI)
}

/// `/tcbbaselines/{type}`, for whoever may see the policy: it says what that asks for.
pub(super) async fn tcb_baselines(
    State(app): State<Arc<App>>,
    Segment(kind): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    let answer = || -> Result<Vec<TcbBaseline>, ApiError> {
        admin::check(app.admin.as_ref(), &headers, Access::Read)?;
        ApiVersion::parse(body::api_version(query.as_deref()))?.check_knows_baselines()?;
        let kind = AttestationType::parse(&kind)?;
        let _permit = app.admission.admit()?;
        app.service.tcb_baselines(kind)
    };
    match answer() {
        Ok(baselines) => respond::document(StatusCode::OK, &json!({ "tcbBaselines": baselines })),
        Err(error) => respond::refusal(error),
    }
}
