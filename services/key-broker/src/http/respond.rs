//! Responses: documents, and errors in one form.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::json;

use crate::problem::Problem;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A JSON document that nobody keeps.
pub(super) fn document(status: StatusCode, document: &impl Serialize) -> Response<Body> {
    text(status, JSON, serde_json::to_string(document).unwrap_or_default())
}

pub(super) fn text(status: StatusCode, kind: HeaderValue, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, NO_STORE);
    response
}

/// What was found, or why not.
pub(super) fn answer<T: Serialize>(result: Result<Result<T, Problem>, Problem>) -> Response<Body> {
    match result.and_then(|result| result) {
        Ok(value) => document(StatusCode::OK, &value),
        Err(problem) => problem.into_response(),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let (code, status) = self.code();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({"error": {"code": code, "message": self.to_string()}});
        let mut response = document(status, &body);
        if matches!(self, Self::Unavailable(_)) {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

pub(super) async fn not_found() -> Problem {
    Problem::NotFound("such path; /openapi.json lists them".to_owned())
}

pub(super) async fn method_not_allowed() -> Response<Body> {
    let message = "this path does not have that method; /openapi.json lists them";
    let body = json!({"error": {"code": "method", "message": message}});
    document(StatusCode::METHOD_NOT_ALLOWED, &body)
}
