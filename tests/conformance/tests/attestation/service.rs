//! From an enclave's quote to a token that others believe: `nacre attestation serve` and `attest`, and `nacre verify token`.

use std::fs;

use conformance::{Outcome, Running, images};

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

#[test]
fn a_quote_becomes_a_token_that_is_about_the_enclave_and_its_data() {
    let platform = Platform::new();
    let archive = images::provide(&images::recipe("python").unwrap()).unwrap();
    let (image, mr_enclave) = platform.convert(&archive, &["--allow-args"]);
    let quote = platform.succeed(["run", &image, "-c", SCRIPT, DATA], b"").stdout;
    let quote = crate::devices::bytes(&quote);

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
    let (url, _) = line
        .strip_prefix("serving at ")
        .and_then(|rest| rest.split_once(','))
        .expect(&line);

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
