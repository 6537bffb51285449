//! `/dev/attestation`: reports, quotes and sealing keys, as programs see them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::archive::{self, Config, Entry};
use harness::{Outcome, images, nacre};
use tempfile::TempDir;

use crate::platform::{Platform, test_key};

/// Images of the program in `tests/images/attestation.c`.
struct Images(TempDir);

impl Images {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../images/attestation.c");
        let program = dir.path().join("program");
        let mut command = Command::new("gcc");
        command.args([
            "-std=gnu17",
            "-O2",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-static",
            "-pthread",
            "-o",
        ]);
        let outcome = Outcome::of(
            {
                command.arg(&program).arg(source);
                command
            },
            b"",
        )
        .unwrap();
        assert_eq!(outcome.status, 0, "{outcome}");
        let layer = archive::layer(vec![Entry::file("program", 0o755, fs::read(program).unwrap())]).unwrap();
        let config = Config {
            entrypoint: vec!["/program".to_owned()],
            working_dir: "/".to_owned(),
            ..Config::default()
        };
        let mut plain = fs::File::create(dir.path().join("plain.tar")).unwrap();
        archive::write(&mut plain, "attestation:latest", &config, &layer).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn convert(&self, name: &str, key: &Path, choices: &[&str]) -> String {
        let target = format!("oci-archive:{}", self.path(name).display());
        let mut command = Command::new(nacre().unwrap());
        command
            .arg("convert")
            .arg(format!("docker-archive:{}", self.path("plain.tar").display()))
            .arg(&target)
            .arg("--key")
            .arg(key)
            .args(choices)
            .current_dir(self.0.path());
        let outcome = Outcome::of(command, b"").unwrap();
        assert_eq!(outcome.status, 0, "{outcome}");
        target
    }
}

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    assert!(rest.is_empty());
    pairs
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn the_quote_is_of_the_image_that_was_converted() {
    let (images, platform) = (Images::new(), Platform::new());
    let image = images.convert(
        "one.tar",
        &test_key(),
        &["--product", "7", "--security-version", "5"],
    );
    let inspected = platform.succeed(["inspect", "--json", &image], b"");
    let known: serde_json::Value = serde_json::from_str(&inspected.stdout).unwrap();
    let found = platform.run(&image);
    assert_eq!(known["mr_enclave"], found["mr_enclave"]);
    assert_eq!(known["mr_signer"], found["mr_signer"]);

    let verdict = platform.verify(&bytes(&found["quote"]), &[]);
    let report = &verdict["verdict"]["report"]["sgx"];
    assert_eq!(report["mr_enclave"], known["mr_enclave"], "{verdict:#}");
    assert_eq!(report["isv_prod_id"], 7, "{verdict:#}");
    assert_eq!(report["isv_svn"], 5, "{verdict:#}");
    let said = report["report_data"].as_str().unwrap();
    assert!(bytes(said).starts_with(b"for the verifier\0"), "{said}");
}

#[test]
fn sealing_keys_are_bound_to_enclave_signer_and_platform() {
    let (images, platform) = (Images::new(), Platform::new());
    let keys = |platform: &Platform, image: &str| {
        let found = platform.run(image);
        (found["key_of_enclave"].clone(), found["key_of_signer"].clone())
    };
    let image = images.convert("one.tar", &test_key(), &[]);
    let (of_enclave, of_signer) = keys(&platform, &image);
    assert_eq!(
        keys(&platform, &image),
        (of_enclave.clone(), of_signer.clone()),
        "the next run"
    );

    let other = images.convert("other.tar", &test_key(), &["--hostname", "other"]);
    let found = keys(&platform, &other);
    assert_ne!(found.0, of_enclave, "another enclave");
    assert_eq!(found.1, of_signer, "of the same signer");

    let differs = |found: (String, String), why: &str| {
        assert_ne!(found.0, of_enclave, "{why}");
        assert_ne!(found.1, of_signer, "{why}");
    };
    differs(keys(&Platform::new(), &image), "another platform");
    let debug = images.convert("debug.tar", &test_key(), &["--debug"]);
    differs(keys(&platform, &debug), "what the host can look into");
    let product = images.convert("product.tar", &test_key(), &["--product", "1"]);
    let found = keys(&platform, &product);
    assert_ne!(found.1, of_signer, "another product of the signer");
    let key = images.path("another.pem");
    platform.succeed(["keygen", key.to_str().unwrap()], b"");
    let signed = images.convert("signed.tar", &key, &[]);
    assert_ne!(keys(&platform, &signed).1, of_signer, "another signer");
}

/// An update: what version 1 has sealed, version 2 of another image reads, and not the other way round.
#[test]
fn an_update_has_the_sealing_keys_of_the_versions_before() {
    let (images, platform) = (Images::new(), Platform::new());
    let converted = |name: &str, version: &str, host: &str| {
        let choices = ["--security-version", version, "--hostname", host];
        platform.run(&images.convert(name, &test_key(), &choices))
    };
    let first = converted("first.tar", "1", "one");
    let second = converted("second.tar", "2", "two");
    assert_ne!(first["mr_enclave"], second["mr_enclave"]);
    assert_eq!(first["key_of_signer"], first["key_of_signer_1"]);
    assert_eq!(second["key_of_signer"], second["key_of_signer_2"]);
    assert_ne!(
        second["key_of_signer"], first["key_of_signer"],
        "the version counts"
    );
    assert_eq!(
        second["key_of_signer_1"], first["key_of_signer"],
        "the update has it"
    );
    assert_eq!(second["key_of_signer_0"], first["key_of_signer_0"]);
    // That version 1 gets no key of version 2 is what the program has seen itself.
    assert!(!first.contains_key("key_of_signer_2"));

    // The same image, signed again with a higher version, also has what was bound to the enclave alone.
    let image = format!("oci-archive:{}", images.path("first.tar").display());
    let signed = format!("oci-archive:{}", images.path("signed.tar").display());
    let key = test_key().display().to_string();
    platform.succeed(
        ["sign", &image, &signed, "--key", &key, "--security-version", "3"],
        b"",
    );
    let third = platform.run(&signed);
    assert_eq!(third["mr_enclave"], first["mr_enclave"]);
    assert_ne!(third["key_of_enclave"], first["key_of_enclave"]);
    assert_eq!(third["key_of_enclave_1"], first["key_of_enclave"]);
}

#[test]
fn a_script_for_gramine_runs_as_it_is() {
    let platform = Platform::new();
    let archive = images::provide(&images::recipe("python").unwrap()).unwrap();
    let script = include_str!("../../../images/attestation.py");
    let image = format!("docker-archive:{}", archive.display());
    let outcome = platform.succeed(["run", &image, "-c", script], b"");
    let found: BTreeMap<_, _> = outcome
        .stdout
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    assert_eq!(found["type"], "dcap");
    assert_eq!(found["default"], "000102030405060708090a0b0c0d0e0f");
    assert_eq!(
        found["keys"],
        "['_sgx_mrenclave', '_sgx_mrsigner', 'default', 'version', 'versions']"
    );
    // A plain image is run as a debug enclave.
    platform.verify(&bytes(found["quote"]), &["--dangerous-accept-debug"]);
}
