//! Services that requests can go to: Intel, Azure, or a cache.

use std::str::FromStr;

use crate::request::{Edition, Encoding, Request};

/// A service, with what is particular about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Intel's own service, `https://api.trustedservices.intel.com`, with the root's list where its certificates say it
    /// is. Without being asked for another edition it serves the standard one.
    Intel,
    /// Azure's Trusted Hardware Identity Management, `https://global.acccache.azure.net`. Its TCB info is an older one
    /// unless another edition is asked for, and may have expired: then it is refused here. The root's list is fetched from
    /// Intel.
    Azure,
    /// A cache that speaks as Intel's PCCS does, and answers `rootcacrl` too.
    Cache(BaseUrl),
}

/// `https://host:port`, with a path perhaps, and without the part that all services have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

/// Why a text is no address of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// Not of the form.
    #[error("not an address of a service like https://pccs.example:8081")]
    Form,
    /// Without TLS, and not on this machine.
    #[error(
        "without TLS only this machine's own address may be asked (http://127.0.0.1, http://[::1], http://localhost); write https://"
    )]
    PlainHttp,
}

/// Where Intel publishes the root's revocation list, as the distribution points in its certificates say.
const INTEL_ROOT_CA_CRL: &str = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";
const INTEL: &str = "https://api.trustedservices.intel.com";
const AZURE: &str = "https://global.acccache.azure.net";

impl Source {
    /// The URL to ask at.
    #[must_use]
    pub fn url(&self, request: &Request) -> String {
        match (self, request) {
            (Self::Intel | Self::Azure, Request::RootCaCrl) => INTEL_ROOT_CA_CRL.to_owned(),
            (Self::Intel, request) => INTEL.to_owned() + &request.path_and_query(),
            (Self::Azure, request) => AZURE.to_owned() + &request.path_and_query(),
            (Self::Cache(base), request) => base.0.clone() + &request.path_and_query(),
        }
    }

    /// In what form to ask for revocation lists.
    #[must_use]
    pub const fn list_encoding(&self) -> Encoding {
        // All of them know both; DER has fewer forms than PEM.
        Encoding::Der
    }

    /// The edition of documents to ask for when the user has no wish.
    #[must_use]
    pub const fn default_edition(&self) -> Edition {
        match self {
            // Said aloud, so that a change of Intel's default does not go unnoticed.
            Self::Intel => Edition::Standard,
            // What they have; not every cache knows the parameter.
            Self::Azure | Self::Cache(_) => Edition::Unspecified,
        }
    }
}

/// `intel`, `azure`, or the address of a cache.
impl FromStr for Source {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        match text {
            "intel" => Ok(Self::Intel),
            "azure" => Ok(Self::Azure),
            url => url.parse().map(Self::Cache),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Intel => f.write_str("Intel"),
            Self::Azure => f.write_str("Azure"),
            Self::Cache(base) => f.write_str(&base.0),
        }
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    /// Takes what people copy from a configuration file, `…/sgx/certification/v4/` at the end included.
    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        let base = text.trim_end_matches('/');
        let base = base.strip_suffix("/sgx/certification/v4").unwrap_or(base);
        let (scheme, rest) = base.split_once("://").ok_or(BaseUrlError::Form)?;
        let authority = rest.split('/').next().unwrap_or_default();
        let is_plain = |character: char| character.is_ascii_alphanumeric() || "-._~:[]/%".contains(character);
        if authority.is_empty() || !rest.chars().all(is_plain) {
            return Err(BaseUrlError::Form);
        }
        match scheme {
            "https" => Ok(Self(base.to_owned())),
            "http" if is_loopback(authority) => Ok(Self(base.to_owned())),
            "http" => Err(BaseUrlError::PlainHttp),
            _ => Err(BaseUrlError::Form),
        }
    }
}

/// Whether a host with an optional port is this machine.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => authority,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use dcap_quote::PckCa;

    use super::*;

    #[test]
    fn each_source_has_its_addresses() {
        let list = Request::PckCrl {
            ca: PckCa::Platform,
            encoding: Encoding::Der,
        };
        let pccs: Source = "https://pccs.example:8081/sgx/certification/v4/".parse().unwrap();
        for (source, request, url) in [
            (
                &Source::Intel,
                list,
                "https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
            ),
            (&Source::Intel, Request::RootCaCrl, INTEL_ROOT_CA_CRL),
            (
                &"azure".parse().unwrap(),
                list,
                "https://global.acccache.azure.net/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
            ),
            (&Source::Azure, Request::RootCaCrl, INTEL_ROOT_CA_CRL),
            (
                &pccs,
                Request::RootCaCrl,
                "https://pccs.example:8081/sgx/certification/v4/rootcacrl",
            ),
        ] {
            assert_eq!(source.url(&request), url);
        }
        assert_eq!(pccs.to_string(), "https://pccs.example:8081");
    }

    #[test]
    fn addresses_of_caches() {
        for (text, result) in [
            ("http://127.0.0.1:8081", None),
            ("http://[::1]:8081/cache", None),
            ("http://localhost", None),
            ("https://[2001:db8::1]:8081/", None),
            ("http://pccs.example", Some(BaseUrlError::PlainHttp)),
            ("http://localhost.example", Some(BaseUrlError::PlainHttp)),
            ("http://127.0.0.1.example:80", Some(BaseUrlError::PlainHttp)),
            ("pccs.example", Some(BaseUrlError::Form)),
            ("ftp://pccs.example", Some(BaseUrlError::Form)),
            ("https://", Some(BaseUrlError::Form)),
            ("https://user@pccs.example", Some(BaseUrlError::Form)),
            ("https://pccs.example?x=y", Some(BaseUrlError::Form)),
            ("https://pccs.example/\r\nX: y", Some(BaseUrlError::Form)),
            ("amazon", Some(BaseUrlError::Form)),
        ] {
            assert_eq!(text.parse::<Source>().err(), result, "{text}");
        }
    }
}
