//! What the broker is, its health, its description.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse as _;
use broker_store::{Sqlite, Store};
use serde_json::json;
use serving::{PeerCertificate, metrics_response};

use super::{App, request, respond};
use crate::authority::pem;
use crate::problem::Problem;

/// For anybody: who the broker is. For administrators also where store and audit log end, which are worth keeping.
pub(super) async fn status(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
) -> Response<Body> {
    let status = async {
        let _permit = app.admission.admit()?;
        let audit_key = app.broker.audit_public_key();
        let audit_key =
            audit_key.map_err(|_| Problem::Unavailable("the audit key cannot be read".to_owned()))?;
        let mut status = json!({
            "id": app.broker.id(),
            "version": env!("CARGO_PKG_VERSION"),
            "attested": app.certificates.is_attested(),
            "authority": *pem("CERTIFICATE", app.broker.authority()),
            "audit_key": *pem("PUBLIC KEY", &audit_key),
        });
        let person = request::person(&peer, (app.clock)());
        let is_administrator =
            person.is_ok_and(|person| app.broker.identity().is_administrator(&person.principal()));
        if is_administrator {
            let heads = app.broker.heads().await?;
            if let Some(members) = status.as_object_mut() {
                members.insert("witness".to_owned(), heads.store.to_string().into());
                members.insert("audit_head".to_owned(), heads.audit.to_string().into());
            }
        }
        Ok::<_, Problem>(status)
    };
    match status.await {
        Ok(status) => respond::document(StatusCode::OK, &status),
        Err(problem) => problem.into_response(),
    }
}

/// For administrators: a copy of the store as of now. It is sealed, as the store is.
pub(super) async fn backup(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
) -> Response<Body> {
    let copy = async {
        let now = (app.clock)();
        let person = request::person(&peer, now)?;
        let _permit = app.admission.admit()?;
        app.broker
            .work(now, move |work| work.may_back_up(&person))
            .await??;
        app.broker.with_store(copy).await?
    };
    match copy.await {
        Ok(copy) => {
            let kind = HeaderValue::from_static("application/vnd.sqlite3");
            respond::text(StatusCode::OK, kind, copy)
        }
        Err(problem) => problem.into_response(),
    }
}

/// An SQLite file.
fn copy(store: &mut Store) -> Result<Vec<u8>, Problem> {
    let failed =
        |error: &dyn std::fmt::Display| Problem::Unavailable(format!("the copy cannot be written: {error}"));
    let directory = tempfile::tempdir().map_err(|error| failed(&error))?;
    let path = directory.path().join("copy");
    let mut copy = Sqlite::create(&path).map_err(|error| failed(&error))?;
    store.copy_to(&mut copy)?;
    // Closing it empties its write-ahead log.
    drop(copy);
    std::fs::read(&path).map_err(|error| failed(&error))
}

pub(super) async fn openapi() -> Response<Body> {
    let text = include_str!("../../openapi.json");
    respond::text(StatusCode::OK, HeaderValue::from_static("application/json"), text)
}

/// Whether the store can be read.
pub(super) async fn health(State(app): State<Arc<App>>) -> Response<Body> {
    match app.broker.heads().await {
        Ok(_) => respond::document(StatusCode::OK, &json!({"status": "ok"})),
        Err(error) => {
            tracing::error!(%error, "the store does not work");
            respond::document(
                StatusCode::SERVICE_UNAVAILABLE,
                &json!({"status": "the store does not work"}),
            )
        }
    }
}

pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response<Body> {
    metrics_response(&app.registry)
}
