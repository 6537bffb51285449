//! Health and metrics, for the operator of the service.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use dcap_quote::Trust;
use serde_json::{Value, json};

use super::{App, respond};

/// 200 while some quotes can be verified, 503 otherwise.
pub(super) async fn health(State(app): State<Arc<App>>) -> Response<Body> {
    let now = (app.clock)();
    let all = app.service.source.all();
    let valid = all
        .iter()
        .filter(|endorsements| endorsements.is_valid_at(now))
        .count();
    let (status, word) = match (valid, all.len()) {
        (0, 0) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "no collateral: no quote can be verified",
        ),
        (0, _) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "no valid collateral: no quote can be verified",
        ),
        (valid, all) if valid < all => (StatusCode::OK, "degraded: some collateral is not valid"),
        _ => (StatusCode::OK, "ok"),
    };
    let collateral = all.iter().map(|endorsements| {
        let checked = &endorsements.checked;
        let first = checked.dates().first();
        json!({
            "tee": checked.tee(),
            "fmspc": checked.fmspc(),
            "pck_ca": checked.pck_ca(),
            "valid": endorsements.is_valid_at(now),
            "valid_from": checked.validity().from,
            "valid_until": checked.validity().until,
            "first_to_expire": first.map(|dated| dated.what),
            "tcb_evaluation_data_number": checked.evaluation_data_numbers().lower(),
        })
    });
    let mut document = json!({
        "status": word,
        "time": now,
        "trust": app.service.settings.trust,
        "issuer": app.service.settings.issuer,
        "collateral": collateral.collect::<Vec<Value>>(),
        "signing_keys": app.service.state().keys.len(),
    });
    if app.service.settings.trust == Trust::Simulated
        && let Some(members) = document.as_object_mut()
    {
        let warning = "tokens are about a simulated platform: they protect nothing";
        members.insert("warning".to_owned(), warning.into());
    }
    respond::document(status, &document)
}

/// In the text format of OpenMetrics.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response<Body> {
    app.metrics.response(app.service.source.as_ref())
}
