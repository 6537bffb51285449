//! Parts of requests: the media type, segments and parameters of the address; errors of bodies.

use axum::extract::{FromRequestParts, Path};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serving::{AdmissionError, BodyError};

use crate::error::{ApiError, ErrorCode};

impl From<AdmissionError> for ApiError {
    fn from(error: AdmissionError) -> Self {
        let code = match error {
            AdmissionError::Busy => ErrorCode::ServiceBusy,
            AdmissionError::Body(BodyError::TooLarge { .. }) => ErrorCode::RequestTooLarge,
            AdmissionError::Body(BodyError::TooSlow { .. } | BodyError::Stalled { .. }) => {
                ErrorCode::RequestTimeout
            }
            AdmissionError::Body(BodyError::Broken) => ErrorCode::InvalidParameter,
        };
        code.because(error.to_string())
    }
}

/// Checks that a body is of one of these media types.
pub(super) fn check_type(headers: &HeaderMap, types: &[&str]) -> Result<(), ApiError> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.and_then(|value| value.split(';').next()).map(str::trim);
    match essence {
        Some(essence) if types.iter().any(|wanted| wanted.eq_ignore_ascii_case(essence)) => Ok(()),
        _ => Err(ErrorCode::UnsupportedMediaType
            .because(format!("the header Content-Type must be {}", types.join(" or ")))),
    }
}

/// The part of the path that a route leaves open.
pub(super) struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(segment)) => Ok(Self(segment)),
            Err(_) => Err(ErrorCode::NotFound.because("there is nothing at this path, which is not UTF-8")),
        }
    }
}

/// The query parameter `api-version`.
pub(super) fn api_version(query: Option<&str>) -> Option<&str> {
    let parameters = query.unwrap_or_default().split('&');
    parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("api-version"))
        .map(|(_, value)| value)
}
