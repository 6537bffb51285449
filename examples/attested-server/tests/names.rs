//! The names in the server's certificate. Whether its quote proves anything is for other tests: here it is any file.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

/// Keeps the certificate, and believes it.
#[derive(Debug, Default)]
struct Seen(Mutex<Option<CertificateDer<'static>>>);

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.0.lock().unwrap() = Some(end_entity.clone().into_owned());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        unreachable!("TLS 1.3 only")
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The certificate of a server that was started with these names.
fn certificate(names: &[&str]) -> CertificateDer<'static> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("quote"), "a quote").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_attested-server"))
        .arg("127.0.0.1:0")
        .arg(folder.path())
        .args(names)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let _server = Server(child);
    stdout.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").expect("where");
    let seen = Arc::new(Seen::default());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&seen) as _)
        .with_no_client_auth();
    let name = ServerName::try_from("whatever.example").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).unwrap();
    }
    seen.0.lock().unwrap().take().unwrap()
}

fn has(certificate: &CertificateDer<'_>, name: &'static str) -> bool {
    let parsed = ParsedCertificate::try_from(certificate).unwrap();
    let name = ServerName::try_from(name).unwrap();
    rustls::client::verify_server_name(&parsed, &name).is_ok()
}

#[test]
fn the_certificate_has_the_names_that_were_given() {
    let named = certificate(&["enclave.example", "127.0.0.1"]);
    for (name, expected) in [
        ("enclave.example", true),
        ("127.0.0.1", true),
        ("other.example", false),
        ("127.0.0.2", false),
    ] {
        assert_eq!(has(&named, name), expected, "{name}");
    }
    assert!(!has(&certificate(&[]), "enclave.example"));
}
