//! `nacre verify tls`, as a user runs it, against servers of this test.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;

use dcap_quote::{Tee, UnixTime, Validity};
use ra_tls::{Attested, Formats, Request, server_config};
use rustls::{ServerConfig, ServerConnection};
use simulated_platform::{Profile, SimulatedPlatform};

const AT: &str = "2025-06-24T00:00:00Z";
const TRUSTING: &str = "--collateral collateral --at 2025-06-24T00:00:00Z --dangerous-trust-simulated root";

/// A platform, and its collateral and root in a folder.
struct Setting {
    platform: SimulatedPlatform,
    folder: tempfile::TempDir,
}

impl Setting {
    fn new() -> Self {
        let platform = SimulatedPlatform::new(Profile::new([5; 32], UnixTime::from_rfc3339(AT).unwrap()));
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| fs::write(folder.path().join(name), content).unwrap();
        write(
            "collateral",
            &serde_json::to_vec(&platform.collateral(Tee::Sgx)).unwrap(),
        );
        write("root", platform.root_certificate().as_bytes());
        Self { platform, folder }
    }

    /// A certificate whose quotes are made from reports that were changed.
    fn attested(&self, formats: Formats, change: fn(&mut [u8; 384])) -> Attested {
        let at = UnixTime::from_rfc3339(AT).unwrap().0;
        let validity = Validity {
            from: UnixTime(at - 10),
            until: UnixTime(at + 10),
        };
        let request = Request::new(validity).unwrap().formats(formats).nonce([0xab]);
        let quote = |report_data: &[u8; 64]| {
            let mut body = [0; 384];
            body[64] = 0x5a;
            body[320..].copy_from_slice(report_data);
            change(&mut body);
            Ok::<_, std::io::Error>(self.platform.quote(&body))
        };
        request.certificate(quote).unwrap()
    }

    /// Standard output, standard error and the exit status.
    fn verify(&self, peer: &str, words: &str) -> (String, String, i32) {
        let output = Command::new(env!("CARGO_BIN_EXE_nacre"))
            .current_dir(self.folder.path())
            .args(["verify", "tls", peer])
            .args(words.split_whitespace())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            text(output.stdout),
            text(output.stderr),
            output.status.code().unwrap(),
        )
    }

    fn verify_server(&self, server: ServerConfig, words: &str) -> (String, String, i32) {
        let (address, thread) = serve(server);
        let answer = self.verify(&address.to_string(), words);
        thread.join().unwrap();
        answer
    }
}

/// Serves one connection until the client closes it.
fn serve(config: ServerConfig) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
        // The client may leave at any time.
        while let Ok((read, _)) = connection.complete_io(&mut socket) {
            if read == 0 {
                break;
            }
        }
        let mut rest = Vec::new();
        let _ = connection.reader().read_to_end(&mut rest);
        assert!(rest.is_empty(), "nothing is sent but the handshake");
    });
    (address, thread)
}

#[test]
fn proven_in_each_format() {
    let setting = Setting::new();
    for (formats, lines) in [
        (
            Formats::Interoperable,
            &["interoperable (2.23.133.5.4.9): speaks for this key"][..],
        ),
        (
            Formats::Legacy,
            &["legacy (1.2.840.113741.1337.6): speaks for this key"],
        ),
        (
            Formats::Both,
            &[
                "interoperable (2.23.133.5.4.9): speaks",
                "legacy (1.2.840.113741.1337.6): speaks",
            ],
        ),
    ] {
        let server = server_config(setting.attested(formats, |_| {}), None).unwrap();
        let (out, error, status) = setting.verify_server(server, TRUSTING);
        assert_eq!((error.as_str(), status), ("", 0), "{out}");
        assert!(
            out.starts_with("PROVEN BY A SIMULATED PLATFORM, which protects nothing: 127.0.0.1:"),
            "{out}"
        );
        for part in [
            "CN=Nacre RA-TLS",
            "P-256",
            "ACCEPTABLE: UpToDate",
            "SIMULATED",
            "MRENCLAVE        5a00",
        ] {
            assert!(out.contains(part), "{part}: {out}");
        }
        for line in lines {
            assert!(out.contains(line), "{line}: {out}");
        }
        assert_eq!(
            out.contains("nonce            ab"),
            formats != Formats::Legacy,
            "{out}"
        );
    }
}

/// The fixture's nonce is one byte, which no caller may ask for: it takes one of its own.
#[test]
fn the_nonce_that_was_asked_for() {
    let setting = Setting::new();
    let at = UnixTime::from_rfc3339(AT).unwrap().0;
    let nonce = [0xab; 16];
    let attested = |formats, nonce: &[u8]| {
        let validity = Validity {
            from: UnixTime(at - 10),
            until: UnixTime(at + 10),
        };
        let request = Request::new(validity).unwrap().formats(formats).nonce(nonce);
        let quote = |report_data: &[u8; 64]| {
            let mut body = [0; 384];
            body[320..].copy_from_slice(report_data);
            Ok::<_, std::io::Error>(setting.platform.quote(&body))
        };
        server_config(request.certificate(quote).unwrap(), None).unwrap()
    };
    for (formats, sent, part) in [
        (Formats::Interoperable, &nonce[..], "PROVEN BY A SIMULATED"),
        (Formats::Both, &nonce, "PROVEN BY A SIMULATED"),
        (
            Formats::Both,
            &nonce[1..],
            "NOT PROVEN: the certificate's nonce is abab",
        ),
        (
            Formats::Legacy,
            &nonce,
            "NOT PROVEN: the certificate has no nonce",
        ),
    ] {
        let words = format!("{TRUSTING} --nonce {}", "ab".repeat(16));
        let (out, error, status) = setting.verify_server(attested(formats, sent), &words);
        assert!(out.starts_with(part), "{out}{error}");
        assert_eq!(status, i32::from(part.starts_with("NOT")));
    }
}

/// TLS 1.2 has no way around a critical extension, which is then said.
#[test]
fn a_critical_extension_gets_a_true_sentence() {
    let setting = Setting::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let mut evidence = rcgen::CustomExtension::from_oid_content(&[2, 23, 133, 5, 4, 9], vec![0]);
    evidence.set_criticality(true);
    parameters.custom_extensions = vec![evidence];
    let certificate = parameters.self_signed(&key).unwrap();
    for (version, part) in [
        (
            &rustls::version::TLS12,
            "NOT PROVEN: TLS cannot use the server's certificate: ",
        ),
        (
            &rustls::version::TLS13,
            "NOT PROVEN: the certificate cannot be used: its evidence is not CBOR",
        ),
    ] {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        let private = provider.key_provider.load_private_key(private.into()).unwrap();
        let certified = rustls::sign::CertifiedKey::new(vec![certificate.der().clone()], private);
        let server = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
        let (out, _, status) = setting.verify_server(server, TRUSTING);
        assert!(out.starts_with(part), "{out}");
        assert_eq!(status, 1);
    }
}

/// As some peers of others, Gramine's older ones among them.
#[test]
fn a_server_that_knows_tls_1_2_alone() {
    let setting = Setting::new();
    let attested = setting.attested(Formats::Both, |_| {});
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![attested.certificate], attested.key)
        .unwrap();
    let (out, _, status) = setting.verify_server(server, TRUSTING);
    assert!(out.starts_with("PROVEN BY A SIMULATED PLATFORM"), "{out}");
    assert_eq!(status, 0);
}

#[test]
fn as_json() {
    let setting = Setting::new();
    let server = server_config(setting.attested(Formats::Both, |_| {}), None).unwrap();
    let (out, _, status) = setting.verify_server(server, &format!("{TRUSTING} --json"));
    assert_eq!(status, 0);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["acceptable"], true);
    assert_eq!(json["certificate"]["key"], "P-256");
    assert_eq!(json["quotes"].as_array().unwrap().len(), 2);
    assert_eq!(json["quotes"][0]["binding_error"], serde_json::Value::Null);
    assert_eq!(json["quotes"][0]["judgement"]["verdict"]["trust"], "simulated");
}

#[test]
fn not_proven() {
    let setting = Setting::new();
    let verify = |change, words: &str| {
        let server = server_config(setting.attested(Formats::Interoperable, change), None).unwrap();
        let (out, error, status) = setting.verify_server(server, words);
        assert_eq!((error.as_str(), status), ("", 1), "{out}");
        assert!(out.starts_with("NOT PROVEN: "), "{out}");
        out
    };
    // The simulated platform is not named.
    let out = verify(|_| {}, &format!("--collateral collateral --at {AT}"));
    assert!(out.contains("trusted root") && out.contains("REFUSED"), "{out}");
    // Report data for something else.
    let out = verify(|body| body[320] ^= 1, TRUSTING);
    assert!(
        out.contains("DOES NOT SPEAK FOR THIS KEY") && out.contains("ACCEPTABLE: UpToDate"),
        "{out}"
    );
    // Debugging.
    let out = verify(|body| body[48] |= 2, TRUSTING);
    assert!(
        out.contains("NOT ACCEPTABLE, although the platform is UpToDate"),
        "{out}"
    );
    // After the certificate's end.
    let out = verify(|_| {}, &TRUSTING.replace("00:00:00Z", "00:00:11Z"));
    assert!(
        out.starts_with("NOT PROVEN: the certificate is valid from"),
        "{out}"
    );
}

#[test]
fn only_the_enclave_that_is_named() {
    let setting = Setting::new();
    let verify = |words: &str| {
        let server = server_config(setting.attested(Formats::Interoperable, |_| {}), None).unwrap();
        setting.verify_server(server, &format!("{TRUSTING} {words}"))
    };
    let mr_enclave = format!("5A{}", "00".repeat(31));
    let (out, _, status) = verify(&format!(
        "--mrenclave {} --mrenclave {mr_enclave}",
        "11".repeat(32)
    ));
    assert_eq!(status, 0, "{out}");
    let (out, _, status) = verify(&format!("--mrenclave {}", "11".repeat(32)));
    assert!(
        out.starts_with("NOT PROVEN: the quote is authentic, but not acceptable: it is not the expected one: its MRENCLAVE is 5a00"),
        "{out}"
    );
    assert_eq!(status, 1);
    let (_, error, status) = setting.verify("127.0.0.1:1", "--mrenclave 5a");
    assert!(error.contains("not 64 hexadecimal digits"), "{error}");
    assert_eq!(status, 125);
}

#[test]
fn an_ordinary_server() {
    let setting = Setting::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let plain = Attested {
        certificate: certificate.self_signed(&key).unwrap().der().clone(),
        key: rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
    };
    let (out, _, status) = setting.verify_server(server_config(plain, None).unwrap(), TRUSTING);
    assert!(out.contains("carries no quote"), "{out}");
    assert_eq!(status, 1);
}

/// A certificate that was copied from an enclave, by somebody who has not its key.
#[test]
fn a_copied_certificate() {
    let setting = Setting::new();
    let genuine = setting.attested(Formats::Interoperable, |_| {});
    let mine = rcgen::KeyPair::generate().unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(mine.serialize_der());
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = provider.key_provider.load_private_key(key.into()).unwrap();
    let certified = rustls::sign::CertifiedKey::new(vec![genuine.certificate], key);
    let server = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    let (out, _, status) = setting.verify_server(server, TRUSTING);
    assert!(
        out.starts_with("NOT PROVEN: the server does not prove that it has its certificate's key"),
        "{out}"
    );
    assert_eq!(status, 1);
}

#[test]
fn what_cannot_be_judged_is_a_failure_of_its_own() {
    let setting = Setting::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let rude = other.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = other.accept().unwrap();
        let _ = socket.write_all(b"SSH-2.0-OpenSSH_9.2p1 this is something else\r\n");
        let _ = socket.read(&mut [0; 1024]);
    });
    let closed = {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap()
    };
    for (peer, words, part) in [
        (rude.to_string(), TRUSTING.to_owned(), "could not agree on TLS"),
        (
            silent.to_string(),
            format!("{TRUSTING} --timeout 1"),
            "did not complete a TLS handshake",
        ),
        (
            closed.to_string(),
            TRUSTING.to_owned(),
            "cannot connect to 127.0.0.1",
        ),
        ("localhost".to_owned(), TRUSTING.to_owned(), "add the port"),
        (
            "a b:1".to_owned(),
            TRUSTING.to_owned(),
            "neither a host name nor an address",
        ),
    ] {
        let (out, error, status) = setting.verify(&peer, &words);
        assert_eq!((out.as_str(), status), ("", 125), "{peer}: {error}");
        assert!(
            error.starts_with("nacre: ") && error.contains(part) && error.lines().count() == 1,
            "{error}"
        );
    }
    thread.join().unwrap();
    let server = server_config(setting.attested(Formats::Interoperable, |_| {}), None).unwrap();
    let (_, error, status) = setting.verify_server(server, "--dangerous-trust-simulated root");
    assert!(
        error.contains("SGX on FMSPC 00514d554c00")
            && error.contains("collateral fetch --fmspc 00514d554c00 --ca platform"),
        "{error}"
    );
    assert_eq!(status, 125);
}
