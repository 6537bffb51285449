//! The enclave's signature.

use sgx_arch::SigStruct;
use sgx_sign::SignOptions;

pub(crate) fn run(input: &[u8]) {
    if let Ok(signature) = SigStruct::from_bytes(input) {
        assert_eq!(signature.to_bytes(), *input);
        // Whether it is good is another matter; that it is not must not matter here.
        let _ = sgx_sign::verify(&signature);
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let unsigned = sgx_sign::Unsigned::new(sgx_sign::MrEnclave([5; 32]), false, &SignOptions::default());
    let signed = unsigned.bytes();
    // What the signature covers, in its place, around numbers that are none.
    let mut bytes = vec![0xab; SigStruct::SIZE];
    bytes[..128].copy_from_slice(&signed[..128]);
    bytes[512..516].copy_from_slice(&3u32.to_le_bytes());
    bytes[900..1028].copy_from_slice(&signed[128..]);
    bytes[1028..1040].fill(0);
    assert!(SigStruct::from_bytes(&bytes).is_ok());
    let key = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../image/sgx-sign/tests/keys/test-only.pem"
    );
    let key = sgx_sign::SigningKey::load(key.as_ref()).expect("the key of the tests");
    let signature = unsigned.sign(&key).expect("signed");
    vec![bytes, signature.to_bytes().to_vec()]
}
