//! Tests with the real client of Azure Attestation, from PyPI (`drive.py`).

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{ADMIN_TOKEN, Running, Setup, report, signer, standard_b64};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

const BINARY: &[u8] = b"\x00\xff binary";
const JSON: &[u8] = br#"{"keys":[{"kty":"RSA"}],"number":5}"#;

#[tokio::test(flavor = "multi_thread")]
async fn attestation_and_unsigned_policies() {
    let service = Setup::by_the_clock().start().await;
    drive("unsigned", &service, &Signers::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_policies() {
    let signers = Signers::new();
    let directory = tempfile::tempdir().unwrap();
    let first = signer(&directory, &signers.first.0);
    let setup = Setup::by_the_clock().config(|config| config.policy_signers.push(first));
    let service = setup.start().await;
    drive("signed", &service, &signers).await;
}

/// Certificates and keys in PEM. The client cannot sign with elliptic keys.
struct Signers {
    first: (String, String),
    second: (String, String),
    /// As Windows shows it: SHA-1 in upper-case hexadecimal.
    second_thumbprint: String,
}

impl Signers {
    fn new() -> Self {
        let make = || {
            let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
            let params = CertificateParams::new(["signer.example".to_owned()]).unwrap();
            (params.self_signed(&key).unwrap(), key.serialize_pem())
        };
        let (first, second) = (make(), make());
        let sha1 = &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
        let thumbprint = aws_lc_rs::digest::digest(sha1, second.0.der());
        Self {
            first: (first.0.pem(), first.1),
            second: (second.0.pem(), second.1),
            second_thumbprint: thumbprint
                .as_ref()
                .iter()
                .map(|byte| format!("{byte:02X}"))
                .collect(),
        }
    }
}

async fn drive(part: &'static str, service: &Running, signers: &Signers) {
    let given = service.directory.path().join("given.json");
    std::fs::write(&given, parts(service, signers).to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/azure/drive.py");
    let python = python();
    let driven = tokio::task::spawn_blocking(move || {
        Command::new(python)
            .arg("-I")
            .arg(script)
            .arg(part)
            .arg(given)
            .output()
            .unwrap()
    });
    let output = driven.await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success() && text(&output.stdout).ends_with("ok: all\n"),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

fn parts(service: &Running, signers: &Signers) -> Value {
    let open_enclave = |quote: &[u8]| {
        [
            &[1, 0, 0, 0, 2, 0, 0, 0],
            &(quote.len() as u64).to_le_bytes()[..],
            quote,
        ]
        .concat()
    };
    let (binary, json) = (
        service.platform.quote(&report(BINARY)),
        service.platform.quote(&report(JSON)),
    );
    json!({
        "url": service.issuer,
        "ca": service.certificate(),
        "admin_token": ADMIN_TOKEN,
        "binary_data": standard_b64(BINARY),
        "json_data": standard_b64(JSON),
        "binary_quote": standard_b64(&binary),
        "json_quote": standard_b64(&json),
        "binary_report": standard_b64(&open_enclave(&binary)),
        "json_report": standard_b64(&open_enclave(&json)),
        "first_certificate": signers.first.0,
        "first_key": signers.first.1,
        "second_certificate": signers.second.0,
        "second_key": signers.second.1,
        "second_thumbprint": signers.second_thumbprint,
    })
}

/// The environment that `cargo xtask test` makes.
fn python() -> PathBuf {
    let mut target = std::env::current_exe().unwrap();
    loop {
        let candidate = target.join("azure-client/bin/python");
        if candidate.is_file() {
            break candidate;
        }
        assert!(
            target.pop(),
            "there is no azure-client/bin/python in the target directory: run `cargo xtask azure-client`, or `cargo xtask \
             test`, which does it first"
        );
    }
}
