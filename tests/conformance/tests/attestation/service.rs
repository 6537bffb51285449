//! An enclave's quote becomes a token of an attestation service: `nacre attestation serve` and `attest`, and `nacre verify token`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use harness::archive::{self, Config, Entry};
use harness::{Linkage, Outcome, Running, images, nacre};

use crate::platform::Platform;

/// What the program in the enclave vouches for.
const DATA: &str = "the key that this enclave has made";

/// Vouches for `DATA` and prints the quote.
const SCRIPT: &str = "
import hashlib, sys
with open('/dev/attestation/user_report_data', 'wb') as file:
    file.write(hashlib.sha256(sys.argv[1].encode()).digest())
sys.stdout.write(open('/dev/attestation/quote', 'rb').read().hex())
";

fn quote_of(platform: &Platform, image: &str) -> Vec<u8> {
    let printed = platform.succeed(["run", image, "-c", SCRIPT, DATA], b"").stdout;
    crate::devices::bytes(&printed)
}

/// Where a service says that it is.
fn url_in(line: &str) -> &str {
    let url = line
        .strip_prefix("serving at ")
        .and_then(|rest| rest.split_once(','));
    url.expect(line).0
}

#[test]
fn a_quote_becomes_a_token_that_is_about_the_enclave_and_its_data() {
    let platform = Platform::new();
    let archive = images::provide(&images::recipe("python").unwrap()).unwrap();
    let (image, mr_enclave) = platform.convert(&archive, &["--allow-args"]);
    let quote = quote_of(&platform, &image);

    let trust = platform.trust();
    let state = platform.path("service");
    let serve = [
        "attestation",
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--state",
        &state,
    ];
    let serve = serve.into_iter().chain(trust.iter().map(String::as_str));
    let (_service, line) = Running::start(&mut platform.command(serve)).unwrap();
    let url = url_in(&line);

    let (certificate, data, token) = (
        format!("{state}/tls.pem"),
        platform.path("data"),
        platform.path("token"),
    );
    fs::write(&data, DATA).unwrap();
    let service = [
        "--service",
        url,
        "--ca",
        &certificate,
        "--dangerous-accept-simulated",
    ];
    let call = |command: [&'static str; 2], input: &[u8], options: &[&str]| {
        let all = command.into_iter().chain(["-"]).chain(service);
        Outcome::of(platform.command(all.chain(options.iter().copied())), input).unwrap()
    };

    let attest = |options: &[&str]| call(["attestation", "attest"], &quote, options);
    let given = attest(&[
        "--runtime-data",
        &data,
        "--nonce",
        "of this request",
        "--mrenclave",
        &mr_enclave,
    ]);
    assert_eq!(given.status, 0, "{given}");
    fs::write(&token, &given.stdout).unwrap();
    let verify = |options: &[&str]| call(["verify", "token"], given.stdout.as_bytes(), options);
    let claims = verify(&["--runtime-data", &data, "--mrenclave", &mr_enclave]);
    assert_eq!(claims.status, 0, "{claims}");
    let claims: serde_json::Value = serde_json::from_str(&claims.stdout).unwrap();
    assert_eq!(claims["x-ms-sgx-mrenclave"], mr_enclave);
    assert_eq!(claims["x-nacre-simulated"], true);
    assert_eq!(claims["nonce"], "of this request");

    let refused = |outcome: Outcome, why: &str| {
        assert_eq!(outcome.status, 1, "{outcome}");
        assert!(outcome.stderr.contains(why), "{outcome}");
    };
    let another = "00".repeat(32);
    fs::write(&data, "other data").unwrap();
    refused(attest(&["--runtime-data", &data]), "runtime data");
    refused(verify(&["--mrenclave", &another]), "MRENCLAVE");
    refused(verify(&["--runtime-data", &data]), "report data");
    refused(verify(&["--nonce", "of another"]), "nonce");
    let mut changed = quote.clone();
    changed[200] ^= 1;
    refused(call(["attestation", "attest"], &changed, &[]), "InvalidQuote");
    // Without being told so, nobody takes a simulated platform for a real one.
    let genuine = ["verify", "token", &token, "--service", url, "--ca", &certificate];
    let genuine = Outcome::of(platform.command(genuine), b"").unwrap();
    refused(genuine, "/simulated");
}

/// An archive with the service and what it trusts.
fn service(platform: &Platform) -> PathBuf {
    platform.trust();
    let path = |name: &str| platform.path(name);
    let program = path("nacre");
    output(
        Command::new("strip")
            .arg("-o")
            .arg(&program)
            .arg(nacre().unwrap()),
    );

    let mut entries = Linkage::Dynamic.libraries(program.as_ref()).unwrap();
    let files = [
        ("nacre", program.clone()),
        ("root.pem", path("trust/root.pem")),
        ("collateral.json", path("trust/collateral.json")),
    ];
    entries.extend(files.map(|(name, from)| Entry::file(name, 0o700, fs::read(from).unwrap())));
    let words = "/nacre attestation serve --listen 127.0.0.1:0 --state /state \
                 --collateral /collateral.json --dangerous-trust-simulated /root.pem";
    let config = Config {
        entrypoint: words.split_whitespace().map(str::to_owned).collect(),
        working_dir: "/".to_owned(),
        ..Config::default()
    };
    let archive = PathBuf::from(path("service.tar"));
    let file = fs::File::create(&archive).unwrap();
    archive::write(file, "service:latest", &config, &archive::layer(entries).unwrap()).unwrap();
    archive
}

/// The certificate that the service has made for itself, as PEM.
fn certificate_of(url: &str) -> String {
    let address = url.strip_prefix("https://").unwrap();
    let shown = output(Command::new("openssl").args(["s_client", "-connect", address]));
    let start = shown.find("-----BEGIN CERTIFICATE").unwrap();
    let end = "-----END CERTIFICATE-----\n";
    let len = shown[start..].find(end).unwrap() + end.len();
    shown[start..start + len].to_owned()
}

fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// It is an ordinary program, and so protected by what it serves.
#[test]
fn the_service_runs_in_an_enclave_itself() {
    let platform = Platform::new();
    let python = images::provide(&images::recipe("python").unwrap()).unwrap();
    let (image, mr_enclave) = platform.convert(&python, &["--allow-args"]);
    let quote = quote_of(&platform, &image);

    // It listens on 127.0.0.1, and its clients are on the host.
    let (image, _) = platform.convert(&service(&platform), &["--allow-loopback"]);
    let (_service, line) = Running::start(&mut platform.command(["run", &image])).unwrap();
    let url = url_in(&line);
    let certificate = platform.path("tls.pem");
    fs::write(&certificate, certificate_of(url)).unwrap();
    let attest = [
        "attestation",
        "attest",
        "-",
        "--dangerous-accept-simulated",
        "--mrenclave",
        &mr_enclave,
    ];
    let service = ["--service", url, "--ca", &certificate];
    let token = platform.succeed(attest.into_iter().chain(service), &quote);
    assert_eq!(token.stdout.matches('.').count(), 2, "{token}");
}
