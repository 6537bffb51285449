//! Reads the certificate of a TLS server without judging it.

use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use ra_tls::verify_handshake;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

/// The server's certificate proves nothing about the server.
#[derive(Debug, thiserror::Error)]
pub enum CertificateRefusal {
    /// It does not have the key.
    #[error("the server does not prove that it has its certificate's key: {0}")]
    NotItsKey(rustls::Error),
    /// TLS makes nothing of it.
    #[error(
        "TLS cannot use the server's certificate: {0}. A critical extension, as DICE wants it for evidence, works with TLS 1.3 only"
    )]
    Unusable(rustls::Error),
}

/// The certificate of the server at HOST:PORT. The handshake proves that the server has its key; nothing else is verified,
/// and nothing else is sent. The server may be asked for one of some protocols (ALPN).
///
/// # Errors
/// When there is no TLS server, or it takes longer than `timeout`.
pub fn peer_certificate(
    peer: &str,
    protocols: &[&[u8]],
    timeout: Duration,
) -> Result<Result<CertificateDer<'static>, CertificateRefusal>> {
    let deadline = Instant::now().checked_add(timeout);
    let deadline = deadline.with_context(|| format!("cannot wait {} seconds", timeout.as_secs()))?;
    let host = peer.rsplit_once(':').map(|(host, _)| host);
    let host = host.with_context(|| format!("{peer} is not HOST:PORT; add the port"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned());
    let name = name.with_context(|| format!("{host} is neither a host name nor an address"))?;
    let mut socket = connect(peer, deadline)?;
    let mut connection = ClientConnection::new(Arc::new(configuration(protocols)?), name)?;
    let talked = talk(&mut socket, &mut connection, deadline);
    match talked.with_context(|| format!("{peer} did not complete a TLS handshake"))? {
        Err(error @ rustls::Error::InvalidCertificate(CertificateError::BadSignature)) => {
            Ok(Err(CertificateRefusal::NotItsKey(error)))
        }
        Err(error @ rustls::Error::InvalidCertificate(_)) => Ok(Err(CertificateRefusal::Unusable(error))),
        Err(error) => Err(error).with_context(|| format!("{peer} and nacre could not agree on TLS")),
        Ok(()) => {
            let certificates = connection.peer_certificates().unwrap_or_default();
            let first = certificates.first().context("the server has no certificate")?;
            Ok(Ok(first.clone().into_owned()))
        }
    }
}

fn connect(peer: &str, deadline: Instant) -> Result<TcpStream> {
    let failed = || format!("cannot connect to {peer}");
    let mut last = anyhow!("it has no address");
    for address in peer.to_socket_addrs().with_context(failed)? {
        let connected = remaining(deadline).and_then(|left| TcpStream::connect_timeout(&address, left));
        match connected {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error.into(),
        }
    }
    Err(last).with_context(failed)
}

/// Does the handshake. A mistake of the server in it is the inner error.
fn talk(
    socket: &mut TcpStream,
    connection: &mut ClientConnection,
    deadline: Instant,
) -> Result<Result<(), rustls::Error>> {
    while connection.is_handshaking() || connection.wants_write() {
        let left = remaining(deadline)?;
        socket.set_read_timeout(Some(left))?;
        socket.set_write_timeout(Some(left))?;
        if connection.wants_write() {
            connection.write_tls(socket).map_err(timed_out)?;
            continue;
        }
        if connection.read_tls(socket).map_err(timed_out)? == 0 {
            bail!("it closed the connection");
        }
        if let Err(error) = connection.process_new_packets() {
            // Tells the peer why, if it still listens.
            let _ = connection.write_tls(socket);
            return Ok(Err(error));
        }
    }
    connection.send_close_notify();
    let _ = connection.write_tls(socket);
    Ok(Ok(()))
}

fn remaining(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    Ok(left)
}

/// Linux reports a socket whose timeout has passed as one that would block.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}

fn configuration(protocols: &[&[u8]]) -> Result<ClientConfig> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let unjudged = Unjudged(provider.signature_verification_algorithms);
    let builder =
        ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions()?;
    let builder = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(unjudged));
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

/// Accepts every certificate whose key signs the handshake. It is judged afterwards; no data is sent before.
#[derive(Debug)]
struct Unjudged(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Unjudged {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_handshake(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
