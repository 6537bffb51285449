//! TCB info: what Intel says of the security versions of one kind of platform.
//!
//! Source: Intel's *PCS API documentation, v4*, "Get TCB info"; the order of levels as in Intel's library, which sorts
//! them itself.

use serde::Deserialize;

use crate::document::{self, Dates, DocumentError, IsvLevelMembers, IsvLevels, RatingMembers, recovery};
use crate::forecast::{Concerned, Forecast};
use crate::qe_identity::Masked;
use crate::quote::Tee;
use crate::report::{Bytes, TdReport};
use crate::tcb::{Component, Rating, Shortfall, TcbStatus};
use crate::time::{UnixTime, Validity};
use crate::verdict::{Gap, LevelTcb, ModuleTcb};

/// The verified and understood document.
#[derive(Debug)]
pub(crate) struct TcbInfo {
    pub validity: Validity,
    pub fmspc: Bytes<6>,
    pub pce_id: Bytes<2>,
    pub evaluation_data_number: u32,
    /// The highest first.
    levels: Vec<TcbLevel>,
    /// None for SGX.
    tdx: Option<TdxModules>,
}

#[derive(Debug)]
struct TcbLevel {
    sgx: [SvnMembers; 16],
    pce_svn: u16,
    /// None for SGX.
    tdx: Option<[SvnMembers; 16]>,
    rating: Rating,
}

/// What a level is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Versions<'a> {
    /// Of the components of CPUSVN.
    pub svns: &'a [u8; 16],
    /// Of the provisioning certification enclave.
    pub pce_svn: u16,
    /// Of a trust domain; none for an enclave.
    pub tee_tcb_svn: Option<&'a [u8; 16]>,
}

/// Which TDX modules are Intel's.
#[derive(Debug)]
struct TdxModules {
    /// For modules whose version is 0.
    base: ModuleIdentity,
    /// By version, with what their security versions are worth.
    by_version: Vec<(String, ModuleIdentity, IsvLevels)>,
}

#[derive(Debug)]
struct ModuleIdentity {
    mr_signer: Bytes<48>,
    attributes: Masked<8>,
}

/// What all versions have.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    id: String,
    version: u32,
    #[serde(flatten)]
    dates: Dates,
    fmspc: Bytes<6>,
    pce_id: Bytes<2>,
    tcb_type: u32,
    tcb_evaluation_data_number: u32,
    tdx_module: Option<ModuleMembers>,
    #[serde(default)]
    tdx_module_identities: Vec<IdentityMembers>,
    tcb_levels: Vec<LevelMembers>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModuleMembers {
    mrsigner: Bytes<48>,
    attributes: Bytes<8>,
    attributes_mask: Bytes<8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdentityMembers {
    id: String,
    #[serde(flatten)]
    module: ModuleMembers,
    tcb_levels: Vec<IsvLevelMembers>,
}

#[derive(Deserialize)]
struct LevelMembers {
    tcb: TcbMembers,
    #[serde(flatten)]
    rating: RatingMembers,
}

#[derive(Deserialize)]
struct TcbMembers {
    sgxtcbcomponents: [SvnMembers; 16],
    pcesvn: u16,
    tdxtcbcomponents: Option<[SvnMembers; 16]>,
}

#[derive(Clone, Debug, Deserialize)]
struct SvnMembers {
    svn: u8,
    category: Option<String>,
    r#type: Option<String>,
}

/// Statuses that Intel's library knows in this document.
const STATUSES: [TcbStatus; 7] = [
    TcbStatus::UpToDate,
    TcbStatus::SwHardeningNeeded,
    TcbStatus::ConfigurationNeeded,
    TcbStatus::ConfigurationAndSwHardeningNeeded,
    TcbStatus::OutOfDate,
    TcbStatus::OutOfDateConfigurationNeeded,
    TcbStatus::Revoked,
];
const MODULE_STATUSES: [TcbStatus; 3] = [TcbStatus::UpToDate, TcbStatus::OutOfDate, TcbStatus::Revoked];

impl TcbInfo {
    /// Reads the document, whose signature was verified.
    pub(crate) fn parse(json: &str) -> Result<Self, DocumentError> {
        let Version { version } = document::parse(json)?;
        if version == 2 {
            let what = "it is TCB info of version 2, from version 3 of Intel's service, which has ended; fetch that of version 4";
            return Err(DocumentError(what.to_owned()));
        }
        let members: Members = document::parse(json)?;
        let is_tdx = match (members.id.as_str(), members.version, members.tcb_type) {
            ("SGX", 3, 0) => false,
            ("TDX", 3, 0) => true,
            (id, version, tcb_type) => {
                let what = format!("{id:?} of version {version} and type {tcb_type} is no known TCB info");
                return Err(DocumentError(what));
            }
        };
        let levels = members
            .tcb_levels
            .into_iter()
            .map(|level| TcbLevel::new(level, is_tdx));
        let mut levels: Vec<_> = levels.collect::<Result<_, _>>()?;
        levels.sort_by_key(|level| std::cmp::Reverse(level.key()));
        let tdx = match (is_tdx, members.tdx_module) {
            (true, Some(base)) => Some(TdxModules::new(base, members.tdx_module_identities)?),
            (true, None) => return Err(DocumentError("tdxModule is missing".to_owned())),
            (false, _) => None,
        };
        Ok(Self {
            validity: members.dates.validity(),
            fmspc: members.fmspc,
            pce_id: members.pce_id,
            evaluation_data_number: members.tcb_evaluation_data_number,
            levels,
            tdx,
        })
    }

    pub(crate) const fn tee(&self) -> Tee {
        if self.tdx.is_some() { Tee::Tdx } else { Tee::Sgx }
    }

    /// The highest level that these versions reach, and what they lack of the highest of all.
    pub(crate) fn rate(&self, versions: Versions<'_>) -> LevelTcb {
        let reached = self
            .levels
            .iter()
            .position(|level| level.shortfalls(versions).next().is_none());
        let gap = self
            .levels
            .first()
            .filter(|_| reached != Some(0))
            .map(|best| Gap {
                status: best.rating.status,
                date: best.rating.date,
                recovery: recovery(
                    reached
                        .and_then(|index| self.levels.get(index))
                        .map(|level| &level.rating),
                    self.levels.iter().map(|level| level.rating.date),
                    best.rating.date,
                ),
                shortfalls: best.shortfalls(versions).collect(),
            });
        let level = reached.and_then(|index| self.levels.get(index));
        LevelTcb {
            level: level.map(|level| level.rating.clone()),
            gap,
        }
    }

    /// Date of the newest level.
    pub(crate) fn newest_level(&self) -> UnixTime {
        let dates = self.levels.iter().map(|level| level.rating.date);
        dates.max().unwrap_or(self.validity.from)
    }

    /// What becomes of platforms that are exactly at one of these levels once `next` applies.
    pub(crate) fn forecast(&self, next: &Self) -> Vec<Forecast> {
        let mut forecasts = Vec::new();
        for level in &self.levels {
            let (svns, pce_svn, tee_tcb_svn) = level.key();
            let later = next.rate(Versions {
                svns: &svns,
                pce_svn,
                tee_tcb_svn: tee_tcb_svn.as_ref(),
            });
            let dates = next.levels.iter().map(|level| level.rating.date);
            let forecast = Forecast::new(
                Concerned::Platform,
                &level.rating,
                later.level.as_ref(),
                later.gap,
                dates,
            );
            forecasts.extend(forecast);
        }
        let modules = self.tdx.iter().flat_map(|modules| &modules.by_version);
        for (id, _, levels) in modules {
            let next = next.tdx.iter().flat_map(|modules| &modules.by_version);
            // A module that is not in the next document is refused, which no level says.
            if let Some((_, _, next)) = next.into_iter().find(|(next, ..)| next.eq_ignore_ascii_case(id)) {
                forecasts.extend(levels.forecast(next, &Concerned::TdxModule(id.clone())));
            }
        }
        forecasts
    }

    /// Checks that the domain runs on a TDX module of Intel's.
    pub(crate) fn check_module(&self, report: &TdReport) -> Result<(), ModuleMismatch> {
        let modules = self.tdx.as_ref().ok_or(ModuleMismatch::Unknown)?;
        let identity = match modules.find(&report.tee_tcb_svn.0)? {
            Some((_, identity, _)) => identity,
            None => &modules.base,
        };
        if report.mr_signer_seam != identity.mr_signer {
            return Err(ModuleMismatch::Field("MRSIGNERSEAM"));
        }
        let attributes = &report.seam_attributes.0;
        let outside = attributes
            .iter()
            .zip(&identity.attributes.mask.0)
            .any(|(found, mask)| found & !mask != 0);
        if outside || !identity.attributes.matches(attributes) {
            return Err(ModuleMismatch::Field("SEAMATTRIBUTES"));
        }
        Ok(())
    }

    /// What the TDX module's version is worth; none for modules whose version is 0, which the levels themselves cover.
    pub(crate) fn rate_module(&self, tee_tcb_svn: &[u8; 16]) -> Result<Option<ModuleTcb>, ModuleMismatch> {
        let modules = self.tdx.as_ref().ok_or(ModuleMismatch::Unknown)?;
        let [isv_svn, ..] = *tee_tcb_svn;
        let found = modules.find(tee_tcb_svn)?;
        Ok(found.map(|(id, _, levels)| ModuleTcb {
            id: id.clone(),
            tcb: levels.rate(Component::TdxModule, isv_svn.into()),
        }))
    }
}

impl TcbLevel {
    fn new(members: LevelMembers, is_tdx: bool) -> Result<Self, DocumentError> {
        let tdx = members.tcb.tdxtcbcomponents.filter(|_| is_tdx);
        if is_tdx && tdx.is_none() {
            return Err(DocumentError("a level lacks tdxtcbcomponents".to_owned()));
        }
        Ok(Self {
            sgx: members.tcb.sgxtcbcomponents,
            pce_svn: members.tcb.pcesvn,
            tdx,
            rating: members.rating.rating(&STATUSES)?,
        })
    }

    /// The versions, by which levels are ordered.
    fn key(&self) -> ([u8; 16], u16, Option<[u8; 16]>) {
        let svns = |members: &[SvnMembers; 16]| members.each_ref().map(|member| member.svn);
        (svns(&self.sgx), self.pce_svn, self.tdx.as_ref().map(svns))
    }

    /// The versions that are below this level.
    fn shortfalls(&self, versions: Versions<'_>) -> impl Iterator<Item = Shortfall> {
        let Versions {
            svns,
            pce_svn,
            tee_tcb_svn,
        } = versions;
        let sgx = (1..).zip(self.sgx.iter().zip(svns));
        let sgx = sgx.filter_map(|(number, (need, have))| need.shortfall(Component::Sgx(number), *have));
        let pce = (pce_svn < self.pce_svn).then_some(Shortfall {
            component: Component::Pce,
            description: None,
            have: pce_svn,
            need: self.pce_svn,
        });
        // Of a module with a version, the first two components are the identity's to judge.
        let skipped = if matches!(tee_tcb_svn, Some([_, version, ..]) if *version > 0) {
            2
        } else {
            0
        };
        let tdx = self.tdx.iter().flatten().zip(tee_tcb_svn.into_iter().flatten());
        let tdx = (1..).zip(tdx).skip(skipped);
        let tdx = tdx.filter_map(|(number, (need, have))| need.shortfall(Component::Tdx(number), *have));
        sgx.chain(pce).chain(tdx)
    }
}

impl SvnMembers {
    fn shortfall(&self, component: Component, have: u8) -> Option<Shortfall> {
        (have < self.svn).then(|| {
            let description = match (&self.category, &self.r#type) {
                (Some(category), Some(kind)) => Some(format!("{category}: {kind}")),
                (one, other) => one.clone().or_else(|| other.clone()),
            };
            Shortfall {
                component,
                description,
                have: have.into(),
                need: self.svn.into(),
            }
        })
    }
}

impl TdxModules {
    fn new(base: ModuleMembers, identities: Vec<IdentityMembers>) -> Result<Self, DocumentError> {
        let by_version = identities.into_iter().map(|identity| {
            let levels = IsvLevels::new(identity.tcb_levels, &MODULE_STATUSES)?;
            Ok((identity.id, ModuleIdentity::new(identity.module), levels))
        });
        Ok(Self {
            base: ModuleIdentity::new(base),
            by_version: by_version.collect::<Result<_, DocumentError>>()?,
        })
    }

    /// The identity for the module version in the second byte; none is needed for version 0.
    fn find(
        &self,
        tee_tcb_svn: &[u8; 16],
    ) -> Result<Option<&(String, ModuleIdentity, IsvLevels)>, ModuleMismatch> {
        let [_, version, ..] = *tee_tcb_svn;
        if version == 0 {
            return Ok(None);
        }
        let id = format!("TDX_{version:02X}");
        let identity = self
            .by_version
            .iter()
            .find(|(found, ..)| found.eq_ignore_ascii_case(&id));
        identity.map(Some).ok_or(ModuleMismatch::Version(version))
    }
}

impl ModuleIdentity {
    fn new(members: ModuleMembers) -> Self {
        Self {
            mr_signer: members.mrsigner,
            attributes: Masked {
                value: members.attributes,
                mask: members.attributes_mask,
            },
        }
    }
}

/// In what a TDX module is not one of the TCB info.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleMismatch {
    /// A field of the report.
    #[error("its {0} is not that of the TCB info")]
    Field(&'static str),
    /// No identity for this version.
    #[error("the TCB info knows no module of version {0}")]
    Version(u8),
    /// The TCB info is for SGX.
    #[error("the TCB info knows no modules")]
    Unknown,
}
