//! Default policies, for services whose owner has set none.
//!
//! They are Microsoft's as far as it documents them ("Default policy for an SGX enclave"), and permit whatever the service
//! could verify, **debug enclaves too**: who relies on a token looks at its claims. A policy that denies them is in
//! `docs/policy.md`.

/// For `SgxEnclave`: the deprecated names of the claims beside those that the service writes into each token itself.
pub const SGX_ENCLAVE: &str = r#"version= 1.1;
configurationrules{
    => issueproperty(type="x-ms-sgx-tcbidentifier", value="azuredefault");
};
authorizationrules{
    => permit();
};
issuancerules{
    c:[type=="x-ms-sgx-is-debuggable"] => issue(type="is-debuggable", value=c.value);
    c:[type=="x-ms-sgx-mrsigner"] => issue(type="sgx-mrsigner", value=c.value);
    c:[type=="x-ms-sgx-mrenclave"] => issue(type="sgx-mrenclave", value=c.value);
    c:[type=="x-ms-sgx-product-id"] => issue(type="product-id", value=c.value);
    c:[type=="x-ms-sgx-svn"] => issue(type="svn", value=c.value);
    c:[type=="x-ms-attestation-type"] => issue(type="tee", value=c.value);
};
"#;

/// For `OpenEnclave`, whose reports are quotes of SGX: the same, since Microsoft documents no other.
pub const OPEN_ENCLAVE: &str = SGX_ENCLAVE;

/// For `TdxVm`. Microsoft documents none; its tokens have no deprecated names.
pub const TDX_VM: &str = "version= 1.0;
authorizationrules{
    => permit();
};
issuancerules{
};
";
