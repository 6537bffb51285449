//! Verification of a server by certificates that were named.

use std::sync::Arc;

use der::asn1::AnyRef;
use der::{Decode as _, Encode as _};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, RootCertStore, SignatureScheme,
};

/// Trusts these certificates as they are, and what they have signed as authorities.
#[derive(Debug)]
pub(crate) struct NamedCertificates {
    named: Vec<CertificateDer<'static>>,
    /// None when no certificate can be an authority.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl NamedCertificates {
    pub(crate) fn new(
        named: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(named.iter().cloned());
        let authorities = if added == 0 {
            None
        } else {
            let builder =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
            Some(builder.map_err(|error| Error::General(error.to_string()))?)
        };
        Ok(Self {
            named,
            authorities,
            algorithms: provider.signature_verification_algorithms,
        })
    }

    fn is_named(&self, certificate: &CertificateDer<'_>) -> bool {
        self.named.iter().any(|named| named == certificate)
    }
}

impl ServerCertVerifier for NamedCertificates {
    /// A certificate that was named needs no authority, name or extension; but it expires like any other.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.is_named(end_entity) {
            check_dates(end_entity, now)?;
            return Ok(ServerCertVerified::assertion());
        }
        match &self.authorities {
            Some(authorities) => {
                authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.is_named(certificate) {
            verify_tls12(message, certificate, signature, &self.algorithms)
        } else {
            verify_tls12_signature(message, certificate, signature, &self.algorithms)
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.is_named(certificate) {
            let info = parse(certificate)?
                .tbs_certificate()
                .subject_public_key_info()
                .to_der();
            let info = SubjectPublicKeyInfoDer::from(info.map_err(|_| CertificateError::BadEncoding)?);
            verify_tls13_signature_with_raw_key(message, &info, signature, &self.algorithms)
        } else {
            verify_tls13_signature(message, certificate, signature, &self.algorithms)
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn parse(certificate: &CertificateDer<'_>) -> Result<x509_cert::Certificate, Error> {
    x509_cert::Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding.into())
}

fn check_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let certificate = parse(certificate)?;
    let validity = certificate.tbs_certificate().validity();
    if now.as_secs() < validity.not_before.to_unix_duration().as_secs() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now.as_secs() > validity.not_after.to_unix_duration().as_secs() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// As rustls does it, but for certificates of any version: rustls has no function that takes a bare key for TLS 1.2.
fn verify_tls12(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let bad = |_| CertificateError::BadEncoding;
    let certificate = parse(certificate)?;
    let info = certificate.tbs_certificate().subject_public_key_info();
    let algorithm = info.algorithm.to_der().map_err(bad)?;
    // What rustls calls an algorithm identifier has no header.
    let algorithm = AnyRef::from_der(&algorithm).map_err(bad)?.value();
    let key = info.subject_public_key.raw_bytes();
    let schemes = algorithms.mapping.iter();
    let candidates = schemes.filter(|(scheme, _)| *scheme == signature.scheme);
    let mut candidates = candidates
        .flat_map(|(_, candidates)| candidates.iter())
        .peekable();
    if candidates.peek().is_none() {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    }
    let mut fitting = candidates.filter(|candidate| candidate.public_key_alg_id().as_ref() == algorithm);
    if fitting.any(|candidate| {
        candidate
            .verify_signature(key, message, signature.signature())
            .is_ok()
    }) {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(CertificateError::BadSignature.into())
    }
}
