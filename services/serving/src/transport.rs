//! How a server speaks with its peers: over TLS, or in plain text.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// How a server speaks with its peers.
#[derive(Clone)]
pub enum Transport {
    /// TLS 1.2 or 1.3.
    Tls(TlsAcceptor),
    /// No TLS. Whoever is on the way can read, withhold, change and play back.
    Plain,
}

/// The certificate that a peer has shown over TLS, if it has shown one: an extension of each request.
///
/// The peer has its key. Whether that says anything is for the transport's verifier and the handler to judge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerCertificate(pub Option<CertificateDer<'static>>);

impl PeerCertificate {
    pub(crate) fn of(connection: &rustls::ServerConnection) -> Self {
        let chain = connection.peer_certificates().unwrap_or_default();
        Self(chain.first().map(|leaf| leaf.clone().into_owned()))
    }
}

/// The certificate chain or its key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the TLS certificate or its key cannot be used: {0}")]
pub struct TransportError(String);

impl Transport {
    /// TLS with a chain of certificates, from the leaf on, and a key (PKCS#8, PKCS#1 or SEC1), both
    /// as PEM.
    ///
    /// # Errors
    /// When they are not that, or do not belong together.
    pub fn tls(chain: &[u8], key: &[u8]) -> Result<Self, TransportError> {
        let error = |error: &dyn std::fmt::Display| TransportError(error.to_string());
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|pem| error(&pem))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|pem| error(&pem))?;
        let config = tls_config(chain, key).map_err(|tls| error(&tls))?;
        Ok(config.into())
    }
}

impl From<Arc<ServerConfig>> for Transport {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self::Tls(TlsAcceptor::from(config))
    }
}

/// The project's TLS for servers of HTTP/1.1: aws-lc-rs, TLS 1.2 and 1.3, no client certificates.
///
/// # Errors
/// When chain and key do not belong together.
pub fn tls_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
