//! Attest calls. Anybody may make them: evidence speaks for itself.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Response};

use super::{App, body, respond};
use crate::api::{ApiVersion, AttestRequest, AttestationType};
use crate::error::{ApiError, ErrorCode};
use crate::service::TokenId;

pub(super) async fn attest(
    State(app): State<Arc<App>>,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let answer = answer(&app, &kind, query.as_deref(), &headers, body).await;
    app.metrics
        .attested(&kind, answer.as_ref().err().map(|error| error.code));
    respond::token(answer)
}

async fn answer(
    app: &App,
    kind: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Result<String, ApiError> {
    let kind = AttestationType::parse(kind)?;
    ApiVersion::parse(body::api_version(query))?.check_knows(kind)?;
    let body = body::read(headers, body, &["application/json"], &app.limits).await?;
    let started = std::time::Instant::now();
    let request = AttestRequest::parse(kind, &body)?;
    let token = app
        .service
        .attest(kind, request, (app.clock)(), TokenId::random()?);
    app.metrics.worked(started.elapsed());
    token
}

impl TokenId {
    pub(super) fn random() -> Result<Self, ApiError> {
        let mut id = [0; 32];
        aws_lc_rs::rand::fill(&mut id)
            .map_err(|_| ErrorCode::InternalError.because("the system gives no randomness"))?;
        Ok(Self(id))
    }
}
