//! What requests bring: bodies, read within limits, and parts of their addresses.

use std::error::Error as _;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Path};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use tokio::time::timeout;

use super::Limits;
use crate::error::{ApiError, ErrorCode};

/// Reads a body of one of these media types.
///
/// # Errors
/// When it is of another type, too large, or does not arrive in time.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    types: &[&str],
    limits: &Limits,
) -> Result<Bytes, ApiError> {
    check_type(headers, types)?;
    let too_large =
        || ErrorCode::RequestTooLarge.because(format!("the body is larger than {} bytes", limits.body_size));
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced
        .is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limits.body_size))
    {
        return Err(too_large());
    }
    match timeout(limits.body_timeout, to_bytes(body, limits.body_size)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            // axum tells it by its source only.
            let limit = error.source().map(ToString::to_string).unwrap_or_default();
            if limit.contains("length limit") {
                Err(too_large())
            } else {
                Err(ErrorCode::InvalidParameter.because("the body broke off"))
            }
        }
        Err(_) => Err(ErrorCode::RequestTimeout.because(format!(
            "the body did not arrive within {} seconds",
            limits.body_timeout.as_secs()
        ))),
    }
}

fn check_type(headers: &HeaderMap, types: &[&str]) -> Result<(), ApiError> {
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
