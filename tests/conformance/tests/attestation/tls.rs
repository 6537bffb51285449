//! `examples/attested-server` in an enclave, and what its clients see.

use std::fs;
use std::path::PathBuf;

use harness::archive::{self, Config, Entry};
use harness::{Linkage, Outcome, Running, built};

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
