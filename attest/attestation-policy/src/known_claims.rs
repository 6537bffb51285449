//! The claims that services of this protocol make, and what their values are.
//!
//! Sources: Microsoft's "Claim sets" and "Azure Attestation EAT profile for Intel TDX"; `x-nacre-…` is our own service's.

use crate::claim::ValueType;

/// Names and types.
pub(crate) const KNOWN: &[(&str, ValueType)] = &[
    ("$aas-ehd", ValueType::String),
    ("$is-debuggable", ValueType::Boolean),
    ("$maa-attestationcollateral", ValueType::String),
    ("$maa-ehd", ValueType::String),
    ("$product-id", ValueType::Integer),
    ("$sgx-mrenclave", ValueType::String),
    ("$sgx-mrsigner", ValueType::String),
    ("$svn", ValueType::Integer),
    ("$tee", ValueType::String),
    ("aas-ehd", ValueType::String),
    ("attester_tcb_status", ValueType::String),
    ("dbgstat", ValueType::String),
    ("eat_profile", ValueType::String),
    ("intuse", ValueType::String),
    ("maa-attestationcollateral", ValueType::String),
    ("maa-ehd", ValueType::String),
    ("maa-policyHash", ValueType::String),
    ("policy_hash", ValueType::String),
    ("policy_signer", ValueType::String),
    ("tdx_mrconfigid", ValueType::String),
    ("tdx_mrowner", ValueType::String),
    ("tdx_mrownerconfig", ValueType::String),
    ("tdx_mrseam", ValueType::String),
    ("tdx_mrsignerseam", ValueType::String),
    ("tdx_mrtd", ValueType::String),
    ("tdx_report_data", ValueType::String),
    ("tdx_rtmr0", ValueType::String),
    ("tdx_rtmr1", ValueType::String),
    ("tdx_rtmr2", ValueType::String),
    ("tdx_rtmr3", ValueType::String),
    ("tdx_seam_attributes", ValueType::String),
    ("tdx_seamsvn", ValueType::Integer),
    ("tdx_td_attributes", ValueType::String),
    ("tdx_td_attributes_debug", ValueType::Boolean),
    ("tdx_td_attributes_key_locker", ValueType::Boolean),
    ("tdx_td_attributes_perfmon", ValueType::Boolean),
    ("tdx_td_attributes_protection_keys", ValueType::Boolean),
    ("tdx_td_attributes_septve_disable", ValueType::Boolean),
    ("tdx_tee_tcb_svn", ValueType::String),
    ("tdx_xfam", ValueType::String),
    ("tee", ValueType::String),
    ("ver", ValueType::String),
    ("x-ms-attestation-type", ValueType::String),
    ("x-ms-compliance-status", ValueType::String),
    ("x-ms-inittime", ValueType::String),
    ("x-ms-policy-hash", ValueType::String),
    ("x-ms-policy-signer", ValueType::String),
    ("x-ms-runtime", ValueType::String),
    ("x-ms-sgx-collateral", ValueType::String),
    ("x-ms-sgx-config-id", ValueType::String),
    ("x-ms-sgx-config-svn", ValueType::Integer),
    ("x-ms-sgx-ehd", ValueType::String),
    ("x-ms-sgx-is-debuggable", ValueType::Boolean),
    ("x-ms-sgx-isv-extended-product-id", ValueType::String),
    ("x-ms-sgx-isv-family-id", ValueType::String),
    ("x-ms-sgx-mrenclave", ValueType::String),
    ("x-ms-sgx-mrsigner", ValueType::String),
    ("x-ms-sgx-product-id", ValueType::Integer),
    ("x-ms-sgx-report-data", ValueType::String),
    ("x-ms-sgx-svn", ValueType::Integer),
    ("x-ms-ver", ValueType::String),
    ("x-nacre-simulated", ValueType::Boolean),
    ("x-nacre-tcb-status", ValueType::String),
];

/// Claims whose value is a fixed number of bytes in lower-case hexadecimal.
const MEASUREMENTS: &[(&str, usize)] = &[
    ("$sgx-mrenclave", 32),
    ("$sgx-mrsigner", 32),
    ("tdx_mrconfigid", 48),
    ("tdx_mrowner", 48),
    ("tdx_mrownerconfig", 48),
    ("tdx_mrseam", 48),
    ("tdx_mrsignerseam", 48),
    ("tdx_mrtd", 48),
    ("tdx_report_data", 64),
    ("tdx_rtmr0", 48),
    ("tdx_rtmr1", 48),
    ("tdx_rtmr2", 48),
    ("tdx_rtmr3", 48),
    ("x-ms-sgx-config-id", 64),
    ("x-ms-sgx-mrenclave", 32),
    ("x-ms-sgx-mrsigner", 32),
    ("x-ms-sgx-report-data", 64),
];

/// What the claim's value is, if the claim is known.
pub(crate) fn value_type(name: &str) -> Option<ValueType> {
    let found = KNOWN.iter().find(|(known, _)| *known == name);
    found.map(|(_, value_type)| *value_type)
}

/// How many bytes of hexadecimal the claim's value is, if it is that.
pub(crate) fn measurement(name: &str) -> Option<usize> {
    let found = MEASUREMENTS.iter().find(|(known, _)| *known == name);
    found.map(|(_, len)| *len)
}

/// The known claim whose name is most like this one, if one is like it.
pub(crate) fn similar(name: &str) -> Option<&'static str> {
    /// Letters that may be wrong, missing or too many.
    const MISTAKES: usize = 3;
    /// Letters of a name that is compared at all; no known one is longer.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let distances = KNOWN
        .iter()
        .map(|(known, _)| (strsim::levenshtein(name, known), *known));
    let (distance, closest) = distances.min()?;
    (distance <= MISTAKES && distance < closest.len() / 2).then_some(closest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant() {
        assert_eq!(similar("x-ms-sgx-mrenclav"), Some("x-ms-sgx-mrenclave"));
        assert_eq!(similar("x-ms-sgx-debuggable"), Some("x-ms-sgx-is-debuggable"));
        assert_eq!(similar("X-MS-SGX-svn"), None);
        assert_eq!(similar("role"), None);
        assert_eq!(similar(&"x".repeat(10_000)), None);
    }

    #[test]
    fn tables_are_sorted_and_agree() {
        assert!(KNOWN.is_sorted_by_key(|(name, _)| *name) && MEASUREMENTS.is_sorted());
        for (name, _) in MEASUREMENTS {
            assert_eq!(value_type(name), Some(ValueType::String), "{name}");
        }
    }
}
