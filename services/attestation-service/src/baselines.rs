//! TCB baselines: which TCB recoveries the service's collateral takes into account, and which the policy in force lets pass.
//!
//! Azure lists those that its policies can name. This service has no baselines but its collateral, of which the numbers are
//! told. The least versions of Intel's software that Azure adds are nowhere in collateral, and are left out.

use std::collections::BTreeMap;

use attestation_policy::Properties;
use dcap_quote::{Tee, UnixTime};
use serde::Serialize;

use crate::api::attest::AttestationType;
use crate::error::{ApiError, ErrorCode};
use crate::service::Service;

/// One of `tcbBaselines`, under Azure's names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TcbBaseline {
    /// As a policy's `x-ms-sgx-tcbidentifier` names it.
    tcb_identifier: String,
    tcb_evaluation_data_number: u32,
    /// Date of the newest level.
    tcb_release_date: UnixTime,
    /// Whether quotes that are verified by it pass the policy's baseline.
    is_selected_tcb: bool,
}

impl Service {
    /// The baselines for a type of attestation, the newest first.
    ///
    /// # Errors
    /// When the policy's baseline depends on claims that only evidence has.
    pub fn tcb_baselines(&self, kind: AttestationType) -> Result<Vec<TcbBaseline>, ApiError> {
        let tee = match kind {
            AttestationType::SgxEnclave | AttestationType::OpenEnclave => Tee::Sgx,
            AttestationType::TdxVm => Tee::Tdx,
        };
        let mut newest: BTreeMap<u32, UnixTime> = BTreeMap::new();
        for endorsements in self.source.all() {
            let checked = &endorsements.checked;
            if checked.tee() == tee {
                let date = newest
                    .entry(checked.evaluation_data_numbers().lower())
                    .or_insert(UnixTime(0));
                *date = checked.newest_level().max(*date);
            }
        }
        let least = self.baseline(kind)?;
        let baseline = |(number, date): (u32, UnixTime)| TcbBaseline {
            tcb_identifier: number.to_string(),
            tcb_evaluation_data_number: number,
            tcb_release_date: date,
            is_selected_tcb: number >= least,
        };
        Ok(newest.into_iter().rev().map(baseline).collect())
    }

    /// The number that the policy in force asks for, zero if none.
    fn baseline(&self, kind: AttestationType) -> Result<u32, ApiError> {
        let state = self.state();
        let policy = state.policies.get(kind);
        let policy = policy.ok_or_else(|| ErrorCode::InternalError.because("there is no policy"))?;
        let failed = |message: String| ErrorCode::PolicyEvaluationError.because(message);
        let configuration = policy.policy.configuration(&[]).map_err(|error| {
            failed(format!(
                "the policy's configuration cannot be evaluated without claims: {error}"
            ))
        })?;
        let properties = Properties::of_configuration(&configuration);
        let properties = properties.map_err(|error| failed(format!("the policy's properties: {error}")))?;
        Ok(properties.baseline.unwrap_or(0))
    }
}
