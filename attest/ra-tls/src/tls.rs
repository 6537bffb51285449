//! RA-TLS in rustls: verification within the handshake, on either side.

use std::sync::Arc;

use der::{Decode as _, Encode as _};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, OtherError, ServerConfig,
    SignatureScheme,
};

use crate::UnixTime;
use crate::request::Attested;
use crate::verifier::{Refusal, Verifier};

/// Verifies the peer's certificate by its quote, and nothing else: host names are not looked at, since the quote says who the
/// peer is. A refusal is told to the peer as `certificate_unknown`; [`refusal`] finds it in
/// the local error.
#[derive(Debug)]
pub struct RaTlsVerifier {
    verifier: Verifier,
    algorithms: WebPkiSupportedAlgorithms,
}

/// A certificate and its key do not fit together, or not with TLS.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("TLS cannot be configured: {0}")]
pub struct ConfigError(#[from] rustls::Error);

/// TLS 1.3 for a client that knows its server by `verifier` and, if `own` is given, proves what it is itself.
///
/// Sessions are not resumed, since that would skip verification for as long as a ticket lives.
///
/// # Errors
/// When certificate and key do not fit together.
pub fn client_config(verifier: Verifier, own: Option<Attested>) -> Result<ClientConfig, ConfigError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(RaTlsVerifier::new(verifier)));
    let mut config = match own {
        Some(own) => builder.with_client_auth_cert(vec![own.certificate], own.key)?,
        None => builder.with_no_client_auth(),
    };
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// TLS 1.3 for a server that proves what it is; if `clients` is given, each client must prove what it is as well.
///
/// Sessions are not resumed, since that would skip verification for as long as a ticket lives.
///
/// # Errors
/// When certificate and key do not fit together.
pub fn server_config(own: Attested, clients: Option<Verifier>) -> Result<ServerConfig, ConfigError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])?;
    let builder = match clients {
        Some(verifier) => builder.with_client_cert_verifier(Arc::new(RaTlsVerifier::new(verifier))),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(vec![own.certificate], own.key)?;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// What this crate's verifier has said, if that is why TLS failed.
#[must_use]
pub fn refusal(error: &rustls::Error) -> Option<&Refusal> {
    let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(error))) = error else {
        return None;
    };
    error.downcast_ref().map(|RefusalError(refusal)| refusal)
}

/// A refusal in TLS's errors, which print what they contain as if for debugging.
struct RefusalError(Refusal);

impl std::fmt::Debug for RefusalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Display for RefusalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for RefusalError {}

impl RaTlsVerifier {
    /// For configurations that are not made by [`client_config`] and [`server_config`]; they should not resume sessions.
    #[must_use]
    pub fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            algorithms: rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms,
        }
    }

    fn check(
        &self,
        certificate: &CertificateDer<'_>,
        now: rustls::pki_types::UnixTime,
    ) -> Result<(), rustls::Error> {
        match self.verifier.verify(certificate, UnixTime(now.as_secs())) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(CertificateError::Other(OtherError(Arc::new(RefusalError(refusal)))).into()),
        }
    }
}

/// Verifies the signature of a TLS 1.3 handshake by the key in a certificate, whatever its extensions: rustls' own function
/// refuses a critical one that it does not know, and DICE wants evidence to be critical. Whether the certificate is to be
/// believed is the caller's to say.
///
/// # Errors
/// When the certificate is none, or the signature is not by its key.
pub fn verify_handshake(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let malformed = |_| rustls::Error::from(CertificateError::BadEncoding);
    let certificate = x509_cert::Certificate::from_der(certificate).map_err(malformed)?;
    let info = certificate.tbs_certificate().subject_public_key_info();
    let info = SubjectPublicKeyInfoDer::from(info.to_der().map_err(malformed)?);
    verify_tls13_signature_with_raw_key(message, &info, signature, algorithms)
}

impl ServerCertVerifier for RaTlsVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: rustls::pki_types::UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(end_entity, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_handshake(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for RaTlsVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: rustls::pki_types::UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.check(end_entity, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_handshake(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
