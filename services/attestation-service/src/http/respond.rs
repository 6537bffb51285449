//! Responses: tokens, documents, and errors in the form that Azure's clients read.

use axum::body::Body;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::json;

use crate::error::{ApiError, ErrorCode};

/// The code of an error once more, as Azure's clients look for it.
pub(super) const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// `{"token": …}`.
pub(super) fn token(token: Result<String, ApiError>) -> Response<Body> {
    match token {
        Ok(token) => document(StatusCode::OK, &json!({ "token": token })),
        Err(error) => error.into_response(),
    }
}

/// The one shape of errors.
pub(super) fn refusal(error: impl Into<ApiError>) -> Response<Body> {
    error.into().into_response()
}

/// A JSON document that nobody keeps.
pub(super) fn document(status: StatusCode, document: &impl Serialize) -> Response<Body> {
    let mut response = json_text(serde_json::to_string(document).unwrap_or_default());
    *response.status_mut() = status;
    response
}

/// The same, with a text that is JSON already.
pub(super) fn json_text(text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, NO_STORE);
    response
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = document(status, &self);
        let headers = response.headers_mut();
        headers.insert(ERROR_CODE, HeaderValue::from_static(self.code.name()));
        match self.code {
            ErrorCode::Unauthorized => {
                let challenge = HeaderValue::from_static("Bearer realm=\"attestation policy management\"");
                headers.insert(WWW_AUTHENTICATE, challenge);
            }
            ErrorCode::ServiceBusy => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

pub(super) async fn not_found() -> ApiError {
    ErrorCode::NotFound.because(
        "there is nothing at this path; attest calls go to /attest/SgxEnclave, /attest/OpenEnclave and /attest/TdxVm",
    )
}

/// The router adds the header `Allow`.
pub(super) async fn method_not_allowed() -> ApiError {
    ErrorCode::MethodNotAllowed.because(format!(
        "this path does not have that method; the header {ALLOW} says which it has"
    ))
}

/// The same for a path that the router takes for another one.
pub(super) async fn method_not_allowed_but(methods: &'static str) -> Response<Body> {
    let mut response = method_not_allowed().await.into_response();
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(methods));
    response
}
