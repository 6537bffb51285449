//! `/v1/provision`: what enclaves ask.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use deployment_policy::Evidence;
use provisioning::{CONTENT_TYPE, Code, MAX_REQUEST, Provision, Refusal, Request};
use serving::PeerCertificate;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::{App, request, respond};
use crate::problem::{Problem, reference};

pub(super) async fn provision(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<PeerCertificate>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let body = request::body(&app, body).await;
    let provisioned = async {
        let (body, _permit) = body.map_err(|problem| bad_request(&problem))?;
        request::check_json(&headers).map_err(|problem| bad_request(&problem))?;
        let request = read(&body)?;
        let evidence = prove(&app, peer).await?;
        let done = app
            .broker
            .work((app.clock)(), move |work| work.provision(&evidence, &request))
            .await;
        done.unwrap_or_else(|problem| Err(unavailable(&problem)))
    };
    match provisioned.await {
        Ok(provision) => given(&provision),
        Err(refusal) => respond::document(status(refusal.code), &refusal),
    }
}

/// What the peer's certificate proves. A quote that proves nothing is anybody's, so it is not written to the audit log.
async fn prove(app: &Arc<App>, peer: PeerCertificate) -> Result<Evidence, Refusal> {
    let Some(certificate) = peer.0 else {
        return Err(refusal(Code::Refused, "show a certificate with a quote (RA-TLS)"));
    };
    let task = Arc::clone(app);
    let proven = spawn_blocking(move || {
        ra_tls::dangerous_prove(&certificate, task.collateral.as_ref(), (task.clock)())
    });
    let proven = match proven.await {
        Ok(Ok(proof)) => {
            Evidence::of(&proof.verdict).ok_or_else(|| "it is a trust domain's quote".to_owned())
        }
        Ok(Err(ra_tls::Refusal::NoCollateral(error))) => {
            let refusal = refusal(
                Code::Unavailable,
                "there is no collateral to verify the quote with",
            );
            tracing::error!(
                reference = refusal.reference,
                error,
                "there is no collateral for an enclave"
            );
            return Err(refusal);
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    proven.map_err(|reason| {
        let refusal = refusal(
            Code::Refused,
            "the certificate proves nothing; the broker's log has the reason",
        );
        tracing::warn!(
            reference = refusal.reference,
            reason,
            "a certificate proves nothing"
        );
        refusal
    })
}

fn read(body: &[u8]) -> Result<Request, Refusal> {
    if body.len() > MAX_REQUEST {
        return Err(refusal(Code::BadRequest, "the request is too large"));
    }
    serde_json::from_slice(body).map_err(|error| Refusal {
        message: format!("the request cannot be understood: {error}"),
        ..refusal(Code::BadRequest, "")
    })
}

/// The answer has secrets, and is erased when it was sent as far as this process has it.
fn given(provision: &Provision) -> Response<Body> {
    let Ok(json) = serde_json::to_vec(provision).map(Zeroizing::new) else {
        let refusal = refusal(Code::Unavailable, "the answer cannot be written");
        return respond::document(status(refusal.code), &refusal);
    };
    let body = axum::body::Bytes::from_owner(Erased(json));
    respond::text(StatusCode::OK, HeaderValue::from_static(CONTENT_TYPE), body)
}

struct Erased(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for Erased {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

const fn status(code: Code) -> StatusCode {
    match code {
        Code::BadRequest => StatusCode::BAD_REQUEST,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Refused | Code::Other => StatusCode::FORBIDDEN,
    }
}

fn bad_request(problem: &Problem) -> Refusal {
    let code = match problem {
        Problem::Unavailable(_) => Code::Unavailable,
        _ => Code::BadRequest,
    };
    Refusal {
        message: problem.to_string(),
        ..refusal(code, "")
    }
}

fn unavailable(problem: &Problem) -> Refusal {
    Refusal {
        message: problem.to_string(),
        ..refusal(Code::Unavailable, "")
    }
}

fn refusal(code: Code, message: &str) -> Refusal {
    Refusal {
        code,
        message: message.to_owned(),
        reference: reference(),
    }
}
