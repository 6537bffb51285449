//! Fixtures: a simulated platform, certificates of its enclaves, and handshakes in memory.

use std::io;
use std::sync::{Arc, LazyLock};

use dcap_quote::{CheckedCollateral, Quote, Tee, TrustedRoot, Validity};
use ra_tls::{Attested, FixedCollateral, Formats, Identity, Refusal, Request, UnixTime, Verifier};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use simulated_platform::{Profile, SimulatedPlatform};

pub const NOW: UnixTime = UnixTime(1_750_723_200);
pub const MR_ENCLAVE: [u8; 32] = [0x5a; 32];
pub const MR_SIGNER: [u8; 32] = [0xa5; 32];
pub const VALIDITY: Validity = Validity {
    from: UnixTime(NOW.0 - 10),
    until: UnixTime(NOW.0 + 10),
};

pub static PLATFORM: LazyLock<SimulatedPlatform> =
    LazyLock::new(|| SimulatedPlatform::new(Profile::new([3; 32], NOW)));

static COLLATERAL: LazyLock<Arc<CheckedCollateral>> = LazyLock::new(|| Arc::new(checked(&PLATFORM)));

pub fn checked(platform: &SimulatedPlatform) -> CheckedCollateral {
    let root = TrustedRoot::dangerous_simulated(&platform.root_certificate()).unwrap();
    CheckedCollateral::check(&platform.collateral(Tee::Sgx), &root).unwrap()
}

/// REPORTBODY of an enclave, by the offsets of the SDM.
pub fn report_body(report_data: &[u8; 64]) -> [u8; 384] {
    let mut body = [0; 384];
    body[48] = 0b101;
    body[64..96].copy_from_slice(&MR_ENCLAVE);
    body[128..160].copy_from_slice(&MR_SIGNER);
    body[256] = 3;
    body[258] = 7;
    body[320..].copy_from_slice(report_data);
    body
}

/// A quote about the enclave, changed before it is signed.
pub fn quote_with(report_data: &[u8; 64], change: impl FnOnce(&mut [u8; 384])) -> Vec<u8> {
    let mut body = report_body(report_data);
    change(&mut body);
    PLATFORM.quote(&body)
}

pub fn quote(report_data: &[u8; 64]) -> Result<Vec<u8>, io::Error> {
    Ok(quote_with(report_data, |_| {}))
}

pub fn request() -> Request {
    Request::new(VALIDITY).unwrap().names(["localhost", "127.0.0.1"])
}

pub fn attested(formats: Formats) -> Attested {
    request().formats(formats).certificate(quote).unwrap()
}

/// Accepts the enclave, on the simulated platform.
pub fn verifier() -> Verifier {
    verifier_for(Identity::mr_enclave(MR_ENCLAVE)).dangerous_accept_simulated()
}

pub fn verifier_for(identity: Identity) -> Verifier {
    Verifier::new(FixedCollateral(Arc::clone(&COLLATERAL)), identity)
}

pub fn refusal(certificate: &CertificateDer<'_>) -> Refusal {
    verifier().verify(certificate, NOW).unwrap_err()
}

#[derive(Debug)]
struct Fixed;

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        Some(rustls::pki_types::UnixTime::since_unix_epoch(
            std::time::Duration::from_secs(NOW.0),
        ))
    }
}

pub type Connected = (ClientConnection, ServerConnection);

/// A handshake at [`NOW`], and what either side made of it.
pub fn handshake(
    mut client: ClientConfig,
    mut server: ServerConfig,
) -> (Result<(), rustls::Error>, Result<(), rustls::Error>, Connected) {
    client.time_provider = Arc::new(Fixed);
    server.time_provider = Arc::new(Fixed);
    let name = ServerName::try_from("whatever.example").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let (mut by_client, mut by_server) = (Ok(()), Ok(()));
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        if by_server.is_ok() {
            by_server = receive(&wire, |bytes| server.read_tls(bytes).map(drop))
                .and_then(|()| process(server.process_new_packets()));
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        if by_client.is_ok() {
            by_client = receive(&wire, |bytes| client.read_tls(bytes).map(drop))
                .and_then(|()| process(client.process_new_packets()));
        }
    }
    (by_client, by_server, (client, server))
}

fn receive(
    mut wire: &[u8],
    mut read: impl FnMut(&mut dyn io::Read) -> io::Result<()>,
) -> Result<(), rustls::Error> {
    while !wire.is_empty() {
        read(&mut wire).map_err(|error| rustls::Error::General(error.to_string()))?;
    }
    Ok(())
}

fn process<T>(processed: Result<T, rustls::Error>) -> Result<(), rustls::Error> {
    processed.map(drop)
}

/// What is the same in all certificates, made by somebody who can sign what they like.
pub fn forged(key: &rcgen::KeyPair, extensions: Vec<rcgen::CustomExtension>) -> CertificateDer<'static> {
    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.custom_extensions = extensions;
    parameters.self_signed(key).unwrap().der().clone()
}

/// Extensions with these quotes, in the order interoperable (with claims of this key), legacy.
pub fn quote_of(der: &CertificateDer<'_>, index: usize) -> Vec<u8> {
    let certificate = ra_tls::RaTlsCertificate::parse(der).unwrap();
    let quote = certificate.evidence()[index].quote().to_vec();
    assert!(Quote::parse(&quote).is_ok());
    quote
}
