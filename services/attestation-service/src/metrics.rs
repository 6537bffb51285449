//! Metrics of the service, for its operator.

use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use serving::{ServerMetrics, metrics_response};

use crate::api::AttestationType;
use crate::collateral::CollateralSource;
use crate::error::ErrorCode;

/// Counted since the service started.
pub(crate) struct Metrics {
    registry: Registry,
    /// Of connections and requests.
    pub server: ServerMetrics,
    attestations: Family<AttestationLabels, Counter>,
    work: Histogram,
    collateral: Family<CollateralLabels, Gauge>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AttestationLabels {
    r#type: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CollateralLabels {
    tee: String,
    fmspc: String,
    pck_ca: &'static str,
}

/// Seconds; a call takes about one millisecond.
const BUCKETS: [f64; 9] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0];

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("nacre_attestation");
        let metrics = Self {
            server: ServerMetrics::register(&mut registry),
            attestations: Family::default(),
            work: Histogram::new(BUCKETS),
            collateral: Family::default(),
            registry: Registry::default(),
        };
        let attestations = metrics.attestations.clone();
        registry.register(
            "attest_calls",
            "Attest calls by evidence and outcome: token, or the error's code",
            attestations,
        );
        registry.register_with_unit(
            "attest_work",
            "Time to verify evidence, ask the policy and sign a token",
            Unit::Seconds,
            metrics.work.clone(),
        );
        registry.register_with_unit(
            "collateral_valid_until",
            "When collateral expires, since 1970",
            Unit::Seconds,
            metrics.collateral.clone(),
        );
        Self { registry, ..metrics }
    }

    /// An attest call was answered.
    pub fn attested(&self, kind: &str, error: Option<ErrorCode>) {
        let labels = AttestationLabels {
            r#type: AttestationType::parse(kind).map_or("other", AttestationType::name),
            outcome: error.map_or("token", ErrorCode::name),
        };
        self.attestations.get_or_create(&labels).inc();
    }

    /// The service worked on an attest call.
    pub fn worked(&self, time: Duration) {
        self.work.observe(time.as_secs_f64());
    }

    /// All metrics, as an answer.
    pub fn response(&self, source: &dyn CollateralSource) -> Response<Body> {
        self.collateral.clear();
        for endorsements in source.all() {
            let checked = &endorsements.checked;
            let labels = CollateralLabels {
                tee: checked.tee().to_string(),
                fmspc: checked.fmspc().to_string(),
                pck_ca: checked.pck_ca().name(),
            };
            let until = i64::try_from(checked.validity().until.0).unwrap_or(i64::MAX);
            self.collateral.get_or_create(&labels).set(until);
        }
        metrics_response(&self.registry)
    }
}
