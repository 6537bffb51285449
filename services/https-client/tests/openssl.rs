//! Tests against `openssl s_server`, which serves with any certificate. Each test says when it is skipped because there
//! is no openssl.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use https_client::{Roots, RootsError, agent};
use ureq::Agent;

fn has_openssl() -> bool {
    let found = Command::new("openssl").arg("version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: there is no openssl");
    }
    found
}

fn openssl(folder: &Path, words: &str) {
    let output = Command::new("openssl")
        .args(words.split(' '))
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "openssl {words}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A server with `cert.pem` and `key.pem` of a folder.
struct Server {
    process: Child,
    port: String,
}

impl Server {
    fn start(folder: &Path, flags: &[&str]) -> Self {
        let mut process = Command::new("openssl")
            .args([
                "s_server",
                "-www",
                "-accept",
                "127.0.0.1:0",
                "-cert",
                "cert.pem",
                "-key",
                "key.pem",
            ])
            .args(flags)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut accepts = lines
            .map_while(Result::ok)
            .filter(|line| line.starts_with("ACCEPT"));
        let line = accepts.next().expect("it says where it listens");
        let (_, port) = line.rsplit_once(':').expect("a port");
        Self {
            port: port.to_owned(),
            process,
        }
    }

    /// What a client says that trusts this file.
    fn ask(&self, host: &str, roots: &Path) -> Result<u16, ureq::Error> {
        let roots = Roots::Only(std::fs::read(roots).unwrap());
        let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(20)));
        let answer = agent(config, &roots)
            .unwrap()
            .get(format!("https://{host}:{}/", self.port))
            .call();
        answer.map(|answer| answer.status().as_u16())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// By PCCS's README: version 1, and here without any name.
fn version_1(folder: &Path) {
    openssl(folder, "genrsa -out key.pem 2048");
    openssl(folder, "req -new -key key.pem -subj / -out request.pem");
    openssl(
        folder,
        "x509 -req -days 2 -in request.pem -signkey key.pem -out cert.pem",
    );
    let shown = Command::new("openssl")
        .args(["x509", "-noout", "-text", "-in", "cert.pem"])
        .current_dir(folder)
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    // OpenSSL 3.4 and later make version 3 of it.
    if !shown.contains("Version: 1") {
        eprintln!("NOTE: this openssl makes no certificates of version 1");
    }
}

fn authority(folder: &Path) {
    openssl(
        folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=elsewhere.example -keyout key.pem \
         -out cert.pem",
    );
}

#[test]
fn a_certificate_that_was_named_is_trusted_as_it_is() {
    if !has_openssl() {
        return;
    }
    for make in [version_1, authority] {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path());
        for version in ["-tls1_2", "-tls1_3"] {
            let server = Server::start(folder.path(), &[version]);
            for host in ["127.0.0.1", "localhost"] {
                let answer = server.ask(host, &folder.path().join("cert.pem"));
                assert_eq!(answer.unwrap(), 200, "{version} {host}");
            }
        }
    }
}

#[test]
fn another_certificate_of_the_same_name_is_not() {
    if !has_openssl() {
        return;
    }
    for make in [version_1, authority] {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        make(folder.path());
        make(other.path());
        let server = Server::start(folder.path(), &[]);
        let error = server
            .ask("127.0.0.1", &other.path().join("cert.pem"))
            .unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

/// A certificate that the file does not name, by an authority that it does.
#[test]
fn an_authority_vouches_for_others_by_their_names() {
    if !has_openssl() {
        return;
    }
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    authority(other.path());
    let path = other.path();
    openssl(
        path,
        "req -new -newkey rsa:2048 -nodes -subj /CN=x -keyout leaf.key -out leaf.request",
    );
    std::fs::write(
        path.join("san"),
        "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n",
    )
    .unwrap();
    openssl(
        path,
        "x509 -req -days 2 -in leaf.request -CA cert.pem -CAkey key.pem -set_serial 5 -extfile san -out leaf.pem",
    );
    std::fs::copy(path.join("leaf.pem"), folder.path().join("cert.pem")).unwrap();
    std::fs::copy(path.join("leaf.key"), folder.path().join("key.pem")).unwrap();
    for version in ["-tls1_2", "-tls1_3"] {
        let server = Server::start(folder.path(), &[version]);
        assert_eq!(server.ask("127.0.0.1", &path.join("cert.pem")).unwrap(), 200);
        // Only what is named as such is trusted whatever its name.
        assert!(server.ask("localhost", &path.join("cert.pem")).is_err());
    }
}

#[test]
fn a_certificate_that_was_named_expires() {
    if !has_openssl() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    openssl(path, "genrsa -out key.pem 2048");
    openssl(path, "req -new -key key.pem -subj /CN=x -out request.pem");
    openssl(
        path,
        "x509 -req -days -1 -in request.pem -signkey key.pem -out cert.pem",
    );
    let server = Server::start(path, &[]);
    let error = server.ask("127.0.0.1", &path.join("cert.pem")).unwrap_err();
    assert!(error.to_string().contains("xpired"), "{error}");
}

/// The server shows the certificate that was named, and signs with another key.
#[test]
fn a_certificate_without_its_key_is_not_trusted() {
    let [named, other] = [(), ()].map(|()| rcgen::KeyPair::generate().unwrap());
    let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.self_signed(&named).unwrap();
    for (key, is_trusted) in [(&named, true), (&other, false)] {
        for version in rustls::ALL_VERSIONS {
            let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into();
            let provider = rustls::crypto::aws_lc_rs::default_provider();
            let key = provider.key_provider.load_private_key(key).unwrap();
            let certified = rustls::sign::CertifiedKey::new(vec![certificate.der().clone()], key);
            let config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
                .with_protocol_versions(&[version])
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("https://{}/", listener.local_addr().unwrap());
            let thread = std::thread::spawn(move || {
                let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, listener.accept().unwrap().0);
                let mut request = [0; 1024];
                // A client that refuses the signature goes away.
                let _ = stream.read(&mut request);
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
            });
            let roots = Roots::Only(certificate.pem().into_bytes());
            let answer = agent(Agent::config_builder(), &roots).unwrap().get(url).call();
            assert_eq!(answer.is_ok(), is_trusted, "{answer:?}");
            thread.join().unwrap();
        }
    }
}

#[test]
fn files_without_certificates_are_refused() {
    let refused =
        |pem: &str| agent(Agent::config_builder(), &Roots::Only(pem.as_bytes().to_vec())).unwrap_err();
    assert_eq!(refused(""), RootsError::None);
    assert!(matches!(
        refused("-----BEGIN PRIVATE KEY-----\nAAEC\n-----END PRIVATE KEY-----\n"),
        RootsError::Other(_)
    ));
    assert!(matches!(
        refused("-----BEGIN CERTIFICATE-----\n\u{0}\n-----END CERTIFICATE-----\n"),
        RootsError::Pem(_)
    ));
}
