//! Claims about an enclave.

use dcap_quote::SgxReport;
use serde_json::{Value, json};

use super::Claims;
use crate::api::attest::DataType;
use crate::api::base64;
use crate::evidence::Evidence;
use base16ct::lower::encode_string as hex;

/// ATTRIBUTES.KSS: the enclave has key separation and sharing (SDM volume 3D, "ATTRIBUTES").
const KSS: u8 = 1 << 7;

pub(super) fn put(report: &SgxReport, evidence: &Evidence, claims: &mut Claims) {
    let mut put = |name: &str, value: Value| {
        claims.insert(name.to_owned(), value);
    };
    put("x-ms-attestation-type", "sgx".into());
    put("x-ms-sgx-is-debuggable", report.is_debug().into());
    put("x-ms-sgx-product-id", report.isv_prod_id.into());
    put("x-ms-sgx-mrsigner", report.mr_signer.to_string().into());
    put("x-ms-sgx-mrenclave", report.mr_enclave.to_string().into());
    put("x-ms-sgx-svn", report.isv_svn.into());
    put("x-ms-sgx-report-data", report.report_data.to_string().into());
    let [flags, ..] = report.attributes.0;
    if flags & KSS != 0 {
        put("x-ms-sgx-config-id", report.config_id.to_string().into());
        put("x-ms-sgx-config-svn", report.config_svn.into());
        put(
            "x-ms-sgx-isv-extended-product-id",
            report.isv_ext_prod_id.to_string().into(),
        );
        put("x-ms-sgx-isv-family-id", report.isv_family_id.to_string().into());
    }

    let mut collateral = json!(evidence.endorsements.hashes);
    if let Some(members) = collateral.as_object_mut() {
        members.insert("quotehash".to_owned(), hex(&evidence.quote_hash).into());
    }
    put("maa-attestationcollateral", collateral.clone());
    put("x-ms-sgx-collateral", collateral);

    // Enclave-held data, under today's name and two that are deprecated.
    if let Some(data) = &evidence.runtime_data
        && data.kind == DataType::Binary
    {
        let data = base64::encode(&data.bytes);
        for name in ["x-ms-sgx-ehd", "aas-ehd", "maa-ehd"] {
            put(name, data.clone().into());
        }
    }
}
