//! Keys and signatures, with OpenSSL and Fortanix's SGXS tools as independent witnesses.

mod sample;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sgx_arch::{Attributes, SigStruct};
use sgx_sign::{
    KeyError, Layout, Libos, MrEnclave, PublicKey, SignOptions, SignatureError, SigningKey, Unsigned, verify,
};
use tempfile::TempDir;

fn key_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys/test-only.pem")
}

fn key() -> SigningKey {
    SigningKey::load(&key_file()).unwrap()
}

fn unsigned() -> Unsigned {
    let options = SignOptions {
        product: 7,
        security_version: 3,
        ..SignOptions::default()
    };
    Unsigned::new(MrEnclave([0x42; 32]), false, &options)
}

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the tool starts");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

#[test]
fn a_signature_verifies_and_is_the_same_each_time() {
    let sig = unsigned().sign(&key()).unwrap();
    assert_eq!(sig, unsigned().sign(&key()).unwrap());
    assert_eq!(verify(&sig).unwrap(), key().public());
    assert_eq!(sig.isv_prod_id, 7);
    assert_eq!(sig.attributes.flags, Attributes::MODE64BIT);
    assert_eq!(
        sig.attributes_mask.flags, !0,
        "the host chooses no flag, DEBUG least of all"
    );
    let again = SigStruct::from_bytes(&sig.to_bytes()).unwrap();
    assert_eq!(again, sig);
}

#[test]
fn what_is_signed_cannot_be_changed() {
    let bytes = unsigned().sign(&key()).unwrap().to_bytes();
    for at in 0..bytes.len() {
        let mut changed = bytes;
        changed[at] ^= 0x01;
        let verified = SigStruct::from_bytes(&changed).is_ok_and(|sig| verify(&sig).is_ok());
        assert!(!verified, "byte {at}");
    }
}

#[test]
fn wrong_quotients_are_refused() {
    let mut sig = unsigned().sign(&key()).unwrap();
    sig.q1[5] ^= 1;
    assert_eq!(verify(&sig).unwrap_err(), SignatureError::Quotients);
}

#[test]
fn openssl_agrees_on_both_forms_of_signing() {
    let dir = TempDir::new().unwrap();
    let file = |name: &str| dir.path().join(name);
    fs::write(file("to-sign"), unsigned().bytes()).unwrap();
    fs::write(file("digest"), unsigned().digest()).unwrap();
    run(Command::new("openssl")
        .args(["pkey", "-pubout", "-in"])
        .arg(key_file())
        .arg("-out")
        .arg(file("public")));

    // Sign elsewhere, over the bytes or over their digest; add it here.
    run(Command::new("openssl")
        .args(["dgst", "-sha256", "-sign"])
        .arg(key_file())
        .arg("-out")
        .arg(file("by-bytes"))
        .arg(file("to-sign")));
    run(Command::new("openssl")
        .args(["pkeyutl", "-sign", "-pkeyopt", "digest:sha256", "-inkey"])
        .arg(key_file())
        .arg("-in")
        .arg(file("digest"))
        .arg("-out")
        .arg(file("by-digest")));
    let public = PublicKey::load(&file("public")).unwrap();
    let ours = unsigned().sign(&key()).unwrap();
    for name in ["by-bytes", "by-digest"] {
        let signature = fs::read(file(name)).unwrap();
        assert_eq!(
            unsigned().with_signature(&signature, &public).unwrap(),
            ours,
            "{name}"
        );
        assert_eq!(
            unsigned().with_signature(&signature[1..], &public).unwrap_err(),
            SignatureError::Mismatch
        );
    }

    // Sign here, verify elsewhere.
    let mut signature = ours.signature;
    signature.reverse();
    fs::write(file("signature"), signature).unwrap();
    run(Command::new("openssl")
        .args(["dgst", "-sha256", "-verify"])
        .arg(file("public"))
        .arg("-signature")
        .arg(file("signature"))
        .arg(file("to-sign")));
}

#[test]
fn a_signature_for_another_enclave_or_by_another_key_is_refused() {
    let sig = unsigned().sign(&key()).unwrap();
    let mut signature = sig.signature;
    signature.reverse();
    let other = Unsigned::new(MrEnclave([0x43; 32]), false, &SignOptions::default());
    assert_eq!(
        other.with_signature(&signature, &key().public()).unwrap_err(),
        SignatureError::Mismatch
    );
}

#[test]
fn keys_of_other_kinds_are_refused_with_a_reason() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("key");
    let generate = |options: &[&str]| {
        let mut command = Command::new("openssl");
        command.arg("genpkey");
        options.iter().for_each(|option| {
            command.args(["-pkeyopt", option]);
        });
        command
    };
    run(generate(&["rsa_keygen_bits:2048", "rsa_keygen_pubexp:3"])
        .args(["-algorithm", "RSA", "-out"])
        .arg(&path));
    assert!(matches!(SigningKey::load(&path), Err(KeyError::Kind(_, 2048, _))));
    run(generate(&["ec_paramgen_curve:P-256"])
        .args(["-algorithm", "EC", "-out"])
        .arg(&path));
    assert!(matches!(SigningKey::load(&path), Err(KeyError::Format(..))));
    fs::write(&path, "hello").unwrap();
    assert!(matches!(SigningKey::load(&path), Err(KeyError::Format(..))));
    assert!(matches!(PublicKey::load(&path), Err(KeyError::Format(..))));
    fs::remove_file(&path).unwrap();
    assert!(matches!(SigningKey::load(&path), Err(KeyError::Read(..))));
}

#[test]
fn a_key_is_written_once_for_its_owner_only() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("key.pem");
    key().save_new(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(SigningKey::load(&path).unwrap().public(), key().public());
    let before = fs::read(&path).unwrap();
    assert!(matches!(key().save_new(&path), Err(KeyError::Exists(_))));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_generated_key_signs() {
    let generated = SigningKey::generate().unwrap();
    let sig = unsigned().sign(&generated).unwrap();
    let signer = verify(&sig).unwrap().mr_signer();
    assert_eq!(signer, generated.public().mr_signer());
    assert_ne!(signer, key().public().mr_signer());
}

#[test]
fn the_sgxs_tools_read_the_file_and_measure_the_same() {
    // The library that these tools are made of is asked in any case (witness.rs).
    let Some(tools) = sgxs_tools() else {
        eprintln!("SKIPPED: sgxs-info and sgxs-sign are not on the path; `cargo install sgxs-tools`");
        return;
    };
    let dir = TempDir::new().unwrap();
    let file = |name: &str| dir.path().join(name);
    let libos = sample::libos();
    let libos = Libos::parse(&libos).unwrap();
    let out = fs::File::create(file("enclave.sgxs")).unwrap();
    let mr_enclave = Layout::new(&libos, &sample::config())
        .unwrap()
        .write(out)
        .unwrap();

    let info = run(Command::new(tools.join("sgxs-info"))
        .arg("summary")
        .arg(file("enclave.sgxs")));
    let info = String::from_utf8(info.stdout).unwrap();
    assert!(info.contains("Tcs") || info.contains("thread"), "{info}");

    run(Command::new(tools.join("sgxs-sign"))
        .args(["--key"])
        .arg(key_file())
        .args(["--date", "20260101", "-v", "3", "-p", "7"])
        // The tool takes masks inverted: which bits are free.
        .args(["-a", "0x4/0x0", "-x", "0x3/0xe4", "-m", "0x1/0x0"])
        .arg(file("enclave.sgxs"))
        .arg(file("enclave.sig")));
    let options = SignOptions {
        product: 7,
        security_version: 3,
        ..SignOptions::default()
    };
    let ours = Unsigned::new(mr_enclave, false, &options).sign(&key()).unwrap();
    let theirs = fs::read(file("enclave.sig")).unwrap();
    assert!(
        theirs == ours.to_bytes(),
        "{:?}\n{ours:?}",
        SigStruct::from_bytes(&theirs)
    );
}

/// Where `sgxs-info` is: in `SGXS_TOOLS` or on the path.
fn sgxs_tools() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<_> = std::env::var_os("SGXS_TOOLS")
        .into_iter()
        .map(PathBuf::from)
        .collect();
    dirs.extend(std::env::split_paths(&path));
    dirs.into_iter().find(|dir| dir.join("sgxs-info").exists())
}
