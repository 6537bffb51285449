//! A token as Azure Attestation would issue it, and who issues it.

use std::sync::LazyLock;

use attestation_token::{HeaderFields, KeySet, KeySize, SigningKey, UnixTime, Validator};
pub use base16ct::lower::encode_string as hex;
use serde_json::{Map, Value, json};

pub const ISSUER: &str = "https://attest.example:8443";
pub const NOW: UnixTime = UnixTime(1_750_723_200);
pub const RUNTIME_DATA: &[u8] = b"the enclave's public key";
pub const MR_ENCLAVE: [u8; 32] = [0x5a; 32];
pub const MR_SIGNER: [u8; 32] = [0xa5; 32];

/// The issuer's key, made once for each run.
pub static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(KeySize::Rsa2048).unwrap());

/// What the issuer publishes.
pub fn key_set() -> KeySet {
    let set = json!({ "keys": [KEY.jwk(&[])] });
    KeySet::parse(set.to_string().as_bytes()).unwrap()
}

pub fn validator() -> Validator {
    Validator::new(ISSUER).leeway(0)
}

/// The claims of a real service for an enclave, with the deprecated twins.
pub fn claims() -> Value {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, RUNTIME_DATA);
    let report_data = hex(hash.as_ref()) + &"00".repeat(32);
    let (mr_enclave, mr_signer) = (hex(&MR_ENCLAVE), hex(&MR_SIGNER));
    json!({
        "aas-ehd": "dGhlIGVuY2xhdmUncyBwdWJsaWMga2V5",
        "exp": NOW.0 + 28800,
        "iat": NOW.0,
        "is-debuggable": false,
        "iss": ISSUER,
        "jti": "0d8cd7bb9b3a6d0e0d5f9c7f0b9f6a4dd9d6c0c6f9c5f2a1d2a0e8f0f7a0b4c3",
        "maa-attestationcollateral": {
            "qeidcertshash": "a64d649198950e57c05d8bf1c2b7a4b4a3f7a9fbd0c4e5a3c0c0ac8de56c5bb4",
            "qeidcrlhash": "9d5a1d8ad9bb7fd8a9ab7fcf1a2c7e9fcc2ee5a6eaa6a7ff6f5ef9b9b0d1b0c2",
            "qeidhash": "ce5adcb9ad5c06cfdbbbdb3d44a8ce3bbdf8df8c0d9dcdb8d2bbba5a9f3c7ecb",
            "quotehash": "4b8b9b0e1f3ab0a5d4d1c6d4d8e6f8e0c9ab5fd3b1a3c6c7b1d1b3a6f4c9d6e2",
            "tcbinfocertshash": "a64d649198950e57c05d8bf1c2b7a4b4a3f7a9fbd0c4e5a3c0c0ac8de56c5bb4",
            "tcbinfocrlhash": "9d5a1d8ad9bb7fd8a9ab7fcf1a2c7e9fcc2ee5a6eaa6a7ff6f5ef9b9b0d1b0c2",
            "tcbinfohash": "e8c5f8a2b3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e"
        },
        "maa-ehd": "dGhlIGVuY2xhdmUncyBwdWJsaWMga2V5",
        "nbf": NOW.0,
        "nonce": "2f7e1a",
        "product-id": 3,
        "sgx-mrenclave": mr_enclave,
        "sgx-mrsigner": mr_signer,
        "svn": 7,
        "tee": "sgx",
        "x-ms-attestation-type": "sgx",
        "x-ms-policy": { "is-debuggable": false, "product-id": 3, "svn": 7, "tee": "sgx" },
        "x-ms-policy-hash": "N2wsT7vKSTVQvtxPhuKYVkBU1nKIZNnLZyQ3ZYyXx4g",
        "x-ms-sgx-collateral": {
            "qeidcertshash": "a64d649198950e57c05d8bf1c2b7a4b4a3f7a9fbd0c4e5a3c0c0ac8de56c5bb4",
            "qeidcrlhash": "9d5a1d8ad9bb7fd8a9ab7fcf1a2c7e9fcc2ee5a6eaa6a7ff6f5ef9b9b0d1b0c2",
            "qeidhash": "ce5adcb9ad5c06cfdbbbdb3d44a8ce3bbdf8df8c0d9dcdb8d2bbba5a9f3c7ecb",
            "quotehash": "4b8b9b0e1f3ab0a5d4d1c6d4d8e6f8e0c9ab5fd3b1a3c6c7b1d1b3a6f4c9d6e2",
            "tcbinfocertshash": "a64d649198950e57c05d8bf1c2b7a4b4a3f7a9fbd0c4e5a3c0c0ac8de56c5bb4",
            "tcbinfocrlhash": "9d5a1d8ad9bb7fd8a9ab7fcf1a2c7e9fcc2ee5a6eaa6a7ff6f5ef9b9b0d1b0c2",
            "tcbinfohash": "e8c5f8a2b3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e"
        },
        "x-ms-sgx-ehd": "dGhlIGVuY2xhdmUncyBwdWJsaWMga2V5",
        "x-ms-sgx-is-debuggable": false,
        "x-ms-sgx-mrenclave": mr_enclave,
        "x-ms-sgx-mrsigner": mr_signer,
        "x-ms-sgx-product-id": 3,
        "x-ms-sgx-report-data": report_data,
        "x-ms-sgx-svn": 7,
        "x-ms-ver": "1.0"
    })
}

/// Signed as the service does it.
pub fn sign(payload: &[u8]) -> String {
    let jku = format!("{ISSUER}/certs");
    let fields = HeaderFields {
        jku: Some(&jku),
        typ: Some("JWT"),
    };
    KEY.sign(&fields, payload).unwrap()
}

/// A token whose claims were changed before they were signed.
pub fn token_with(change: impl FnOnce(&mut Map<String, Value>)) -> String {
    let mut claims = claims();
    change(claims.as_object_mut().unwrap());
    sign(claims.to_string().as_bytes())
}

pub fn token() -> String {
    token_with(|_| {})
}
