//! Verification of a quote against checked collateral.

use std::collections::BTreeSet;

use crate::certification::Certified;
use crate::checked::{CheckedCollateral, check_dates, first_to_expire_first};
use crate::quote::{Quote, Report};
use crate::refusal::Refusal;
use crate::tcb::Rating;
use crate::tcb_info::{ModuleMismatch, Versions};
use crate::time::UnixTime;
use crate::verdict::{PlatformTcb, Verdict};

/// Verifies `quote` for the time `now`.
///
/// # Errors
/// With the first broken link between the quote and the trusted root. A quote that is authentic but, for instance, of a
/// platform that is out of date is a [`Verdict`]: ask a [`Policy`](crate::Policy) whether it is acceptable.
pub fn verify(quote: &Quote<'_>, collateral: &CheckedCollateral, now: UnixTime) -> Result<Verdict, Refusal> {
    let trust = collateral.root.trust();
    if quote.header.qe_vendor != *trust.qe_vendor() {
        return Err(Refusal::Vendor(quote.header.qe_vendor));
    }
    if quote.header.tee != collateral.tee() {
        return Err(Refusal::WrongTee {
            quote: quote.header.tee,
            collateral: collateral.tee(),
        });
    }
    collateral.check_dates(now)?;
    let certified = collateral.certify(&quote.certification)?;
    check_dates(&certified.dates, now)?;
    certified
        .attestation_key
        .verify(quote.signed, quote.signature)
        .map_err(|_| Refusal::QuoteSignature)?;
    let (platform_tcb, current_tcb) =
        rate_platform(&quote.report, &certified, collateral).map_err(Refusal::TdxModule)?;
    let qe_status = certified.quoting_enclave.status();
    let launch_status = platform_tcb.status.with_part(qe_status);
    let status = match &current_tcb {
        Some(current) => launch_status.with_current(current.status.with_part(qe_status)),
        None => launch_status,
    };
    Ok(Verdict {
        trust,
        at: now,
        quote_version: quote.header.version,
        tee: quote.header.tee,
        status,
        advisories: advisories(&platform_tcb, current_tcb.as_ref(), &certified),
        report: quote.report.clone(),
        platform: certified.platform.clone(),
        platform_tcb,
        current_tcb,
        quoting_enclave: certified.quoting_enclave.clone(),
        evaluation_data_numbers: collateral.evaluation_data_numbers(),
        validity: first_to_expire_first(collateral.dates().iter().chain(&certified.dates).copied()),
    })
}

/// The platform's rating at launch, and for TDX 1.5 the one of now.
fn rate_platform(
    report: &Report,
    certified: &Certified,
    collateral: &CheckedCollateral,
) -> Result<(PlatformTcb, Option<PlatformTcb>), ModuleMismatch> {
    let (tcb_info, platform) = (&collateral.tcb_info, &certified.platform);
    let versions = |tee_tcb_svn| Versions {
        svns: &platform.svns,
        pce_svn: platform.pce_svn,
        tee_tcb_svn,
    };
    let Report::Td(report) = report else {
        let tcb = tcb_info.rate(versions(None));
        return Ok((
            PlatformTcb {
                status: tcb.status(),
                tcb,
                tdx_module: None,
            },
            None,
        ));
    };
    tcb_info.check_module(report)?;
    let rate = |tee_tcb_svn| {
        let tcb = tcb_info.rate(versions(Some(tee_tcb_svn)));
        let tdx_module = tcb_info.rate_module(tee_tcb_svn)?;
        let status = match &tdx_module {
            Some(module) => tcb.status().with_part(module.tcb.status()),
            None => tcb.status(),
        };
        Ok(PlatformTcb {
            status,
            tcb,
            tdx_module,
        })
    };
    let launch = rate(&report.tee_tcb_svn.0)?;
    let current = report
        .v1_5
        .as_ref()
        .map(|report| rate(&report.tee_tcb_svn2.0))
        .transpose()?;
    Ok((launch, current))
}

/// Known weaknesses at the levels of launch and of the quoting enclave; of the levels of now if they are worse.
fn advisories(launch: &PlatformTcb, current: Option<&PlatformTcb>, certified: &Certified) -> Vec<String> {
    let current = current.filter(|current| current.status > launch.status);
    let platforms = [Some(launch), current].into_iter().flatten();
    let levels = platforms.flat_map(|platform| {
        let module = platform.tdx_module.as_ref();
        let module = module.and_then(|module| module.tcb.level.as_ref());
        [platform.tcb.level.as_ref(), module]
    });
    let levels = levels.chain([certified.quoting_enclave.level.as_ref()]).flatten();
    let advisories = levels.flat_map(|rating: &Rating| &rating.advisories);
    let advisories: BTreeSet<&String> = advisories.collect();
    advisories.into_iter().cloned().collect()
}
