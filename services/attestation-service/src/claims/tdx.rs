//! Claims about a trust domain, in Azure Attestation's profile of the Entity Attestation Token.
//!
//! `x-ms-compliance-status` is missing: it says that a machine is as Azure sets them up, which only Azure can say.

use dcap_quote::{TdReport, Verdict};
use serde_json::Value;

use super::Claims;

/// Bits of TD ATTRIBUTES (Intel TDX Module ABI specification 348551-008US, table 3.23).
const PROTECTION_KEYS: u64 = 1 << 30;
const KEY_LOCKER: u64 = 1 << 31;
const PERFMON: u64 = 1 << 63;

pub(super) fn put(report: &TdReport, verdict: &Verdict, claims: &mut Claims) {
    let mut put = |name: &str, value: Value| {
        claims.insert(name.to_owned(), value);
    };
    put("x-ms-attestation-type", "tdxvm".into());
    put("eat_profile", "https://aka.ms/maa-eat-profile-tdxvm".into());
    put("intuse", "generic".into());
    put("attester_tcb_status", verdict.status.name().into());
    let attributes = report.td_attributes;
    let is_open = attributes.is_debug() || attributes.is_profiled();
    put("dbgstat", if is_open { "enabled" } else { "disabled" }.into());

    for (name, value) in [
        ("tdx_mrseam", report.mr_seam),
        ("tdx_mrsignerseam", report.mr_signer_seam),
        ("tdx_mrtd", report.mr_td),
        ("tdx_mrconfigid", report.mr_config_id),
        ("tdx_mrowner", report.mr_owner),
        ("tdx_mrownerconfig", report.mr_owner_config),
    ] {
        put(name, value.to_string().into());
    }
    for (number, register) in report.rt_mr.iter().enumerate() {
        put(&format!("tdx_rtmr{number}"), register.to_string().into());
    }
    put("tdx_report_data", report.report_data.to_string().into());
    put("tdx_seam_attributes", report.seam_attributes.to_string().into());
    put("tdx_tee_tcb_svn", report.tee_tcb_svn.to_string().into());
    let [svn_low, svn_high, ..] = report.tee_tcb_svn.0;
    put("tdx_seamsvn", u16::from_le_bytes([svn_low, svn_high]).into());
    put("tdx_xfam", report.xfam.to_string().into());
    put("tdx_td_attributes", attributes.to_string().into());
    for (name, value) in [
        ("debug", attributes.is_debug()),
        ("septve_disable", attributes.is_sept_ve_disabled()),
        ("protection_keys", attributes.0 & PROTECTION_KEYS != 0),
        ("key_locker", attributes.0 & KEY_LOCKER != 0),
        ("perfmon", attributes.0 & PERFMON != 0),
    ] {
        put(&format!("tdx_td_attributes_{name}"), value.into());
    }
}
