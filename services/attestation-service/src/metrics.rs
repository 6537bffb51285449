//! Numbers for whoever watches the service, in OpenMetrics.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::api::AttestationType;
use crate::collateral::CollateralSource;
use crate::error::ErrorCode;

/// Counted since the service started.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    attestations: Family<AttestationLabels, Counter>,
    work: Histogram,
    /// Open now.
    pub connections: Gauge,
    collateral: Family<CollateralLabels, Gauge>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
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
            requests: Family::default(),
            attestations: Family::default(),
            work: Histogram::new(BUCKETS),
            connections: Gauge::default(),
            collateral: Family::default(),
            registry: Registry::default(),
        };
        let requests = metrics.requests.clone();
        registry.register("requests", "Answered requests", requests);
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
        registry.register("connections", "Open connections", metrics.connections.clone());
        registry.register_with_unit(
            "collateral_valid_until",
            "When collateral expires, since 1970",
            Unit::Seconds,
            metrics.collateral.clone(),
        );
        Self { registry, ..metrics }
    }

    /// A request was answered.
    pub fn answered(&self, route: &str, status: u16) {
        let labels = RequestLabels {
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
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

    /// All numbers as text.
    pub fn text(&self, source: &dyn CollateralSource) -> String {
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
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
