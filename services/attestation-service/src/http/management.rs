//! Policies and policy signers, for who may see and change them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Response};

use super::admin::Access;
use super::body::{self, Segment};
use super::{App, respond};
use crate::api::{ApiVersion, AttestationType};
use crate::error::{ApiError, ErrorCode};
use crate::service::TokenId;

/// What a request to change something may be. Azure's clients send signers' certificates as JSON, some of them as a JSON string.
const SIGNED: [&str; 3] = ["text/plain", "application/jwt", "application/json"];

pub(super) async fn policy(
    State(app): State<Arc<App>>,
    Segment(kind): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    let kind =
        check(&app, query.as_deref(), &headers, Access::Read).and_then(|()| AttestationType::parse(&kind));
    respond::token(kind.and_then(|kind| app.service.policy(kind, (app.clock)(), TokenId::random()?)))
}

pub(super) async fn set_policy(
    State(app): State<Arc<App>>,
    Segment(kind): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let kind = AttestationType::parse(&kind);
    let text = changing(&app, query.as_deref(), &headers, body).await;
    respond::token(text.and_then(|text| {
        app.service
            .set_policy(kind?, &text, (app.clock)(), TokenId::random()?)
    }))
}

/// `/policies/{type}:reset`.
pub(super) async fn reset_policy(
    State(app): State<Arc<App>>,
    Segment(name): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let Some(kind) = name.strip_suffix(":reset") else {
        return respond::token(Err(respond::method_not_allowed().await));
    };
    let kind = AttestationType::parse(kind);
    let text = changing(&app, query.as_deref(), &headers, body).await;
    respond::token(text.and_then(|text| {
        app.service
            .reset_policy(kind?, &text, (app.clock)(), TokenId::random()?)
    }))
}

pub(super) async fn signers(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    let allowed = check(&app, query.as_deref(), &headers, Access::Read);
    respond::token(allowed.and_then(|()| app.service.policy_signers((app.clock)(), TokenId::random()?)))
}

pub(super) async fn add_signer(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let text = changing(&app, query.as_deref(), &headers, body).await;
    respond::token(text.and_then(|text| {
        app.service
            .add_policy_signer(&text, (app.clock)(), TokenId::random()?)
    }))
}

pub(super) async fn remove_signer(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let text = changing(&app, query.as_deref(), &headers, body).await;
    respond::token(text.and_then(|text| {
        app.service
            .remove_policy_signer(&text, (app.clock)(), TokenId::random()?)
    }))
}

/// The body of a request to change something, by somebody who may.
async fn changing(
    app: &App,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Result<String, ApiError> {
    check(app, query, headers, Access::Change)?;
    let bytes = body::read(headers, body, &SIGNED, &app.limits).await?;
    if bytes.starts_with(b"\"") {
        let text = serde_json::from_slice(&bytes);
        return text.map_err(|error| {
            ErrorCode::InvalidParameter.because(format!("the body is not a JSON string: {error}"))
        });
    }
    let text = String::from_utf8(bytes.into());
    text.map_err(|_| ErrorCode::InvalidParameter.because("the body is not UTF-8"))
}

fn check(app: &App, query: Option<&str>, headers: &HeaderMap, access: Access) -> Result<(), ApiError> {
    super::admin::check(app.admin.as_ref(), headers, access)?;
    ApiVersion::parse(body::api_version(query)).map(|_| ())
}
