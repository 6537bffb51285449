//! A key in SoftHSM (Debian: softhsm2) signs what the key in a file signs, and OpenSSL says that they are one key.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sgx_sign::{Date, MrEnclave, SignOptions, Signer as _, SigningKey, Unsigned};
use tempfile::TempDir;
use token_signer::{TokenKey, TokenUri};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// A token with a key, in a directory of its own.
struct Token {
    dir: TempDir,
}

impl Token {
    fn new() -> Self {
        let token = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let tokens = token.path("tokens");
        fs::create_dir(&tokens).unwrap();
        let config = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\n",
            tokens.display()
        );
        fs::write(token.path("softhsm2.conf"), config).unwrap();
        fs::write(token.path("pin"), "1234\n").unwrap();
        token.tool(&[
            "--init-token",
            "--free",
            "--label",
            "nacre",
            "--pin",
            "1234",
            "--so-pin",
            "5678",
        ]);
        token
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.path("softhsm2.conf")
    }

    fn tool(&self, args: &[&str]) {
        let output = Command::new("softhsm2-util")
            .args(args)
            .env("SOFTHSM2_CONF", self.config())
            .output();
        let output = output.expect("Debian's softhsm2");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {text}");
    }

    fn import(&self, pem: &Path, label: &str, id: &str) {
        let pem = pem.to_str().unwrap();
        self.tool(&[
            "--import", pem, "--token", "nacre", "--label", label, "--id", id, "--pin", "1234",
        ]);
    }
}

fn test_key() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sgx-sign/tests/keys/test-only.pem")
}

/// Names the directory of a token to the process that a test starts for itself: the module reads its configuration from the
/// environment of the process.
const TOKEN: &str = "TOKEN_DIRECTORY";

/// The URI of a key in the token that this process was started for.
fn uri(object: &str) -> Option<TokenUri> {
    let pin = PathBuf::from(std::env::var_os(TOKEN)?).join("pin");
    let text = format!(
        "pkcs11:token=nacre;object={object}?module-path={MODULE}&pin-source={}",
        pin.display()
    );
    Some(TokenUri::parse(&text).unwrap().unwrap())
}

/// Runs the test once more, in a process that has the token.
fn again_with(token: &Token, test: &str) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("SOFTHSM2_CONF", token.config())
        .env(TOKEN, token.dir.path())
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn a_key_in_a_token_signs_as_in_a_file() {
    let Some(uri) = uri("signer") else {
        let token = Token::new();
        token.import(&test_key(), "signer", "a1");
        return again_with(&token, "a_key_in_a_token_signs_as_in_a_file");
    };
    let in_token = TokenKey::open(&uri).unwrap();
    let in_file = SigningKey::load(&test_key()).unwrap();
    assert_eq!(in_token.public(), in_file.public());
    let options = SignOptions {
        date: Date::DEFAULT,
        ..SignOptions::default()
    };
    let unsigned = Unsigned::new(MrEnclave([7; 32]), false, &options);
    let by_token = unsigned.clone().sign(&in_token).unwrap();
    assert_eq!(
        by_token,
        unsigned.sign(&in_file).unwrap(),
        "PKCS #1 has one signature for one key and text"
    );
    sgx_sign::verify(&by_token).unwrap();
}

#[test]
fn keys_that_are_not_there_or_of_another_kind_are_refused() {
    let Some(uri) = uri("other") else {
        let token = Token::new();
        let other = token.path("exponent-65537.pem");
        let made = Command::new("openssl")
            .args([
                "genpkey",
                "-quiet",
                "-algorithm",
                "RSA",
                "-pkeyopt",
                "rsa_keygen_bits:3072",
                "-out",
            ])
            .arg(&other)
            .status();
        assert!(made.unwrap().success());
        token.import(&other, "other", "a2");
        return again_with(&token, "keys_that_are_not_there_or_of_another_kind_are_refused");
    };
    let refused = |uri: &TokenUri, words: &str| {
        let error = TokenKey::open(uri).err().unwrap().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(&uri, "3072 bits with exponent 3");
    refused(
        &TokenUri {
            object: Some("absent".into()),
            ..uri.clone()
        },
        "there are 0 private keys",
    );
    refused(
        &TokenUri {
            token: Some("elsewhere".into()),
            ..uri.clone()
        },
        "there are 0 tokens",
    );
    refused(
        &TokenUri {
            module: "/nowhere.so".into(),
            ..uri.clone()
        },
        "cannot use the PKCS #11 module /nowhere.so",
    );
    refused(
        &TokenUri {
            pin_source: Some("/nowhere".into()),
            ..uri
        },
        "cannot read the PIN from /nowhere",
    );
}
