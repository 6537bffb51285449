//! Routes for policies.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse as _;
use deployment_policy::{Policy, PolicyDigest};
use serde::Deserialize;
use serde_json::json;
use serving::PeerCertificate;

use super::{App, request, respond};
use crate::deployments::PolicyState;
use crate::people::Person;
use crate::policies::history_entry;
use crate::problem::Problem;
use crate::work::Work;

/// Asks for something that is only read, by somebody who may.
pub(super) async fn ask<T: serde::Serialize + Send + 'static>(
    app: &App,
    peer: &PeerCertificate,
    mut ask: impl FnMut(&mut Work<'_, '_>, &Person) -> Result<Result<T, Problem>, Problem> + Send + 'static,
) -> Result<Result<T, Problem>, Problem> {
    let now = (app.clock)();
    let person = request::person(peer, now)?;
    let _permit = app.admission.admit()?;
    app.broker.work(now, move |work| ask(work, &person)).await
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
) -> Response<Body> {
    let names = ask(&app, &peer, |work, person| {
        Ok(Ok(json!({"deployments": work.deployments(person)?})))
    });
    respond::answer(names.await)
}

/// The policy in its canonical form, whose SHA-256 is its digest.
pub(super) async fn policy(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
    Path(name): Path<String>,
) -> Response<Body> {
    let canonical = ask(&app, &peer, move |work, person| {
        Ok(work
            .policy(person, &name)?
            .map(|policy| policy.canonical().to_owned()))
    });
    match canonical.await.and_then(|found| found) {
        Ok(canonical) => canonical_response(canonical),
        Err(problem) => problem.into_response(),
    }
}

pub(super) async fn old_policy(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
    Path((name, number)): Path<(String, u64)>,
) -> Response<Body> {
    let canonical = ask(&app, &peer, move |work, person| {
        if let Err(problem) = work.policy(person, &name)? {
            return Ok(Err(problem));
        }
        let entry = history_entry(work.transaction, &name, number)?;
        let missing = || Problem::NotFound(format!("policy {number} in the history of {name}"));
        Ok(entry.map(|entry| entry.canonical).ok_or_else(missing))
    });
    match canonical.await.and_then(|found| found) {
        Ok(canonical) => canonical_response(canonical),
        Err(problem) => problem.into_response(),
    }
}

pub(super) async fn apply(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
    Path(name): Path<String>,
    body: Body,
) -> Response<Body> {
    let body = request::body(&app, body).await;
    let applied = async {
        let now = (app.clock)();
        let person = request::person(&peer, now)?;
        let (body, _permit) = body?;
        let text = std::str::from_utf8(&body);
        let text = text.map_err(|_| Problem::Invalid("the policy is not UTF-8".to_owned()))?;
        let policy = Policy::parse(text);
        let policy = policy.map_err(|error| Problem::Invalid(format!("the policy is not valid: {error}")))?;
        if policy.name().as_str() != name {
            let problem = format!(
                "the policy is of the deployment {}, and the path of {name}",
                policy.name()
            );
            return Err(Problem::Invalid(problem));
        }
        app.broker
            .work(now, move |work| work.apply(&person, &policy))
            .await
    };
    answer_applied(applied.await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approve {
    digest: PolicyDigest,
}

pub(super) async fn approve(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let body = request::body(&app, body).await;
    let approved = async {
        let now = (app.clock)();
        let person = request::person(&peer, now)?;
        request::check_json(&headers)?;
        let (body, _permit) = body?;
        let approve: Result<Approve, _> = serde_json::from_slice(&body);
        let approve = approve
            .map_err(|error| Problem::Invalid(format!("the body is not {{\"digest\": …}}: {error}")))?;
        let digest = approve.digest;
        app.broker
            .work(now, move |work| work.approve(&person, &name, digest))
            .await
    };
    answer_applied(approved.await)
}

pub(super) async fn pending(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
    Path(name): Path<String>,
) -> Response<Body> {
    let pending = ask(&app, &peer, move |work, person| {
        Ok(work
            .pending(person, &name)?
            .map(|pending| json!({"pending": pending})))
    });
    respond::answer(pending.await)
}

pub(super) async fn history(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
    Path(name): Path<String>,
) -> Response<Body> {
    let history = ask(&app, &peer, move |work, person| {
        Ok(work
            .history(person, &name)?
            .map(|history| json!({"history": history})))
    });
    respond::answer(history.await)
}

fn canonical_response(canonical: String) -> Response<Body> {
    respond::text(
        StatusCode::OK,
        HeaderValue::from_static("application/json"),
        canonical,
    )
}

/// 200 if it is in force, 202 if it waits.
fn answer_applied(result: Result<Result<crate::deployments::Applied, Problem>, Problem>) -> Response<Body> {
    match result.and_then(|result| result) {
        Ok(applied) => {
            let status = match applied.state {
                PolicyState::InForce => StatusCode::OK,
                PolicyState::Pending => StatusCode::ACCEPTED,
            };
            respond::document(status, &applied)
        }
        Err(problem) => problem.into_response(),
    }
}
