//! Lacks: every version that is too low, and what raises it.
//!
//! What raises a version depends on who states it. The PCK certificate states the versions of the SGX components and of the
//! PCE, as they were when it was issued. The report of a trust domain states those of the TDX module, at the domain's launch
//! and, from TDX 1.5 on, as they are now. The quoting enclave states its own.

use std::fmt;

use crate::tcb::{Component, Shortfall, TcbStatus};
use crate::time::UnixTime;
use crate::verdict::{Gap, PlatformTcb, Verdict};

/// A version that is below that of the highest level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack<'a> {
    /// The component with both versions.
    pub shortfall: &'a Shortfall,
    /// Status of the level that asks for more.
    pub status: TcbStatus,
    /// Date of that level.
    pub date: UnixTime,
    /// What raises the version.
    pub remedy: Remedy,
}

/// What raises a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// An update of the platform, and then a new PCK certificate that states it.
    Provision,
    /// An update of the TDX module, and then a new launch of the domain.
    UpdateModule,
    /// A new launch of the domain: the platform has the version now.
    Relaunch,
    /// An update of the package with the quoting enclave.
    UpdatePackage,
}

impl Verdict {
    /// Every version that is below that of a highest level: of the platform first, then of the quoting enclave.
    #[must_use]
    pub fn lacks(&self) -> Vec<Lack<'_>> {
        let now = self.current_tcb.as_ref();
        let at_launch = gaps(&self.platform_tcb).flat_map(|gap| lacks(gap, now));
        let mut all: Vec<Lack<'_>> = at_launch.collect();
        for lack in now.into_iter().flat_map(gaps).flat_map(|gap| lacks(gap, now)) {
            let is_same = |other: &Lack<'_>| other.shortfall.component == lack.shortfall.component;
            if !all.iter().any(is_same) {
                all.push(lack);
            }
        }
        all.extend(self.quoting_enclave.gap.iter().flat_map(|gap| lacks(gap, now)));
        all
    }

    /// The date of the first recovery that the platform, its quoting enclave or its TDX module falls behind; none when no
    /// version is short.
    #[must_use]
    pub fn falls_behind_since(&self) -> Option<UnixTime> {
        let now = self.current_tcb.iter().flat_map(gaps);
        let all = gaps(&self.platform_tcb)
            .chain(now)
            .chain(&self.quoting_enclave.gap);
        all.map(|gap| gap.recovery).min()
    }

    /// Whether Intel has ended the servicing of the platform, so that no update will come: INTEL-DOC-10000 and 10001 in place
    /// of the number of an advisory.
    #[must_use]
    pub fn is_end_of_servicing(&self) -> bool {
        self.advisories.iter().any(|advisory| ends_servicing(advisory))
    }
}

/// Whether this is not the number of an advisory, but says that Intel has ended servicing.
#[must_use]
pub fn ends_servicing(advisory: &str) -> bool {
    advisory.starts_with("INTEL-DOC-1000")
}

fn gaps(tcb: &PlatformTcb) -> impl Iterator<Item = &Gap> {
    let module = tcb.tdx_module.as_ref();
    let module = module.and_then(|module| module.tcb.gap.as_ref());
    tcb.tcb.gap.iter().chain(module)
}

fn lacks<'a>(gap: &'a Gap, now: Option<&'a PlatformTcb>) -> impl Iterator<Item = Lack<'a>> {
    let lack = move |shortfall: &'a Shortfall| Lack {
        shortfall,
        status: gap.status,
        date: gap.date,
        remedy: Remedy::of(shortfall.component, now),
    };
    gap.shortfalls.iter().map(lack)
}

impl Remedy {
    fn of(component: Component, now: Option<&PlatformTcb>) -> Self {
        match component {
            Component::Sgx(_) | Component::Pce => Self::Provision,
            Component::QuotingEnclave => Self::UpdatePackage,
            Component::Tdx(_) | Component::TdxModule => {
                let is_short = |tcb: &PlatformTcb| {
                    let mut short = gaps(tcb).flat_map(|gap| &gap.shortfalls);
                    short.any(|short| short.component == component)
                };
                match now {
                    Some(now) if !is_short(now) => Self::Relaunch,
                    _ => Self::UpdateModule,
                }
            }
        }
    }
}

impl fmt::Display for Lack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shortfall {
            component,
            description,
            have,
            need,
        } = self.shortfall;
        component.fmt(f)?;
        if let Some(description) = description {
            write!(f, " ({description})")?;
        }
        match self.remedy {
            Remedy::Relaunch => write!(
                f,
                " had security version {have} when the domain was launched; {need} is needed, and the platform has it now"
            ),
            Remedy::Provision | Remedy::UpdateModule | Remedy::UpdatePackage => {
                write!(f, " has security version {have} and needs {need}")
            }
        }
    }
}
