//! Routes for policies and policy signers.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Response};
use dcap_quote::UnixTime;

use super::admin::Access;
use super::body::{self, Segment};
use super::{App, respond};
use crate::api::{ApiVersion, AttestationType};
use crate::error::{ApiError, ErrorCode};
use crate::service::{Service, TokenId};

/// Ends the path that goes back to the default policy. The router sees one route for it and for the policy itself.
const RESET: &str = ":reset";
/// The methods of a policy, and of going back to the default.
const METHODS: [&str; 2] = ["GET,HEAD,PUT", "POST"];

/// What a request to change something may be. Azure's clients send signers' certificates as JSON, some of them as a JSON string.
const SIGNED: [&str; 3] = ["text/plain", "application/jwt", "application/json"];

pub(super) async fn policy(
    State(app): State<Arc<App>>,
    Segment(kind): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    if kind.ends_with(RESET) {
        return no_method(Segment(kind)).await;
    }
    show(&app, query.as_deref(), &headers, |service, now, id| {
        service.policy(AttestationType::parse(&kind)?, now, id)
    })
}

pub(super) async fn set_policy(
    State(app): State<Arc<App>>,
    Segment(kind): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    if kind.ends_with(RESET) {
        return no_method(Segment(kind)).await;
    }
    let change = |service: &Service, text: &str, now, id| {
        service.set_policy(AttestationType::parse(&kind)?, text, now, id)
    };
    self::change(&app, query.as_deref(), &headers, body, change).await
}

/// `/policies/{type}:reset`.
pub(super) async fn reset_policy(
    State(app): State<Arc<App>>,
    Segment(name): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let Some(kind) = name.strip_suffix(RESET) else {
        return no_method(Segment(name)).await;
    };
    let change = |service: &Service, text: &str, now, id| {
        service.reset_policy(AttestationType::parse(kind)?, text, now, id)
    };
    self::change(&app, query.as_deref(), &headers, body, change).await
}

/// Refuses a method, and says which the path has.
pub(super) async fn no_method(Segment(name): Segment) -> Response<Body> {
    let [of_policy, of_reset] = METHODS;
    let methods = if name.ends_with(RESET) {
        of_reset
    } else {
        of_policy
    };
    respond::method_not_allowed_but(methods).await
}

pub(super) async fn signers(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    show(&app, query.as_deref(), &headers, Service::policy_signers)
}

pub(super) async fn add_signer(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    change(&app, query.as_deref(), &headers, body, Service::add_policy_signer).await
}

pub(super) async fn remove_signer(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    change(
        &app,
        query.as_deref(),
        &headers,
        body,
        Service::remove_policy_signer,
    )
    .await
}

/// Answers a request to see something, by somebody who may.
fn show(
    app: &App,
    query: Option<&str>,
    headers: &HeaderMap,
    show: impl FnOnce(&Service, UnixTime, TokenId) -> Result<String, ApiError>,
) -> Response<Body> {
    let answer = || {
        check(app, query, headers, Access::Read)?;
        let _permit = app.admission.admit()?;
        show(&app.service, (app.clock)(), TokenId::random()?)
    };
    respond::token(answer())
}

/// Answers a request to change something, by somebody who may.
async fn change(
    app: &App,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Body,
    change: impl FnOnce(&Service, &str, UnixTime, TokenId) -> Result<String, ApiError>,
) -> Response<Body> {
    let answer = async {
        let received = app.admission.receive(body).await;
        check(app, query, headers, Access::Change)?;
        body::check_type(headers, &SIGNED)?;
        let (bytes, _permit) = received.admit()?;
        change(&app.service, &text(bytes)?, (app.clock)(), TokenId::random()?)
    };
    respond::token(answer.await)
}

/// The signed text in a body, which may be a JSON string.
fn text(body: Bytes) -> Result<String, ApiError> {
    if body.starts_with(b"\"") {
        let text = serde_json::from_slice(&body);
        return text.map_err(|error| {
            ErrorCode::InvalidParameter.because(format!("the body is not a JSON string: {error}"))
        });
    }
    let text = String::from_utf8(body.into());
    text.map_err(|_| ErrorCode::InvalidParameter.because("the body is not UTF-8"))
}

fn check(app: &App, query: Option<&str>, headers: &HeaderMap, access: Access) -> Result<(), ApiError> {
    super::admin::check(app.admin.as_ref(), headers, access)?;
    ApiVersion::parse(body::api_version(query)).map(|_| ())
}
