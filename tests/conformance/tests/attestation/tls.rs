//! Servers in an enclave whose TLS certificates prove it, and what their clients see: `examples/attested-server`, and Python with the
//! key and the certificate of `/dev/attestation/tls`.

use std::fs;
use std::path::PathBuf;

use harness::archive::{self, Config, Entry};
use harness::{Linkage, Outcome, Running, built, images};

use crate::platform::Platform;

/// An archive with the server, which listens where the system chooses.
fn server(platform: &Platform) -> PathBuf {
    let program = built("attested-server").unwrap();
    let mut entries = Linkage::Dynamic.libraries(&program).unwrap();
    entries.push(Entry::file("server", 0o755, fs::read(program).unwrap()));
    let config = Config {
        entrypoint: vec!["/server".to_owned(), "0.0.0.0:0".to_owned()],
        working_dir: "/".to_owned(),
        ..Config::default()
    };
    let path = PathBuf::from(platform.path("server.tar"));
    let file = fs::File::create(&path).unwrap();
    archive::write(file, "server:latest", &config, &archive::layer(entries).unwrap()).unwrap();
    path
}

#[test]
fn who_connects_sees_which_enclave_has_the_key() {
    let platform = Platform::new();
    let (image, mr_enclave) = platform.convert(&server(&platform), &[]);
    let (_server, line) = Running::start(&mut platform.command(["run", &image])).unwrap();
    let address = line.strip_prefix("listening on ").expect(&line);
    let address = &address.replace("0.0.0.0", "127.0.0.1");

    let verify = |platform: &Platform| {
        let trust = platform.trust();
        let command = ["verify", "tls", address, "--json"];
        let all = command.into_iter().chain(trust.iter().map(String::as_str));
        Outcome::of(platform.command(all), b"").unwrap()
    };
    let proven = verify(&platform);
    assert_eq!(proven.status, 0, "{proven}");
    let found: serde_json::Value = serde_json::from_str(&proven.stdout).unwrap();
    assert_eq!(found["acceptable"], true, "{found:#}");
    assert!(proven.stdout.contains(&mr_enclave), "{found:#}");

    let by_another = verify(&Platform::new());
    assert_eq!(by_another.status, 1, "{by_another}");
    let by_intel = [
        "verify",
        "tls",
        address,
        "--collateral",
        &platform.path("trust/collateral.json"),
    ];
    let by_intel = Outcome::of(platform.command(by_intel), b"").unwrap();
    assert_eq!(by_intel.status, 1, "{by_intel}");
}

/// `nacre verify tls` is the judge, and a client that trusts the certificate and looks at names gets an answer.
#[test]
fn a_server_that_knows_nothing_of_attestation_proves_its_enclave() {
    let platform = Platform::new();
    let archive = images::provide(&images::recipe("python").unwrap()).unwrap();
    let image = format!("docker-archive:{}", archive.display());
    let script = include_str!("../../../images/tls_server.py");
    let start = || Running::start(&mut platform.command(["run", &image, "-c", script])).unwrap();
    let (_first, line) = start();
    let address = line.strip_prefix("listening on ").expect(&line).to_owned();

    let verify = |address: &str, options: &[&str]| {
        let trust = platform.trust();
        let command = ["verify", "tls", address, "--json", "--dangerous-accept-debug"];
        let trust = trust.iter().map(String::as_str);
        Outcome::of(
            platform.command(command.into_iter().chain(trust).chain(options.iter().copied())),
            b"",
        )
        .unwrap()
    };
    let proven = verify(&address, &[]);
    assert_eq!(proven.status, 0, "{proven}");
    let found: serde_json::Value = serde_json::from_str(&proven.stdout).unwrap();
    assert_eq!(found["acceptable"], true, "{found:#}");
    assert_eq!(found["certificate"]["key"], "P-256", "{found:#}");
    let measured = &found["quotes"][0]["judgement"]["verdict"]["report"]["sgx"]["mr_enclave"];
    let measured = measured.as_str().expect("a measurement");
    assert_eq!(verify(&address, &["--mrenclave", measured]).status, 0);
    let another = verify(&address, &["--mrenclave", &"00".repeat(32)]);
    assert_eq!(another.status, 1, "{another}");

    // Another container has another key, although it is the same enclave.
    let (_second, line) = start();
    let other = verify(line.strip_prefix("listening on ").expect(&line), &[]);
    let other: serde_json::Value = serde_json::from_str(&other.stdout).unwrap();
    assert_ne!(other["certificate"]["sha256"], found["certificate"]["sha256"]);

    // What a client on this machine sees, which has the certificate from somewhere and looks at the name.
    let port = address.rsplit(':').next().unwrap();
    let client = format!(
        "import ssl, urllib.request as u; pem = ssl.get_server_certificate(('127.0.0.1', {port})); \
         context = ssl.create_default_context(cadata=pem); \
         print(u.urlopen('https://localhost:{port}/', context=context).read().decode(), end='')"
    );
    let mut python = std::process::Command::new("python3");
    python
        .args(["-c", &client])
        .env_remove("https_proxy")
        .env("no_proxy", "*");
    let answer = Outcome::of(python, b"").unwrap();
    assert_eq!(
        (answer.stdout.as_str(), answer.status),
        ("from inside\n", 0),
        "{answer}"
    );
}

/// The same files, read as Node.js reads files.
#[test]
fn node_serves_with_the_same_files() {
    let platform = Platform::new();
    let archive = images::provide(&images::recipe("node").unwrap()).unwrap();
    let image = format!("docker-archive:{}", archive.display());
    let script = r#"
        const fs = require("fs"), https = require("https"), tls = "/dev/attestation/tls/";
        const files = { cert: fs.readFileSync(tls + "cert.pem"), key: fs.readFileSync(tls + "key.pem") };
        const server = https.createServer(files, (request, response) => response.end("hello"));
        server.listen(0, "127.0.0.1", () => console.log("listening on 127.0.0.1:" + server.address().port));
    "#;
    let (_server, line) = Running::start(&mut platform.command(["run", &image, "-e", script])).unwrap();
    let address = line.strip_prefix("listening on ").expect(&line);
    let trust = platform.trust();
    let command = ["verify", "tls", address, "--dangerous-accept-debug"];
    let all = command.into_iter().chain(trust.iter().map(String::as_str));
    let proven = Outcome::of(platform.command(all), b"").unwrap();
    assert_eq!(proven.status, 0, "{proven}");
}
