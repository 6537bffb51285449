//! The verdict: everything that verification found.

use serde::Serialize;

use crate::pck::Platform;
use crate::quote::{Report, Tee};
use crate::root::Trust;
use crate::tcb::{Rating, Shortfall, TcbStatus};
use crate::time::{UnixTime, Validity};

/// The quote is authentic: signatures, certificates, revocation lists and dates are as they must be. Whether that is
/// good enough is another question: see [`Policy`](crate::Policy).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Who vouches for it in the end.
    pub trust: Trust,
    /// For what time it was verified.
    pub at: UnixTime,
    /// Version of the quote's format.
    pub quote_version: u16,
    /// What kind of environment was attested.
    pub tee: Tee,
    /// Of platform, quoting enclave and, for a trust domain, TDX module together.
    pub status: TcbStatus,
    /// Known weaknesses of the platform and the quoting enclave at their levels, sorted.
    pub advisories: Vec<String>,
    /// What is attested.
    pub report: Report,
    /// The platform by its PCK certificate.
    pub platform: Platform,
    /// What the platform's versions are worth; for a trust domain, those at its launch.
    pub platform_tcb: PlatformTcb,
    /// Only of TDX 1.5: as `platform_tcb`, but with the versions of now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_tcb: Option<PlatformTcb>,
    /// What the quoting enclave's version is worth.
    pub quoting_enclave: PartTcb,
    /// Numbers of the TCB recoveries that TCB info and QE identity take into account.
    pub evaluation_data_numbers: EvaluationDataNumbers,
    /// Everything that was relied upon and has a date, the first to expire first.
    pub validity: Vec<Dated>,
}

/// See [`Verdict::evaluation_data_numbers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EvaluationDataNumbers {
    /// Of the TCB info.
    pub tcb_info: u32,
    /// Of the QE identity.
    pub qe_identity: u32,
}

impl EvaluationDataNumbers {
    /// The number that a baseline is compared with: what is older of the two knows nothing of later recoveries.
    ///
    /// Source: `tcb_eval_ref_num` in Intel's `sgx_qve_header.h`.
    #[must_use]
    pub const fn lower(self) -> u32 {
        if self.tcb_info < self.qe_identity {
            self.tcb_info
        } else {
            self.qe_identity
        }
    }
}

/// What a platform's versions are worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlatformTcb {
    /// Of both below together.
    pub status: TcbStatus,
    /// By the levels of the TCB info.
    #[serde(flatten)]
    pub tcb: LevelTcb,
    /// By the module's own levels, where they apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tdx_module: Option<ModuleTcb>,
}

/// The level that is reached, and what is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LevelTcb {
    /// None when it is below all levels.
    pub level: Option<Rating>,
    /// What separates it from the highest level; none when that is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
}

/// What a TDX module's version is worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModuleTcb {
    /// Intel's name of the module's generation, `TDX_01`.
    pub id: String,
    /// Its rating.
    #[serde(flatten)]
    pub tcb: PartTcb,
}

/// What an enclave's or a module's one version is worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartTcb {
    /// Its version.
    pub isv_svn: u16,
    /// None when it is below all levels.
    pub level: Option<Rating>,
    /// What separates it from the highest level; none when that is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
}

/// The highest level, and what is short of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Status of the highest level.
    pub status: TcbStatus,
    /// Date of the highest level.
    pub date: UnixTime,
    /// Date of the lowest level that is higher than the one that is reached: of the recovery that it falls behind.
    pub recovery: UnixTime,
    /// Every version that is below it.
    pub shortfalls: Vec<Shortfall>,
}

impl PartTcb {
    pub(crate) fn status(&self) -> TcbStatus {
        status(self.level.as_ref())
    }
}

impl LevelTcb {
    pub(crate) fn status(&self) -> TcbStatus {
        status(self.level.as_ref())
    }
}

fn status(level: Option<&Rating>) -> TcbStatus {
    level.map_or(TcbStatus::NotSupported, |rating| rating.status)
}

/// Something that was relied upon, and when it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Dated {
    /// What it is.
    pub what: Item,
    /// When it may be relied upon.
    #[serde(flatten)]
    pub validity: Validity,
}

impl Dated {
    pub(crate) const fn new(what: Item, validity: Validity) -> Self {
        Self { what, validity }
    }
}

/// A piece of evidence or collateral with dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Item {
    /// Certificate of the root.
    RootCertificate,
    /// Revocation list of the root.
    RootRevocationList,
    /// Certificate of the authority that certifies PCKs.
    PckAuthorityCertificate,
    /// Revocation list of that authority.
    PckRevocationList,
    /// The platform's PCK certificate, in the quote.
    PckCertificate,
    /// Certificate of the signer of the TCB info.
    TcbInfoSignerCertificate,
    /// TCB info.
    TcbInfo,
    /// Certificate of the signer of the QE identity.
    QeIdentitySignerCertificate,
    /// QE identity.
    QeIdentity,
}

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RootCertificate => "root certificate",
            Self::RootRevocationList => "root's revocation list",
            Self::PckAuthorityCertificate => "PCK authority's certificate",
            Self::PckRevocationList => "PCK revocation list",
            Self::PckCertificate => "PCK certificate",
            Self::TcbInfoSignerCertificate => "certificate of the TCB info's signer",
            Self::TcbInfo => "TCB info",
            Self::QeIdentitySignerCertificate => "certificate of the QE identity's signer",
            Self::QeIdentity => "QE identity",
        })
    }
}
