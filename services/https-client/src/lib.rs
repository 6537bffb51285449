//! HTTPS for the clients of this project: [`agent`] makes one that trusts [`Roots`] and nobody else.
//!
//! A file of trusted certificates holds authorities, or a server's own certificate. What services of the field make for
//! themselves is often not what TLS libraries take from a server: PCCS's guide makes X.509 version 1 without names,
//! and `openssl req -x509` an authority. Whoever names such a certificate means that certificate, so it is trusted as it
//! is, byte by byte. Everybody else needs a certificate by one of the authorities, for the right name.
#![forbid(unsafe_code)]

mod connector;
mod named;

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _, TcpConnector};
use zeroize::Zeroizing;

use crate::connector::TlsConnector;
use crate::named::NamedCertificates;

/// Who vouches for a server's certificate.
#[derive(Clone, Debug)]
pub enum Roots {
    /// Whom this machine's operating system trusts.
    #[cfg(feature = "platform-verifier")]
    Platform,
    /// These certificates (PEM): authorities, or a server's own certificate; and nobody else.
    Only(Vec<u8>),
}

/// Why certificates cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RootsError {
    /// The text is not PEM.
    #[error("it is not PEM: {0}")]
    Pem(String),
    /// Something that is not to be given away, or of no use.
    #[error("there is something else than certificates: {0}")]
    Other(String),
    /// No certificate at all.
    #[error("there is no certificate in PEM")]
    None,
    /// TLS takes none of it.
    #[error("TLS cannot be set up with it: {0}")]
    Tls(String),
}

/// What a client says of itself in TLS.
#[derive(Clone, Debug, Default)]
pub struct Hello {
    /// A certificate chain and its key, both in PEM.
    pub identity: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
    /// Protocols to ask for (ALPN), none if it is empty.
    pub protocols: Vec<Vec<u8>>,
}

/// An agent with this configuration, whose TLS settings are set here.
///
/// # Errors
/// When there is no certificate among the roots, or something else.
pub fn agent(config: ConfigBuilder<AgentScope>, roots: &Roots) -> Result<Agent, RootsError> {
    let pem = match roots {
        #[cfg(feature = "platform-verifier")]
        Roots::Platform => {
            let tls = ureq::tls::TlsConfig::builder()
                .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .root_certs(ureq::tls::RootCerts::PlatformVerifier);
            return Ok(config.tls_config(tls.build()).build().new_agent());
        }
        Roots::Only(pem) => pem,
    };
    named_agent(config, pem, &Hello::default())
}

/// An agent that trusts these certificates (PEM) and nobody else, as [`Roots::Only`], and says this of itself.
///
/// # Errors
/// When there is no certificate, or its own certificate or key cannot be used.
pub fn named_agent(
    config: ConfigBuilder<AgentScope>,
    pem: &[u8],
    hello: &Hello,
) -> Result<Agent, RootsError> {
    let connector = ()
        .chain(ConnectProxyConnector::default())
        .chain(TcpConnector::default())
        .chain(TlsConnector::new(client_config(certificates(pem)?, hello)?));
    Ok(Agent::with_parts(
        config.build(),
        connector,
        DefaultResolver::default(),
    ))
}

fn client_config(
    named: Vec<CertificateDer<'static>>,
    hello: &Hello,
) -> Result<Arc<ClientConfig>, RootsError> {
    let tls = |error: rustls::Error| RootsError::Tls(error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = NamedCertificates::new(named, &provider).map_err(tls)?;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(tls)?.dangerous();
    let builder = builder.with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &hello.identity {
        Some((chain, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key);
            let key = key.map_err(|_| RootsError::Tls("its own private key is not in PEM".to_owned()))?;
            let own = builder.with_client_auth_cert(certificates(chain)?, key);
            own.map_err(tls)?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols.clone_from(&hello.protocols);
    Ok(Arc::new(config))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let mut certificates = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        match section.map_err(|error| RootsError::Pem(error.to_string()))? {
            (SectionKind::Certificate, der) => certificates.push(CertificateDer::from(der)),
            (other, _) => return Err(RootsError::Other(format!("{other:?}"))),
        }
    }
    if certificates.is_empty() {
        return Err(RootsError::None);
    }
    Ok(certificates)
}
