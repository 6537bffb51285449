//! Routes for secrets, instances and the audit log.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse as _;
use sector_cipher::ImageKey;
use serde::Deserialize;
use serde_json::json;
use serving::PeerCertificate;
use zeroize::Zeroizing;

use super::deployments::ask;
use super::{App, request, respond};
use crate::owner_work::AuditPage;
use crate::problem::Problem;

/// Where the audit log goes on, if there is more.
const NEXT: HeaderName = HeaderName::from_static("nacre-next");

pub(super) async fn secrets(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
    Path(name): Path<String>,
) -> Response<Body> {
    respond::answer(ask(&app, &peer, move |work, person| work.secret_list(person, &name)).await)
}

/// The body is the value.
pub(super) async fn set_secret(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
    Path((name, secret)): Path<(String, String)>,
    body: Body,
) -> Response<Body> {
    let body = request::body(&app, body).await;
    let set = async {
        let now = (app.clock)();
        let person = request::person(&peer, now)?;
        let (body, _permit) = body?;
        let value = Zeroizing::new(body.to_vec());
        app.broker
            .work(now, move |work| {
                work.set_secret(&person, &name, &secret, Some(&value))
            })
            .await
    };
    done(set.await)
}

pub(super) async fn rotate_secret(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
    Path((name, secret)): Path<(String, String)>,
) -> Response<Body> {
    done(
        ask(&app, &peer, move |work, person| {
            work.set_secret(person, &name, &secret, None)
        })
        .await,
    )
}

/// The body is the key, 64 bytes, whose name must be the one in the path.
pub(super) async fn set_image_key(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
    Path((name, id)): Path<(String, String)>,
    body: Body,
) -> Response<Body> {
    let body = request::body(&app, body).await;
    let set = async {
        let now = (app.clock)();
        let person = request::person(&peer, now)?;
        let (body, _permit) = body?;
        let key = Zeroizing::new(body.to_vec());
        let read = ImageKey::new(&key).map_err(|error| Problem::Invalid(error.to_string()))?;
        if read.id().to_string() != id {
            let problem = format!("the key has the name {}, and the path names {id}", read.id());
            return Err(Problem::Invalid(problem));
        }
        let id = id.parse();
        let id = id.map_err(|_| Problem::Invalid("the path names no image key".to_owned()))?;
        app.broker
            .work(now, move |work| work.set_image_key(&person, &name, id, &key))
            .await
    };
    done(set.await)
}

pub(super) async fn authority(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
    Path(name): Path<String>,
) -> Response<Body> {
    respond::answer(
        ask(&app, &peer, move |work, person| {
            work.authority_certificates(person, &name)
        })
        .await,
    )
}

pub(super) async fn instances(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
    Path(name): Path<String>,
) -> Response<Body> {
    let instances = ask(&app, &peer, move |work, person| {
        Ok(work
            .instances(person, &name)?
            .map(|instances| json!({"instances": instances})))
    });
    respond::answer(instances.await)
}

/// Of all deployments that somebody may see.
pub(super) async fn all_instances(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
) -> Response<Body> {
    let instances = ask(&app, &peer, |work, person| {
        let mut all = Vec::new();
        for deployment in work.deployments(person)? {
            all.extend(work.instances(person, &deployment)?.unwrap_or_default());
        }
        Ok(Ok(json!({"instances": all})))
    });
    respond::answer(instances.await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    #[serde(default)]
    from: u64,
    deployment: Option<String>,
}

/// Lines of JSON, a page at a time.
pub(super) async fn audit(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
    Query(query): Query<AuditQuery>,
) -> Response<Body> {
    let lines = ask(&app, &peer, move |work, person| {
        work.audit_lines(person, query.from, query.deployment.as_deref())
    });
    match lines.await.and_then(|lines| lines) {
        Ok(AuditPage { lines, next }) => {
            let mut response = respond::text(
                StatusCode::OK,
                HeaderValue::from_static("application/x-ndjson"),
                lines,
            );
            if let Some(next) = next {
                response.headers_mut().insert(NEXT, HeaderValue::from(next));
            }
            response
        }
        Err(problem) => problem.into_response(),
    }
}

fn done(result: Result<Result<(), Problem>, Problem>) -> Response<Body> {
    match result.and_then(|result| result) {
        Ok(()) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Err(problem) => problem.into_response(),
    }
}
