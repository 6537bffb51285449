//! What a relying party asks of the platform beyond its TCB status, read from a file.
//!
//! The names are those of Intel's appraisal policies where there are such. Two things they cannot say are here: which
//! advisories are accepted at all, and **whose machine** it may be. Keys can be read out of a machine by whoever has it in
//! their hands (WireTap, TEE.fail), and a quote made with them is authentic.

use serde::Deserialize;

use crate::pck::{Platform, SgxType};
use crate::policy::Objection;
use crate::report::Bytes;
use crate::tcb::TcbStatus;
use crate::time::UnixTime;
use crate::verdict::Verdict;

/// The policy. What it does not mention is not asked for, but that `accepted_tcb_status` is then `UpToDate` alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformPolicy {
    /// Statuses beyond `UpToDate`. `Revoked` and `TCBNotSupported` are never accepted.
    #[serde(default, deserialize_with = "statuses")]
    pub accepted_tcb_status: Vec<TcbStatus>,
    /// The weaknesses that are accepted (INTEL-SA-…); any other one is refused.
    pub accepted_advisory_ids: Option<Vec<String>>,
    /// Weaknesses that are refused.
    #[serde(default)]
    pub rejected_advisory_ids: Vec<String>,
    /// The least evaluation data number: the lower one of TCB info and QE identity counts.
    pub min_eval_num: Option<u32>,
    /// For how many days after a TCB recovery a platform that falls behind it is accepted.
    pub platform_grace_period_days: Option<u32>,
    /// False refuses platforms with hyperthreading, and those that do not say.
    pub allow_smt: Option<bool>,
    /// False refuses platforms to which processors may be added, and those that do not say.
    pub allow_dynamic_platform: Option<bool>,
    /// False refuses platforms whose root keys Intel keeps, and those that do not say.
    pub allow_cached_keys: Option<bool>,
    /// How platforms must protect the memory of enclaves.
    pub accepted_sgx_types: Option<Vec<SgxType>>,
    /// Whose machines: any of these, by PPID or by PlatformInstanceID.
    pub accepted_platforms: Option<Vec<AcceptedPlatform>>,
}

/// A machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedPlatform {
    /// Its PPID, in hexadecimal.
    pub ppid: Option<Bytes<16>>,
    /// Its PlatformInstanceID, in hexadecimal. If both are there, both must be right.
    pub platform_instance_id: Option<Bytes<16>>,
}

/// Why a text is no such policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformPolicyError {
    /// Not JSON with the members above.
    #[error("it is not a policy in JSON: {0}")]
    Json(String),
    /// An entry that every platform would be.
    #[error("an entry of accepted_platforms has neither ppid nor platform_instance_id")]
    AnyPlatform,
}

impl PlatformPolicy {
    /// Reads a policy.
    ///
    /// # Errors
    /// When it is not JSON, has other members, or names a platform by nothing.
    pub fn from_json(json: &[u8]) -> Result<Self, PlatformPolicyError> {
        let policy: Self =
            serde_json::from_slice(json).map_err(|error| PlatformPolicyError::Json(error.to_string()))?;
        let mut platforms = policy.accepted_platforms.iter().flatten();
        let is_any =
            |platform: &AcceptedPlatform| platform.ppid.is_none() && platform.platform_instance_id.is_none();
        if platforms.any(is_any) {
            return Err(PlatformPolicyError::AnyPlatform);
        }
        Ok(policy)
    }

    /// Everything but the status that speaks against a platform.
    pub(crate) fn objections(&self, verdict: &Verdict) -> Vec<Objection> {
        let mut objections = Vec::new();
        let platform = &verdict.platform;
        for advisory in &verdict.advisories {
            let is_accepted = self.accepted_advisory_ids.as_ref();
            let is_accepted = is_accepted.is_none_or(|accepted| accepted.contains(advisory));
            if !is_accepted || self.rejected_advisory_ids.contains(advisory) {
                objections.push(Objection::Advisory(advisory.clone()));
            }
        }
        let number = verdict.evaluation_data_numbers.lower();
        if let Some(least) = self.min_eval_num.filter(|least| number < *least) {
            objections.push(Objection::EvaluationDataNumber { least, found: number });
        }
        let configuration = platform.configuration;
        for (allowed, flag, what) in [
            (
                self.allow_smt,
                configuration.map(|flags| flags.smt_enabled),
                "hyperthreading (SMT)",
            ),
            (
                self.allow_dynamic_platform,
                configuration.map(|flags| flags.dynamic_platform),
                "a dynamic platform",
            ),
            (
                self.allow_cached_keys,
                configuration.map(|flags| flags.cached_keys),
                "root keys cached by Intel",
            ),
        ] {
            // A platform that does not register does not say.
            if allowed == Some(false) && flag != Some(false) {
                objections.push(Objection::Configuration(what));
            }
        }
        let types = self.accepted_sgx_types.as_ref();
        if types.is_some_and(|types| !types.contains(&platform.sgx_type)) {
            objections.push(Objection::SgxType(platform.sgx_type));
        }
        let platforms = self.accepted_platforms.as_ref();
        if platforms.is_some_and(|platforms| !platforms.iter().any(|accepted| accepted.is(platform))) {
            objections.push(Objection::Platform(platform.ppid));
        }
        objections
    }

    /// Whether the status is accepted, by itself or within the period of grace.
    pub(crate) fn accepts(&self, verdict: &Verdict) -> bool {
        if self.accepted_tcb_status.contains(&verdict.status) {
            return true;
        }
        let without_age = match verdict.status {
            TcbStatus::OutOfDate | TcbStatus::TdRelaunchAdvised => TcbStatus::UpToDate,
            TcbStatus::OutOfDateConfigurationNeeded | TcbStatus::TdRelaunchAdvisedConfigurationNeeded => {
                TcbStatus::ConfigurationNeeded
            }
            TcbStatus::UpToDate
            | TcbStatus::SwHardeningNeeded
            | TcbStatus::ConfigurationNeeded
            | TcbStatus::ConfigurationAndSwHardeningNeeded
            | TcbStatus::Revoked
            | TcbStatus::NotSupported => return false,
        };
        let is_accepted =
            without_age == TcbStatus::UpToDate || self.accepted_tcb_status.contains(&without_age);
        let (Some(days), Some(since)) = (self.platform_grace_period_days, verdict.falls_behind_since())
        else {
            return false;
        };
        let end = UnixTime(
            since
                .0
                .saturating_add(u64::from(days).saturating_mul(24 * 60 * 60)),
        );
        is_accepted && verdict.at <= end
    }
}

impl AcceptedPlatform {
    fn is(&self, platform: &Platform) -> bool {
        let ppid = self.ppid.is_none_or(|ppid| ppid == platform.ppid);
        let instance = self.platform_instance_id;
        let instance = instance.is_none_or(|id| platform.platform_instance_id == Some(id));
        // An entry without either would be any platform.
        (self.ppid.is_some() || self.platform_instance_id.is_some()) && ppid && instance
    }
}

/// By the names that verdicts have, those of TDX among them, which Intel's documents do not contain.
fn statuses<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<TcbStatus>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let statuses = names.iter().map(|name| {
        name.parse()
            .map_err(|error| serde::de::Error::custom(format!("{name:?} is {error}")))
    });
    statuses.collect()
}
