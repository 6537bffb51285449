//! Verification of evidence: the quote up to the trusted root, and the data that it is bound to.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use dcap_quote::{
    Item, Objection, Policy, Quote, Refusal, Remedy, Report, SIMULATED_QE_VENDOR, Tee, Trust, UnixTime,
    Verdict, verify,
};

use crate::api::attest::{AttestRequest, AttestationType, Data};
use crate::collateral::{CollateralSource, Endorsements};
use crate::error::{ApiError, ErrorCode};
use crate::platforms::{Claimed, Platforms};

/// Evidence that proves what it says.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub verdict: Verdict,
    pub endorsements: Arc<Endorsements>,
    /// SHA-256 of the quote.
    pub quote_hash: [u8; 32],
    /// Bound by the report data.
    pub runtime_data: Option<Data>,
    /// Bound by the configuration identity.
    pub init_time_data: Option<Data>,
}

/// With what evidence is verified, and what is good enough for a policy to see it.
pub(crate) struct Verifier<'a> {
    pub source: &'a dyn CollateralSource,
    pub platforms: &'a Platforms,
    pub trust: Trust,
    /// Which TCB statuses beyond `UpToDate` policies are asked about.
    pub acceptable: &'a Policy,
}

impl Verifier<'_> {
    /// Verifies the evidence of a request.
    ///
    /// # Errors
    /// When it is no quote of the right kind, proves nothing, is of a platform that is not acceptable, or does not vouch for
    /// the request's data; or when the service lacks collateral.
    pub fn verify(
        &self,
        kind: AttestationType,
        request: AttestRequest,
        now: UnixTime,
    ) -> Result<Evidence, ApiError> {
        let quote = Quote::parse_zero_padded(&request.quote)
            .map_err(|error| refused(format!("it is no quote that this service reads: {error}")))?;
        self.check_kind(kind, &quote)?;
        let endorsements = self.endorsements(&quote)?;
        let verdict = verify(&quote, &endorsements.checked, now)
            .map_err(|refusal| explain(&refusal, &endorsements, now))?;
        self.check_acceptable(&verdict)?;
        check_runtime_data(&verdict.report, request.runtime_data.as_ref())?;
        check_init_time_data(&verdict.report, request.init_time_data.as_ref())?;
        Ok(Evidence {
            verdict,
            endorsements,
            quote_hash: sha256(&request.quote),
            runtime_data: request.runtime_data,
            init_time_data: request.init_time_data,
        })
    }

    fn check_kind(&self, kind: AttestationType, quote: &Quote<'_>) -> Result<(), ApiError> {
        let (is_simulated, simulation) = (quote.header.qe_vendor == SIMULATED_QE_VENDOR, self.trust);
        match (is_simulated, simulation) {
            (true, Trust::Intel) => {
                return Err(refused(
                    "it is of a simulated platform, which protects nothing; this service trusts Intel's only",
                ));
            }
            (false, Trust::Simulated) => {
                return Err(refused(
                    "it is of a genuine platform; this service was started to trust a simulated one only",
                ));
            }
            _ => {}
        }
        let expected = match kind {
            AttestationType::SgxEnclave | AttestationType::OpenEnclave => Tee::Sgx,
            AttestationType::TdxVm => Tee::Tdx,
        };
        if quote.header.tee != expected {
            let fitting = match quote.header.tee {
                Tee::Sgx => AttestationType::SgxEnclave,
                Tee::Tdx => AttestationType::TdxVm,
            };
            return Err(refused(format!(
                "it is of {}, and the call is for {expected}; use /attest/{}",
                quote.header.tee,
                fitting.name()
            )));
        }
        Ok(())
    }

    fn endorsements(&self, quote: &Quote<'_>) -> Result<Arc<Endorsements>, ApiError> {
        let claimed = self.platforms.claimed(quote);
        let Claimed { fmspc, ca } = claimed.map_err(|refusal| refused(refusal.to_string()))?;
        let tee = quote.header.tee;
        self.source.find(tee, fmspc, ca).ok_or_else(|| {
            ErrorCode::CollateralUnavailable.because(format!(
                "this service has no collateral for {tee} on platforms of FMSPC {fmspc} certified by the {ca} authority; \
                 its operator has to provide it"
            ))
        })
    }

    /// What no claim shows to policies is decided here; what a claim shows is left to them.
    fn check_acceptable(&self, verdict: &Verdict) -> Result<(), ApiError> {
        let objections = self.acceptable.objections(verdict);
        // An objection that this service does not know refuses, too. Claims are left to policies:
        // is-debuggable, dbgstat, tdx_td_attributes_septve_disable.
        let is_claim = |objection: &Objection| {
            matches!(
                objection,
                Objection::Debug | Objection::Profiling | Objection::SeptVe
            )
        };
        let objection = objections.into_iter().find(|objection| !is_claim(objection));
        match objection {
            Some(objection) => Err(refused(format!(
                "its platform does not meet this service's baseline: {objection}{}",
                shortfalls(verdict)
            ))),
            None => Ok(()),
        }
    }
}

/// Which versions are too low, for whoever has to update them, and whether updates come at all.
fn shortfalls(verdict: &Verdict) -> String {
    let lacks = verdict.lacks();
    let mut text: String = lacks.iter().map(|lack| format!("; {lack}")).collect();
    if lacks.iter().any(|lack| lack.remedy == Remedy::Relaunch) {
        text.push_str("; relaunch the domain");
    }
    if verdict.is_end_of_servicing() {
        text.push_str("; Intel has ended the servicing of this platform");
    }
    text
}

/// Expired collateral is the service's own trouble; all else is the evidence's.
fn explain(refusal: &Refusal, endorsements: &Endorsements, now: UnixTime) -> ApiError {
    let is_own = matches!(refusal, Refusal::NotValid { dated, .. } if dated.what != Item::PckCertificate)
        && !endorsements.is_valid_at(now);
    if is_own {
        ErrorCode::CollateralUnavailable.because(format!(
            "this service's collateral for the platform cannot be relied upon: {refusal}; its operator has to renew it"
        ))
    } else {
        refused(refusal.to_string())
    }
}

/// SHA-256 of the data, then anything: programs use the other half for themselves.
fn check_runtime_data(report: &Report, data: Option<&Data>) -> Result<(), ApiError> {
    let bound = report.report_data().first_chunk();
    match data {
        Some(data) if bound != Some(&sha256(&data.bytes)) => Err(refused(
            "its report data does not begin with the SHA-256 of the request's runtime data, so the data is not the attested \
             software's",
        )),
        _ => Ok(()),
    }
}

/// SHA-256 of the data, then zeroes, in CONFIGID or MRCONFIGID.
fn check_init_time_data(report: &Report, data: Option<&Data>) -> Result<(), ApiError> {
    let Some(data) = data else { return Ok(()) };
    let (name, bound): (_, &[u8]) = match report {
        Report::Sgx(report) => ("CONFIGID", &report.config_id.0),
        Report::Td(report) => ("MRCONFIGID", &report.mr_config_id.0),
    };
    let hash = sha256(&data.bytes);
    let is_bound = bound
        .strip_prefix(&hash)
        .is_some_and(|rest| rest.iter().all(|byte| *byte == 0));
    if is_bound {
        Ok(())
    } else {
        Err(refused(format!(
            "its {name} is not the SHA-256 of the request's init time data, so it was launched with other data"
        )))
    }
}

fn refused(message: impl std::fmt::Display) -> ApiError {
    ErrorCode::InvalidQuote.because(format!("the quote is refused: {message}"))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}
