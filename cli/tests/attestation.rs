//! `nacre attestation serve`, as an operator runs it; OpenSSL's client speaks with it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use dcap_quote::{Tee, UnixTime};
use simulated_platform::{Profile, SimulatedPlatform};

/// Collateral, root certificate and an attest call in a folder.
struct Files {
    folder: tempfile::TempDir,
    platform: SimulatedPlatform,
}

struct Service {
    process: Child,
    address: String,
    issuer: String,
    certificate: PathBuf,
}

impl Files {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let platform = SimulatedPlatform::new(Profile::new([5; 32], UnixTime(now.as_secs())));
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
            platform,
        };
        let collateral = files.platform.collateral(Tee::Sgx);
        files.write("collateral", &serde_json::to_vec(&collateral).unwrap());
        files.write("root", files.platform.root_certificate().as_bytes());
        files
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nacre"));
        command
            .current_dir(self.folder.path())
            .args([
                "attestation",
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--state",
                "state",
            ])
            .args(words.split_whitespace())
            .stderr(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    fn start(&self, words: &str) -> Service {
        let log = fs::File::create(self.path("log")).unwrap();
        let mut process = self.command(words).stderr(log).spawn().unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let line = line.trim_end();
        let words = line
            .strip_prefix("serving at https://")
            .unwrap_or_else(|| panic!("no address in {line:?}"));
        let (address, rest) = words.split_once(", issuer ").unwrap();
        let (issuer, certificate) = rest.split_once(", certificate ").unwrap();
        Service {
            process,
            address: address.to_owned(),
            issuer: issuer.to_owned(),
            certificate: self.path(certificate),
        }
    }

    /// The one line of a failure.
    fn fail(&self, words: &str) -> String {
        let output = self.command(words).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(125), "{text}");
        let errors: Vec<_> = text.lines().filter(|line| line.starts_with("nacre: ")).collect();
        let [error] = errors[..] else {
            panic!("not one line: {text}")
        };
        error.to_owned()
    }
}

impl Service {
    /// What OpenSSL's client, which trusts the certificate file alone, gets as an answer.
    fn send(&self, method: &str, path: &str, body: &str) -> String {
        let mut client = Command::new("openssl")
            .args([
                "s_client",
                "-quiet",
                "-verify_return_error",
                "-verify_ip",
                "127.0.0.1",
                "-CAfile",
            ])
            .arg(&self.certificate)
            .args(["-connect", &self.address])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: \
             {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        client
            .stdin
            .as_mut()
            .unwrap()
            .write_all(request.as_bytes())
            .unwrap();
        let output = client.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Ends it as an administrator does.
    fn stop(mut self) {
        let killed = Command::new("kill")
            .arg(self.process.id().to_string())
            .status()
            .unwrap();
        assert!(killed.success());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const SIMULATED: &str = "--collateral collateral --dangerous-trust-simulated root";

#[test]
fn a_token_for_a_simulated_enclave_and_the_same_keys_after_a_restart() {
    let files = Files::new();
    let service = files.start(SIMULATED);
    assert_eq!(service.issuer, format!("https://{}/simulated", service.address));
    let health = service.send("GET", "/health", "");
    assert!(
        health.starts_with("HTTP/1.1 200") && health.contains("protect nothing"),
        "{health}"
    );
    let call = serde_json::json!({ "quote": base64(&files.platform.quote(&[0; 384])) });
    let answer = service.send(
        "POST",
        "/attest/SgxEnclave?api-version=2025-06-01",
        &call.to_string(),
    );
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("{\"token\":\"ey"),
        "{answer}"
    );
    let body = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    let token: serde_json::Value = serde_json::from_str(&body(&answer)).unwrap();
    files.write("token", token["token"].as_str().unwrap().as_bytes());
    let verify = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nacre"));
        command
            .current_dir(files.folder.path())
            .args(["verify", "token", "token", "--service"]);
        command
            .args([&format!("https://{}", service.address), "--ca"])
            .arg(&service.certificate);
        let output = command.args(words).output().unwrap();
        (String::from_utf8(output.stderr).unwrap(), output.status.code())
    };
    let (said, status) = verify(&[]);
    assert!(said.contains("--dangerous-accept-simulated accepts it"), "{said}");
    assert_eq!(status, Some(1));
    assert_eq!(verify(&["--dangerous-accept-simulated"]).1, Some(0));
    let keys = body(&service.send("GET", "/certs", ""));
    let certificate = fs::read(&service.certificate).unwrap();
    service.stop();
    let log = fs::read_to_string(files.path("log")).unwrap();
    assert!(
        log.contains("SIMULATED PLATFORM") && log.contains("shutting down"),
        "{log}"
    );
    // Neither evidence nor tokens.
    let (quote, token) = (call["quote"].as_str().unwrap(), body(&answer));
    assert!(
        log.contains("/attest/{type}") && !log.contains(&quote[600..700]) && !log.contains(&token[200..300])
    );

    let service = files.start(SIMULATED);
    assert_eq!(body(&service.send("GET", "/certs", "")), keys);
    assert_eq!(fs::read(&service.certificate).unwrap(), certificate);
    service.stop();
    // Nor would a service that trusts Intel's take the keys of a simulated platform.
    assert!(files.fail("").contains("a simulated platform"));
}

#[test]
fn without_the_simulated_root_by_name_nothing_simulated_is_trusted() {
    let files = Files::new();
    let error = files.fail("--collateral collateral");
    assert!(
        error.contains("collateral") && error.contains("trusted root"),
        "{error}"
    );
    let service = files.start("");
    let log = fs::read_to_string(files.path("log")).unwrap();
    assert!(
        log.contains("there is no collateral: every attest call will be refused"),
        "{log}"
    );
    let call = serde_json::json!({ "quote": base64(&files.platform.quote(&[0; 384])) });
    let answer = service.send(
        "POST",
        "/attest/SgxEnclave?api-version=2025-06-01",
        &call.to_string(),
    );
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("simulated"),
        "{answer}"
    );
    assert!(service.send("GET", "/health", "").starts_with("HTTP/1.1 503"));
}

#[test]
fn newer_collateral_is_taken_on_a_signal() {
    let files = Files::new();
    let good = fs::read(files.path("collateral")).unwrap();
    let other = SimulatedPlatform::new(Profile::new([5; 32], UnixTime(1_000_000_000)));
    files.write(
        "collateral",
        &serde_json::to_vec(&other.collateral(Tee::Sgx)).unwrap(),
    );
    let service = files.start(SIMULATED);
    let health = service.send("GET", "/health", "");
    assert!(
        health.starts_with("HTTP/1.1 503") && health.contains("no valid collateral"),
        "{health}"
    );
    files.write("newer", &good);
    fs::rename(files.path("newer"), files.path("collateral")).unwrap();
    let hangup = Command::new("kill")
        .args(["-HUP", &service.process.id().to_string()])
        .status();
    assert!(hangup.unwrap().success());
    while service.send("GET", "/health", "").starts_with("HTTP/1.1 503") {}
}

#[test]
fn collateral_from_the_cache_as_it_comes() {
    let files = Files::new();
    let import = |words: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nacre"));
        command.current_dir(files.folder.path()).args([
            "collateral",
            "import",
            "--collateral-cache",
            "cache",
        ]);
        let output = command.args(words.split(' ')).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    let tdx = serde_json::to_vec(&files.platform.collateral(Tee::Tdx)).unwrap();
    files.write("tdx", &tdx);
    import("--dangerous-trust-simulated root tdx");
    let service = files.start("--collateral-cache cache --dangerous-trust-simulated root");
    let call = serde_json::json!({ "quote": base64(&files.platform.quote(&[0; 384])) });
    let attest = || {
        service.send(
            "POST",
            "/attest/SgxEnclave?api-version=2025-06-01",
            &call.to_string(),
        )
    };
    assert!(attest().contains("CollateralUnavailable"));
    import("--dangerous-trust-simulated root collateral");
    let hangup = Command::new("kill")
        .args(["-HUP", &service.process.id().to_string()])
        .status();
    assert!(hangup.unwrap().success());
    let mut answer = attest();
    while answer.contains("CollateralUnavailable") {
        answer = attest();
    }
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // The directory is bound to the simulated root.
    assert!(files.fail("--collateral-cache cache").contains("cache"));
}

/// `nacre policy` with this service, as its administrator or as somebody else.
fn policy(files: &Files, service: &Service, words: &str) -> (String, String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nacre"));
    command.current_dir(files.folder.path()).arg("policy");
    command.args(words.split(' '));
    command.args(["--service", &format!("https://{}", service.address), "--ca"]);
    let output = command.arg(&service.certificate).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[test]
fn an_administrator_sets_and_resets_a_policy() {
    const POLICY: &str =
        "version=1.0;\nauthorizationrules { [type==\"x-ms-sgx-svn\", value>=9] => permit(); };\n";
    let files = Files::new();
    files.write("admin", format!("{}\n", "5ec4e7".repeat(12)).as_bytes());
    files.write("policy", POLICY.as_bytes());
    files.write("broken", b"version=1.0;");
    files.write(
        "careless",
        POLICY.replace("9", "\"9\"").replace(">=", "!=").as_bytes(),
    );
    let service = files.start(&format!("{SIMULATED} --admin-token admin"));
    let call = serde_json::json!({ "quote": base64(&files.platform.quote(&[0; 384])) });
    let attest = || {
        let path = "/attest/SgxEnclave?api-version=2025-06-01";
        service.send("POST", path, &call.to_string())
    };
    let (default, _, status) = policy(&files, &service, "get --admin-token admin");
    assert_eq!(status, Some(0));
    assert!(default.contains("=> permit();"), "{default}");

    let (out, error, status) = policy(&files, &service, "set policy --admin-token admin");
    assert_eq!((error.as_str(), status), ("", Some(0)));
    assert!(out.starts_with("set: SgxEnclave, policy hash "), "{out}");
    let (shown, _, _) = policy(&files, &service, "get --admin-token admin");
    assert_eq!(shown, POLICY);
    assert!(attest().contains("the policy denies"));
    // Of another kind, nothing has changed.
    let (other, _, _) = policy(&files, &service, "get --type TdxVm --admin-token admin");
    assert!(!other.contains("svn"), "{other}");

    // Who has no token is refused, and what is no policy is not sent.
    for words in ["get", "set policy", "reset"] {
        let (out, error, status) = policy(&files, &service, words);
        assert_eq!((out.as_str(), status), ("", Some(1)), "{words}");
        assert!(
            error.starts_with("nacre: refused: ") && error.contains("401"),
            "{error}"
        );
    }
    let (_, error, status) = policy(&files, &service, "set broken --admin-token admin");
    assert!(error.contains("broken: line 1") && status == Some(1), "{error}");
    let (_, error, status) = policy(&files, &service, "set careless --admin-token admin");
    assert!(error.contains("warning: line 2") && status == Some(0), "{error}");

    let (out, error, status) = policy(&files, &service, "reset --admin-token admin");
    assert_eq!((error.as_str(), status), ("", Some(0)));
    assert!(out.starts_with("reset to the default: SgxEnclave"), "{out}");
    assert_eq!(policy(&files, &service, "get --admin-token admin").0, default);
    assert!(attest().starts_with("HTTP/1.1 200"));
    let log = fs::read_to_string(files.path("log")).unwrap();
    assert!(!log.contains("5ec4e7"));
}

#[test]
fn what_cannot_be_used_is_named() {
    let files = Files::new();
    files.write("short", b"secret");
    files.write("text", b"no certificate");
    for (words, part) in [
        ("--collateral missing", "missing"),
        ("--collateral root", "root is not a collateral file"),
        (
            "--dangerous-trust-simulated collateral",
            "not the root certificate",
        ),
        ("--admin-token short", "openssl rand"),
        ("--policy-signer text", "text is not a certificate"),
        ("--tls-cert root --tls-key text", "private key"),
        ("--tls-cert root", "--tls-key"),
        ("--url http://plain.example", "https://HOST"),
        ("--accept Fine", "Fine"),
    ] {
        let error = files.fail(words);
        assert!(error.contains(part), "{words}: {error}");
    }
    assert!(!Path::new(&files.path("state/tls.pem")).exists());
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
