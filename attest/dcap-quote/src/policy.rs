//! The policy of a relying party: which authentic quotes are acceptable.

use serde::Serialize;

use crate::identity::{Identity, Mismatch};
use crate::pck::SgxType;
use crate::platform_policy::PlatformPolicy;
use crate::quote::Report;
use crate::report::Bytes;
use crate::tcb::TcbStatus;
use crate::verdict::Verdict;

/// What is accepted beyond the best, and of whom. The default accepts nothing: only [`TcbStatus::UpToDate`], and no debugging;
/// but whose quote it is, it does not ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    accepted: Vec<TcbStatus>,
    platform: PlatformPolicy,
    allows_debug: bool,
    allows_injection: bool,
    service_td: Option<[u8; 48]>,
    identity: Option<Identity>,
    report_data: Option<Vec<u8>>,
    nonce: Option<Vec<u8>>,
}

/// Why an authentic quote is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
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
    /// A weakness that is not accepted.
    #[error("the advisory {0} is not accepted")]
    Advisory(String),
    /// The collateral takes too few recoveries into account.
    #[error("the evaluation data number is {found}, and at least {least} is required")]
    EvaluationDataNumber {
        /// As required.
        least: u32,
        /// Of the collateral.
        found: u32,
    },
    /// How the platform is set up, or it does not say.
    #[error("the platform's PCK certificate does not rule out {0}, which is not accepted")]
    Configuration(&'static str),
    /// How the platform protects memory.
    #[error("the platform's SGX type is {}, which is not accepted", .0.name())]
    SgxType(SgxType),
    /// A platform of somebody else, by its PPID.
    #[error("the platform with the PPID {0} is not among those that are accepted")]
    Platform(Bytes<16>),
    /// It says something else than it should.
    #[error("its report data is {0}, which is not what is required")]
    ReportData(Bytes<64>),
    /// It was made at another time, or for somebody else.
    #[error("its report data is {0}, which does not begin with the nonce")]
    Nonce(Bytes<64>),
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

    /// Accepts domains whose host can inject exceptions into them (a missing SEPT_VE_DISABLE). Their software must have been
    /// hardened against that.
    #[must_use]
    pub const fn dangerous_accept_missing_sept_ve_disable(mut self) -> Self {
        self.allows_injection = true;
        self
    }

    /// Accepts domains to which service domains with this measurement (MRSERVICETD) are bound, which may move the domain to
    /// another machine. What these may do is not verified.
    #[must_use]
    pub const fn dangerous_accept_service_td(mut self, measurement: [u8; 48]) -> Self {
        self.service_td = Some(measurement);
        self
    }

    /// Asks for more of the platform, and accepts more statuses.
    #[must_use]
    pub fn platform(mut self, platform: PlatformPolicy) -> Self {
        self.platform = platform;
        self
    }

    /// Accepts reports with this report data only. What is shorter than 64 bytes is followed by zeroes.
    #[must_use]
    pub fn report_data(mut self, report_data: impl Into<Vec<u8>>) -> Self {
        self.report_data = Some(report_data.into());
        self
    }

    /// Accepts reports only whose report data begins with this nonce.
    #[must_use]
    pub fn nonce(mut self, nonce: impl Into<Vec<u8>>) -> Self {
        self.nonce = Some(nonce.into());
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
        object_if(!self.accepts(verdict), Objection::Status(verdict.status));
        match &verdict.report {
            Report::Sgx(report) => object_if(report.is_debug() && !self.allows_debug, Objection::Debug),
            Report::Td(report) => {
                let attributes = report.td_attributes;
                let is_named = self
                    .service_td
                    .is_some_and(|measurement| report.has_only_service_td(&measurement));
                object_if(attributes.is_debug() && !self.allows_debug, Objection::Debug);
                object_if(
                    attributes.is_profiled() && !self.allows_debug,
                    Objection::Profiling,
                );
                object_if(attributes.has_reserved_bits(), Objection::ReservedAttributes);
                object_if(attributes.is_migratable() && !is_named, Objection::Migratable);
                object_if(report.has_service_td() && !is_named, Objection::ServiceDomain);
                object_if(
                    !attributes.is_sept_ve_disabled() && !self.allows_injection,
                    Objection::SeptVe,
                );
            }
        }
        objections.extend(self.platform.objections(verdict));
        let report_data = verdict.report.report_data();
        if self
            .report_data
            .as_ref()
            .is_some_and(|expected| !is_padded(report_data, expected))
        {
            objections.push(Objection::ReportData(Bytes(*report_data)));
        }
        if self
            .nonce
            .as_ref()
            .is_some_and(|nonce| !report_data.starts_with(nonce))
        {
            objections.push(Objection::Nonce(Bytes(*report_data)));
        }
        let identity = self.identity.as_ref();
        if let Some(Err(mismatch)) = identity.map(|identity| identity.check(&verdict.report)) {
            objections.push(Objection::Identity(mismatch));
        }
        objections
    }

    fn accepts(&self, verdict: &Verdict) -> bool {
        match verdict.status {
            TcbStatus::UpToDate => true,
            TcbStatus::Revoked | TcbStatus::NotSupported => false,
            other => self.accepted.contains(&other) || self.platform.accepts(verdict),
        }
    }
}

/// Whether these are the expected bytes, and then zeroes.
fn is_padded(report_data: &[u8; 64], expected: &[u8]) -> bool {
    let rest = report_data.strip_prefix(expected);
    rest.is_some_and(|rest| rest.iter().all(|byte| *byte == 0))
}
