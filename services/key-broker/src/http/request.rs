//! Parts of requests: who asks, bodies.

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use dcap_quote::UnixTime;
use serving::{AdmissionError, PeerCertificate, Permit};

use super::App;
use crate::people::Person;
use crate::problem::Problem;

impl From<AdmissionError> for Problem {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::Busy => Self::Unavailable("too many requests are being worked on".to_owned()),
            AdmissionError::Body(error) => Self::Invalid(error.to_string()),
        }
    }
}

/// Who asks, by their client certificate.
pub(super) fn person(peer: &PeerCertificate, now: UnixTime) -> Result<Person, Problem> {
    let certificate = peer.0.as_ref().ok_or(Problem::NoCertificate)?;
    Person::of(certificate, now)
}

/// A body that is there.
pub(super) async fn body(app: &App, body: Body) -> Result<(Bytes, Permit), Problem> {
    Ok(app.admission.receive(body).await.admit()?)
}

/// A page of another site can make a browser send a body, but not one of this type.
pub(super) fn check_json(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.and_then(|value| value.split(';').next()).map(str::trim);
    let is_json = essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let message = "the header Content-Type must be application/json";
    is_json
        .then_some(())
        .ok_or_else(|| Problem::Invalid(message.to_owned()))
}
