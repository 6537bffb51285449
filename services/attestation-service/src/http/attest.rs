//! Routes for attest calls. Anybody may call them: evidence speaks for itself.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Response};
use tokio::task::spawn_blocking;

use super::body::{self, Segment};
use super::{App, respond};
use crate::api::{ApiVersion, AttestRequest, AttestationType};
use crate::error::{ApiError, ErrorCode};
use crate::service::TokenId;

pub(super) async fn attest(
    State(app): State<Arc<App>>,
    Segment(kind): Segment,
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
    app: &Arc<App>,
    kind: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Result<String, ApiError> {
    let received = app.admission.receive(body).await;
    let kind = AttestationType::parse(kind)?;
    ApiVersion::parse(body::api_version(query))?.check_knows(kind)?;
    body::check_type(headers, &["application/json"])?;
    let (body, _permit) = received.admit()?;
    let started = Instant::now();
    let request = AttestRequest::parse(kind, &body)?;
    let token = if request.draft_policy.is_some() {
        // Anybody's policy may take much longer than a signature: not on a thread that serves connections.
        let app = Arc::clone(app);
        let answer = spawn_blocking(move || work(&app, kind, request)).await;
        answer.map_err(|_| ErrorCode::InternalError.because("the draft policy could not be tried"))?
    } else {
        work(app, kind, request)
    };
    app.metrics.worked(started.elapsed());
    if let Err(error) = &token {
        // For who wonders why a fleet is refused. As text of a program: it may repeat words of the caller's.
        tracing::info!(code = error.code.name(), reason = ?error.message, "attest call refused");
    }
    token
}

fn work(app: &App, kind: AttestationType, request: AttestRequest) -> Result<String, ApiError> {
    app.service
        .attest(kind, request, (app.clock)(), TokenId::random()?)
}

impl TokenId {
    pub(super) fn random() -> Result<Self, ApiError> {
        let mut id = [0; 32];
        aws_lc_rs::rand::fill(&mut id)
            .map_err(|_| ErrorCode::InternalError.because("the system gives no randomness"))?;
        Ok(Self(id))
    }
}
