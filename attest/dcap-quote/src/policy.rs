//! The policy of a relying party: which authentic quotes are acceptable.

use serde::Serialize;

use crate::identity::{Identity, Mismatch};
use crate::quote::Report;
use crate::tcb::TcbStatus;
use crate::verdict::Verdict;

/// What is accepted beyond the best, and of whom. The default accepts nothing: only [`TcbStatus::UpToDate`], and no debugging;
/// but whose quote it is, it does not ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    accepted: Vec<TcbStatus>,
    allows_debug: bool,
    identity: Option<Identity>,
}

/// Why an authentic quote is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Objection {
    /// The status is not among those that are accepted.
    #[error("the TCB status is {0}")]
    Status(TcbStatus),
    /// The host can read and change it with a debugger.
    #[error("it is open to debugging by its host")]
    Debug,
    /// The host can profile it.
    #[error("it is open to profiling by its host")]
    Profiling,
    /// Attributes that must be zero are not.
    #[error("reserved bits of its attributes are set")]
    ReservedAttributes,
    /// A service domain, which this verifier does not judge, may move it.
    #[error("it may be migrated by a service domain that was not verified")]
    Migratable,
    /// A service domain, which this verifier does not judge, is bound to it.
    #[error("a service domain that was not verified is bound to it")]
    ServiceDomain,
    /// The host could make accesses to missing pages into exceptions.
    #[error("SEPT_VE_DISABLE is not set, so that its host can inject exceptions")]
    SeptVe,
    /// Another enclave or trust domain than the expected one.
    #[error("it is not the expected one: {0}")]
    Identity(Mismatch),
}

impl Policy {
    /// Accepts this status too. [`TcbStatus::Revoked`] and [`TcbStatus::NotSupported`] are never accepted.
    #[must_use]
    pub fn accept(mut self, status: TcbStatus) -> Self {
        self.accepted.push(status);
        self
    }

    /// Accepts enclaves and domains that their host can look into. For development only.
    #[must_use]
    pub const fn dangerous_accept_debug(mut self) -> Self {
        self.allows_debug = true;
        self
    }

    /// Accepts these enclaves only.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Everything that speaks against accepting; nothing when the verdict is acceptable.
    #[must_use]
    pub fn objections(&self, verdict: &Verdict) -> Vec<Objection> {
        let mut objections = Vec::new();
        let mut object_if = |condition, objection| {
            if condition {
                objections.push(objection);
            }
        };
        object_if(!self.accepts(verdict.status), Objection::Status(verdict.status));
        match &verdict.report {
            Report::Sgx(report) => object_if(report.is_debug() && !self.allows_debug, Objection::Debug),
            Report::Td(report) => {
                let attributes = report.td_attributes;
                let service_td = report
                    .v1_5
                    .as_ref()
                    .is_some_and(|report| report.mr_service_td.0 != [0; 48]);
                object_if(attributes.is_debug() && !self.allows_debug, Objection::Debug);
                object_if(
                    attributes.is_profiled() && !self.allows_debug,
                    Objection::Profiling,
                );
                object_if(attributes.has_reserved_bits(), Objection::ReservedAttributes);
                object_if(attributes.is_migratable(), Objection::Migratable);
                object_if(
                    service_td || attributes.has_service_td_extension(),
                    Objection::ServiceDomain,
                );
                object_if(!attributes.is_sept_ve_disabled(), Objection::SeptVe);
            }
        }
        let identity = self.identity.as_ref();
        if let Some(Err(mismatch)) = identity.map(|identity| identity.check(&verdict.report)) {
            objections.push(Objection::Identity(mismatch));
        }
        objections
    }

    fn accepts(&self, status: TcbStatus) -> bool {
        match status {
            TcbStatus::UpToDate => true,
            TcbStatus::Revoked | TcbStatus::NotSupported => false,
            other => self.accepted.contains(&other),
        }
    }
}
