//! Tests that `openssl` accepts the certificates and revocation lists.

use std::fs;
use std::path::Path;
use std::process::Command;

use dcap_quote::{Quote, SIMULATED_QE_VENDOR, Tee, UnixTime};
use simulated_platform::{Body, Certificate, Profile, SimulatedPlatform};

const NOW: UnixTime = UnixTime(1_750_723_200);

/// Whether openssl accepts the PCK certificate, with both revocation lists; none when there is no openssl.
fn accepts(profile: Profile, folder: &Path) -> Option<bool> {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: there is no openssl");
        return None;
    }
    let platform = SimulatedPlatform::new(profile);
    let collateral = platform.collateral(Tee::Sgx);
    let quote = platform.quote_as(3, &Body::Sgx([0; 384]), SIMULATED_QE_VENDOR);
    let chain = Quote::parse(&quote).unwrap().pck_chain();
    let file = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let chain = file("chain.pem", chain.as_bytes());
    let root = file("root.pem", platform.root_certificate().as_bytes());
    let mut lists = Vec::new();
    for (name, list) in [
        ("root.crl", &collateral.root_ca_crl),
        ("pck.crl", &collateral.pck_crl),
    ] {
        let digits = list.as_bytes().chunks(2);
        let der: Vec<u8> = digits
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let der = file(name, &der);
        let convert = Command::new("openssl")
            .args(["crl", "-inform", "DER", "-in"])
            .arg(der)
            .output()
            .unwrap();
        assert!(
            convert.status.success(),
            "{}",
            String::from_utf8_lossy(&convert.stderr)
        );
        lists.extend(convert.stdout);
    }
    let lists = file("lists.pem", &lists);
    let verify = Command::new("openssl")
        .args([
            "verify",
            "-x509_strict",
            "-crl_check_all",
            "-attime",
            &NOW.0.to_string(),
            "-CAfile",
        ])
        .arg(root)
        .arg("-CRLfile")
        .arg(lists)
        .arg("-untrusted")
        .arg(&chain)
        .arg(&chain)
        .output()
        .unwrap();
    eprintln!("{}", String::from_utf8_lossy(&verify.stderr));
    Some(verify.status.success())
}

#[test]
fn openssl_follows_the_chain_and_the_lists() {
    let folder = tempfile::tempdir().unwrap();
    let profile = Profile::new([1; 32], NOW);
    let Some(accepted) = accepts(profile.clone(), folder.path()) else {
        return;
    };
    assert!(accepted);
    for revoked in [Certificate::Pck, Certificate::Authority] {
        let profile = Profile {
            revoked: vec![revoked],
            ..profile.clone()
        };
        assert_eq!(accepts(profile, folder.path()), Some(false), "{revoked:?}");
    }
}
