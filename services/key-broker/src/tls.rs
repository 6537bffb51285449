//! The broker's TLS: who the broker is to its clients, and that clients have the keys of the certificates that they show.
//!
//! By its certificate the broker is known to whoever trusts its authority. A client that wants to see a quote asks for the
//! protocol [`ATTESTED_ALPN`] (ALPN, RFC 7301) and gets a certificate with a quote, signed by itself (RA-TLS). Over such a
//! connection it can ask for the authority's certificate, and believe the answer.
//!
//! Any client certificate is taken here. What it is worth is judged for each request: people's are named by policies, and
//! enclaves' carry a quote.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use dcap_quote::{UnixTime, Validity};
use deployment_policy::document::{KeyAlgorithm, Use};
use ra_tls::{Attested, Request, verify_handshake};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

use crate::authority::{AuthorityError, Leaf};
use crate::broker::Broker;

/// The protocol that asks for the certificate with a quote. What is spoken is HTTP/1.1.
pub const ATTESTED_ALPN: &[u8] = b"nacre-attested/1";
/// Seconds for which the broker's own certificate is made; it makes another one each time it starts, and after half of it.
const LIFETIME: u64 = 30 * 24 * 60 * 60;
/// Bytes of the largest client certificate.
const MAX_CERTIFICATE: usize = 64 << 10;

/// Makes a quote with this report data, in an enclave.
pub type QuoteSource = Box<dyn Fn(&[u8; 64]) -> std::io::Result<Vec<u8>> + Send + Sync>;

/// There is no certificate to show.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The authority cannot make it.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The TLS library does not take it.
    #[error("the broker's certificate cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// There is no quote.
    #[error("the broker cannot prove what it is: {0}")]
    Quote(String),
}

/// The certificates that the broker shows.
pub(crate) struct Certificates {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
    quotes: Option<QuoteSource>,
    provider: Arc<CryptoProvider>,
    current: RwLock<Option<Current>>,
}

struct Current {
    certified: Arc<CertifiedKey>,
    attested: Option<Arc<CertifiedKey>>,
    made: UnixTime,
}

impl Certificates {
    /// With these names and addresses of hosts, and the one by which containers know brokers.
    pub fn new(mut names: Vec<String>, addresses: Vec<IpAddr>, quotes: Option<QuoteSource>) -> Arc<Self> {
        names.push(provisioning::SERVER_NAME.to_owned());
        Arc::new(Self {
            names,
            addresses,
            quotes,
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            current: RwLock::new(None),
        })
    }

    pub const fn is_attested(&self) -> bool {
        self.quotes.is_some()
    }

    /// Makes new certificates, if there are none or they are half over.
    pub fn renew(&self, broker: &Broker, now: UnixTime) -> Result<(), TlsError> {
        let is_fresh = |current: &Current| now.0.saturating_sub(current.made.0) < LIFETIME.div_euclid(2);
        if self.read().as_ref().is_some_and(is_fresh) {
            return Ok(());
        }
        let leaf = Leaf {
            common_name: "Nacre broker",
            dns: &self.names,
            ip: &self.addresses,
            uri: None,
            uses: &[Use::Server],
            policy: None,
            now,
            lifetime: LIFETIME,
        };
        let issued = broker.identity().authority.issue(KeyAlgorithm::P256, &leaf)?;
        let key = PrivatePkcs8KeyDer::from(issued.key.to_vec());
        let chain = vec![CertificateDer::from(issued.certificate)];
        let certified = CertifiedKey::from_der(chain, key.into(), &self.provider)?;
        let attested = match &self.quotes {
            Some(quotes) => Some(Arc::new(self.attested(quotes, now)?)),
            None => None,
        };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Current {
            certified: Arc::new(certified),
            attested,
            made: now,
        });
        Ok(())
    }

    fn attested(&self, quotes: &QuoteSource, now: UnixTime) -> Result<CertifiedKey, TlsError> {
        let validity = Validity {
            from: UnixTime(now.0.saturating_sub(300)),
            until: UnixTime(now.0.saturating_add(LIFETIME)),
        };
        let failed = |error: &dyn std::fmt::Display| TlsError::Quote(error.to_string());
        let request = Request::new(validity).map_err(|error| failed(&error))?;
        let Attested { certificate, key } = request
            .names(self.names.clone())
            .certificate(quotes)
            .map_err(|error| failed(&error))?;
        Ok(CertifiedKey::from_der(vec![certificate], key, &self.provider)?)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Option<Current>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// TLS 1.3, without resumption: every connection shows its certificate.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let clients = AnyClient(self.provider.signature_verification_algorithms);
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(clients))
            .with_cert_resolver(Arc::<Self>::clone(self));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![b"http/1.1".to_vec(), ATTESTED_ALPN.to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut protocols = hello.alpn().into_iter().flatten();
        let wants_quote = protocols.any(|protocol| protocol == ATTESTED_ALPN);
        let current = self.read();
        let current = current.as_ref()?;
        if wants_quote {
            // Nothing, if there is none: a client that wants a quote does not want anything else.
            return current.attested.clone();
        }
        Some(Arc::clone(&current.certified))
    }
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// Takes any client certificate whose key the client has.
#[derive(Debug)]
struct AnyClient(WebPkiSupportedAlgorithms);

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    /// Health and the description are for anybody.
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: rustls::pki_types::UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if end_entity.len() > MAX_CERTIFICATE {
            return Err(rustls::CertificateError::BadEncoding.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::Tls12NotOffered.into())
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
