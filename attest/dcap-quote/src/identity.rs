//! The expected identity: which enclave or trust domain a quote must be of, and what it must say.

use std::fmt;

use serde::Serialize;

use crate::quote::Report;
use crate::report::{Bytes, TdReport};

/// Which enclaves are meant. There is no default: an authentic quote says that *some* enclave has made its report, and anybody
/// can run one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    accepted: Accepted,
    product_id: Option<u16>,
    min_svn: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Accepted {
    MrEnclave(Vec<[u8; 32]>),
    MrSigner([u8; 32]),
    Domain(Box<Domain>),
    Any,
}

/// Which trust domains are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// MRTD: one of these. It measures what measures the rest, so that nothing else says much without it.
    pub mr_td: Vec<[u8; 48]>,
    /// RTMR0 to RTMR3, where they matter.
    pub rt_mr: [Option<[u8; 48]>; 4],
    /// MRCONFIGID, if it matters.
    pub mr_config_id: Option<[u8; 48]>,
}

/// Why an authentic quote is not of the expected enclave or trust domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mismatch {
    /// Another enclave.
    #[error("its MRENCLAVE is {0}, which is not accepted; run the expected image, or accept this one")]
    MrEnclave(Bytes<32>),
    /// Another signer.
    #[error("its MRSIGNER is {0}, which is not accepted; use an image signed with the expected key")]
    MrSigner(Bytes<32>),
    /// Another product of the signer.
    #[error("its ISVPRODID is {found}, and {expected} is required; use the expected product")]
    ProductId {
        /// As required.
        expected: u16,
        /// In the report.
        found: u16,
    },
    /// An old version.
    #[error("its ISVSVN is {found}, and at least {least} is required; update it")]
    Svn {
        /// As required.
        least: u16,
        /// In the report.
        found: u16,
    },
    /// A trust domain.
    #[error("it is a TDX trust domain, and an SGX enclave is required")]
    NoEnclave,
    /// An enclave.
    #[error("it is an SGX enclave, and a TDX trust domain is required")]
    NoDomain,
    /// Another trust domain.
    #[error("its {register} is {found}, which is not accepted; run the expected domain, or accept this one")]
    Register {
        /// MRTD, RTMR0 to RTMR3, or MRCONFIGID.
        register: &'static str,
        /// In the report.
        found: Bytes<48>,
    },
}

impl Identity {
    /// The enclave with this measurement.
    #[must_use]
    pub fn mr_enclave(mr_enclave: [u8; 32]) -> Self {
        Self::new(Accepted::MrEnclave(vec![mr_enclave]))
    }

    /// One of the enclaves with these measurements.
    #[must_use]
    pub const fn any_mr_enclave_of(mr_enclaves: Vec<[u8; 32]>) -> Self {
        Self::new(Accepted::MrEnclave(mr_enclaves))
    }

    /// An enclave by this signer, of this product, from this security version on.
    #[must_use]
    pub const fn mr_signer(mr_signer: [u8; 32], product_id: u16, min_svn: u16) -> Self {
        let mut identity = Self::new(Accepted::MrSigner(mr_signer));
        identity.product_id = Some(product_id);
        identity.min_svn = Some(min_svn);
        identity
    }

    /// A trust domain.
    #[must_use]
    pub fn domain(domain: Domain) -> Self {
        Self::new(Accepted::Domain(Box::new(domain)))
    }

    /// Any enclave or trust domain: nothing is known of what runs in it. For those who look at the report themselves.
    #[must_use]
    pub const fn dangerous_any() -> Self {
        Self::new(Accepted::Any)
    }

    const fn new(accepted: Accepted) -> Self {
        Self {
            accepted,
            product_id: None,
            min_svn: None,
        }
    }

    /// Checks a report that was verified.
    ///
    /// # Errors
    /// With the first thing that differs.
    pub fn check(&self, report: &Report) -> Result<(), Mismatch> {
        let report = match (report, &self.accepted) {
            (_, Accepted::Any) => return Ok(()),
            (Report::Td(report), Accepted::Domain(domain)) => return domain.check(report),
            (Report::Sgx(_), Accepted::Domain(_)) => return Err(Mismatch::NoDomain),
            (Report::Td(_), _) => return Err(Mismatch::NoEnclave),
            (Report::Sgx(report), _) => report,
        };
        match &self.accepted {
            Accepted::MrEnclave(accepted) if !accepted.contains(&report.mr_enclave.0) => {
                return Err(Mismatch::MrEnclave(report.mr_enclave));
            }
            Accepted::MrSigner(accepted) if *accepted != report.mr_signer.0 => {
                return Err(Mismatch::MrSigner(report.mr_signer));
            }
            _ => {}
        }
        if let Some(expected) = self.product_id.filter(|expected| *expected != report.isv_prod_id) {
            return Err(Mismatch::ProductId {
                expected,
                found: report.isv_prod_id,
            });
        }
        if let Some(least) = self.min_svn.filter(|least| *least > report.isv_svn) {
            return Err(Mismatch::Svn {
                least,
                found: report.isv_svn,
            });
        }
        Ok(())
    }
}

impl Domain {
    fn check(&self, report: &TdReport) -> Result<(), Mismatch> {
        if !self.mr_td.contains(&report.mr_td.0) {
            return Err(Mismatch::Register {
                register: "MRTD",
                found: report.mr_td,
            });
        }
        let [first, second, third, fourth] = report.rt_mr;
        let [one, two, three, four] = self.rt_mr;
        for (register, found, expected) in [
            ("RTMR0", first, one),
            ("RTMR1", second, two),
            ("RTMR2", third, three),
            ("RTMR3", fourth, four),
            ("MRCONFIGID", report.mr_config_id, self.mr_config_id),
        ] {
            if expected.is_some_and(|expected| expected != found.0) {
                return Err(Mismatch::Register { register, found });
            }
        }
        Ok(())
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.accepted {
            Accepted::MrEnclave(accepted) => {
                f.write_str("MRENCLAVE")?;
                accepted.iter().try_for_each(|one| write!(f, " {}", Bytes(*one)))
            }
            Accepted::MrSigner(signer) => write!(f, "MRSIGNER {}", Bytes(*signer)),
            Accepted::Domain(domain) => {
                f.write_str("MRTD")?;
                domain
                    .mr_td
                    .iter()
                    .try_for_each(|one| write!(f, " {}", Bytes(*one)))
            }
            Accepted::Any => f.write_str("anybody"),
        }
    }
}
