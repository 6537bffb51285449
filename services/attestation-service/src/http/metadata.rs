//! Routes for validators of tokens: the keys, and the document that says where they are.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::json;

use super::{App, respond};

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
