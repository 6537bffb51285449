//! TLS with the broker: who it is, the measured authority vouches for; who this enclave is, its quote says.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use crate::Failure;

/// The key of this enclave's certificate, which the LibOS makes and which never leaves the enclave.
const KEY: &str = "/dev/attestation/tls/key.pem";
/// The certificate that carries its quote (RA-TLS), made anew each time that it is read.
const CERTIFICATE: &str = "/dev/attestation/tls/cert.pem";

/// Trusts who has a certificate by `authority`, and shows this enclave's own.
pub(crate) fn configuration(authority: &[u8]) -> Result<Arc<ClientConfig>, Failure> {
    let read = |path: &str| std::fs::read(path).map_err(|error| format!("{path}: {error}"));
    let key = Zeroizing::new(read(KEY)?);
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| format!("{KEY}: {error}"))?;
    let certificate = read(CERTIFICATE)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
    let chain = chain.map_err(|error| format!("{CERTIFICATE}: {error}"))?;

    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(authority.to_vec()))
        .map_err(|error| format!("the authority of the broker that the image was converted for: {error}"))?;
    let failed = |error: rustls::Error| format!("TLS cannot be set up: {error}");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(failed)?;
    Ok(Arc::new(config))
}
