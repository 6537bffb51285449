//! QE identity: which quoting enclaves are Intel's, and what their versions are worth.
//!
//! Source: Intel's *PCS API documentation, v4*, "Get SGX QE identity" and "Get TDX QE identity".

use serde::Deserialize;

use crate::document::{self, Dates, DocumentError, IsvLevelMembers, IsvLevels};
use crate::forecast::{Concerned, Forecast};
use crate::quote::Tee;
use crate::report::{Bytes, SgxReport};
use crate::tcb::{Component, TcbStatus};
use crate::time::Validity;
use crate::verdict::PartTcb;

/// The verified and understood document.
#[derive(Debug)]
pub(crate) struct QeIdentity {
    pub tee: Tee,
    pub validity: Validity,
    pub evaluation_data_number: u32,
    misc_select: Masked<4>,
    attributes: Masked<16>,
    mr_signer: Bytes<32>,
    isv_prod_id: u16,
    levels: IsvLevels,
}

/// A value of which only the bits of a mask matter.
#[derive(Debug, Deserialize)]
pub(crate) struct Masked<const N: usize> {
    pub value: Bytes<N>,
    pub mask: Bytes<N>,
}

impl<const N: usize> Masked<N> {
    pub(crate) fn matches(&self, found: &[u8; N]) -> bool {
        let wanted = self.value.0.iter().zip(&self.mask.0).zip(found);
        wanted
            .into_iter()
            .all(|((value, mask), found)| value & mask == found & mask)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    id: String,
    version: u32,
    #[serde(flatten)]
    dates: Dates,
    tcb_evaluation_data_number: u32,
    miscselect: Bytes<4>,
    miscselect_mask: Bytes<4>,
    attributes: Bytes<16>,
    attributes_mask: Bytes<16>,
    mrsigner: Bytes<32>,
    isvprodid: u16,
    tcb_levels: Vec<IsvLevelMembers>,
}

/// Statuses that Intel's library takes in this document since 2025; it refuses a document with another one, and so does
/// this one: an enclave has no configuration, so that a status about it means that something is not understood.
const STATUSES: [TcbStatus; 3] = [TcbStatus::UpToDate, TcbStatus::OutOfDate, TcbStatus::Revoked];

impl QeIdentity {
    /// Reads the document, whose signature was verified.
    pub(crate) fn parse(json: &str) -> Result<Self, DocumentError> {
        let members: Members = document::parse(json)?;
        let tee = match (members.id.as_str(), members.version) {
            ("QE", 2) => Tee::Sgx,
            ("TD_QE", 2 | 3) => Tee::Tdx,
            (id, version) => {
                return Err(DocumentError(format!(
                    "{id:?} of version {version} is no known QE identity"
                )));
            }
        };
        Ok(Self {
            tee,
            validity: members.dates.validity(),
            evaluation_data_number: members.tcb_evaluation_data_number,
            misc_select: Masked {
                value: members.miscselect,
                mask: members.miscselect_mask,
            },
            attributes: Masked {
                value: members.attributes,
                mask: members.attributes_mask,
            },
            mr_signer: members.mrsigner,
            isv_prod_id: members.isvprodid,
            levels: IsvLevels::new(members.tcb_levels, &STATUSES)?,
        })
    }

    /// What becomes of quoting enclaves that are exactly at one of these levels once `next` applies.
    pub(crate) fn forecast(&self, next: &Self) -> Vec<Forecast> {
        self.levels.forecast(&next.levels, &Concerned::QuotingEnclave)
    }

    /// Checks that this is the quoting enclave, and says what its version is worth.
    pub(crate) fn rate(&self, report: &SgxReport) -> Result<PartTcb, QeMismatch> {
        if report.mr_signer != self.mr_signer {
            return Err(QeMismatch("MRSIGNER"));
        }
        if report.isv_prod_id != self.isv_prod_id {
            return Err(QeMismatch("ISVPRODID"));
        }
        if !self.misc_select.matches(&report.misc_select.to_le_bytes()) {
            return Err(QeMismatch("MISCSELECT"));
        }
        // The mask covers the DEBUG bit; but nobody should have to rely on that.
        if !self.attributes.matches(&report.attributes.0) || report.is_debug() {
            return Err(QeMismatch("ATTRIBUTES"));
        }
        Ok(self.levels.rate(Component::QuotingEnclave, report.isv_svn))
    }
}

/// The field in which a quoting enclave is not the one of the QE identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its {0} is not that of the QE identity")]
pub struct QeMismatch(pub &'static str);
