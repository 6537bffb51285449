//! The configuration of the service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::Uri;
use dcap_quote::{Policy, Trust, TrustedRoot};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serving::Limits;

use crate::collateral::CollateralSource;
use crate::http::{AdminToken, Clock, SIMULATED_PREFIX};
use crate::signers::SignerCertificate;
use crate::tls::TlsFiles;

/// The configuration of a service.
pub struct Config {
    /// The address where it listens; with port 0 the system chooses one.
    pub listen: SocketAddr,
    /// The directory of its state, which outlives it.
    pub state: PathBuf,
    /// How clients reach it, if not by the address where it listens.
    pub url: Option<Url>,
    /// Its certificate; without, it makes one.
    pub tls: Option<TlsFiles>,
    /// The one root that it trusts.
    pub root: TrustedRoot,
    /// Collateral to verify quotes with.
    pub collateral: Arc<dyn CollateralSource>,
    /// TCB statuses that policies are asked about, beyond `UpToDate`; what it says of debugging is not asked.
    pub acceptable: Policy,
    /// Who may change policies, on top of whom the state knows. With any, unsigned changes are refused for good.
    pub policy_signers: Vec<PolicySigner>,
    /// The secret of those who may manage policies.
    pub admin: Option<AdminToken>,
    /// Limits on what callers can take up.
    pub limits: Limits,
    /// Tells the time.
    pub clock: Clock,
}

/// `https://HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(String);

/// Not `https://HOST[:PORT]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must be https://HOST or https://HOST:PORT, and nothing after that")]
pub struct UrlError;

impl std::str::FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let uri: Uri = text.parse().map_err(|_| UrlError)?;
        let is_plain = uri.scheme_str() == Some("https")
            && uri
                .authority()
                .is_some_and(|authority| text == format!("https://{authority}"))
            && uri
                .authority()
                .is_some_and(|authority| !authority.as_str().contains('@'));
        if is_plain {
            Ok(Self(text.to_owned()))
        } else {
            Err(UrlError)
        }
    }
}

impl Url {
    /// Of a service that listens here.
    fn of(address: SocketAddr) -> Self {
        if address.ip().is_unspecified() {
            let host = host_name().unwrap_or_else(|| "localhost".to_owned());
            return Self(format!("https://{host}:{}", address.port()));
        }
        Self(format!("https://{address}"))
    }

    fn host(&self) -> Option<String> {
        let uri: Uri = self.0.parse().ok()?;
        Some(uri.host()?.trim_matches(['[', ']']).to_owned())
    }
}

/// A certificate whose owner may change policies.
#[derive(Debug)]
pub struct PolicySigner(pub(crate) SignerCertificate);

/// Why a file holds no such certificate.
#[derive(Debug, thiserror::Error)]
pub enum PolicySignerError {
    /// The file system says so, or it is not PEM.
    #[error("{} is not a certificate in PEM: {error}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: rustls::pki_types::pem::Error,
    },
    /// Its key cannot be used.
    #[error("{}: {error}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: crate::error::ApiError,
    },
}

impl PolicySigner {
    /// Reads a file with a certificate in PEM; those after the first are not looked at.
    ///
    /// # Errors
    /// When it cannot be read, or its key is neither RSA from 2048 bits on nor on P-256 or P-384.
    pub fn load(path: &Path) -> Result<Self, PolicySignerError> {
        let path = path.to_owned();
        let der = match CertificateDer::from_pem_file(&path) {
            Ok(der) => der,
            Err(error) => return Err(PolicySignerError::Pem { path, error }),
        };
        let certificate = SignerCertificate::parse(der.to_vec());
        certificate
            .map(Self)
            .map_err(|error| PolicySignerError::Key { path, error })
    }
}

impl Config {
    /// Who the tokens say has issued them. That of a simulated platform is another than a genuine service at the same address has.
    pub(crate) fn issuer(&self, address: SocketAddr) -> String {
        let Url(url) = self.url.clone().unwrap_or_else(|| Url::of(address));
        match self.root.trust() {
            Trust::Intel => url,
            Trust::Simulated => url + SIMULATED_PREFIX,
        }
    }

    /// Names that a certificate has to have.
    pub(crate) fn names(&self, address: SocketAddr) -> Vec<String> {
        let mut names = vec!["localhost".to_owned()];
        let mut add = |name: String| {
            if !names.contains(&name) {
                names.push(name);
            }
        };
        if address.ip().is_unspecified() {
            add(IpAddr::from(Ipv4Addr::LOCALHOST).to_string());
            add(IpAddr::from(Ipv6Addr::LOCALHOST).to_string());
        } else {
            add(address.ip().to_string());
        }
        self.url
            .as_ref()
            .and_then(Url::host)
            .into_iter()
            .for_each(&mut add);
        host_name().into_iter().for_each(add);
        names
    }
}

/// The machine's name, if it can be one in a certificate.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    let is_name = rustls::pki_types::DnsName::try_from(name).is_ok();
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_services() {
        for good in [
            "https://attest.example",
            "https://10.0.0.1:8443",
            "https://[::1]:8443",
        ] {
            let url: Url = good.parse().unwrap();
            assert!(url.host().is_some_and(|host| !host.contains('[')), "{good}");
        }
        for bad in [
            "",
            "attest.example",
            "http://attest.example",
            "https://attest.example/",
            "https://attest.example/x",
            "https://user@attest.example",
            "https://attest.example?x",
        ] {
            assert_eq!(bad.parse::<Url>(), Err(UrlError), "{bad}");
        }
    }
}
