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
    assert_eq!(found["keys"], "['_sgx_mrenclave', '_sgx_mrsigner', 'default']");
    // A plain image is run as a debug enclave.
    platform.verify(&bytes(found["quote"]), &["--dangerous-accept-debug"]);
}
