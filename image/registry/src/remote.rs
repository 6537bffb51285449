//! The name of an image in a registry.

use std::fmt;
use std::net::IpAddr;

use oci_client::Reference;

/// What a name in a registry begins with.
const TRANSPORT: &str = "docker://";

/// An image in a registry: `docker://HOST/NAME[:TAG][@DIGEST]`, or by Docker's rules a part of that: `redis` is
/// `docker.io/library/redis:latest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    pub(crate) reference: Reference,
}

/// A text is no name of an image in a registry.
#[derive(Debug, thiserror::Error)]
#[error(
    "{text:?} is not the name of an image in a registry, which is docker://HOST/NAME[:TAG][@DIGEST]: {problem}"
)]
pub struct NotARemote {
    text: String,
    problem: oci_client::ParseError,
}

impl Remote {
    /// The image that a text names if it begins with `docker://`.
    ///
    /// # Errors
    /// It does, and what follows is no name.
    pub fn of_url(text: &str) -> Option<Result<Self, NotARemote>> {
        text.strip_prefix(TRANSPORT).map(Self::of_name)
    }

    /// The image of this name, without `docker://`.
    ///
    /// # Errors
    /// It is no name.
    pub fn of_name(name: &str) -> Result<Self, NotARemote> {
        match name.parse() {
            Ok(reference) => Ok(Self { reference }),
            Err(problem) => Err(NotARemote {
                text: name.to_owned(),
                problem,
            }),
        }
    }

    /// Whether the name says which bytes are meant, and not only where to look.
    pub fn has_digest(&self) -> bool {
        self.reference.digest().is_some()
    }

    /// The registry's host, with its port.
    pub(crate) fn host(&self) -> &str {
        self.reference.resolve_registry()
    }

    /// Whether the registry is on this machine's loopback addresses.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.host();
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => host.split(':').next().unwrap_or_default(),
        };
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TRANSPORT}{}", self.reference.whole())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> String {
        Remote::of_url(text).unwrap().unwrap().to_string()
    }

    #[test]
    fn names_are_completed_by_dockers_rules() {
        for (text, expected) in [
            ("docker://redis", "docker://docker.io/library/redis:latest"),
            ("docker://redis:7", "docker://docker.io/library/redis:7"),
            ("docker://team/app", "docker://docker.io/team/app:latest"),
            ("docker://localhost:5000/app:1", "docker://localhost:5000/app:1"),
            ("docker://quay.io/a/b/c:2", "docker://quay.io/a/b/c:2"),
        ] {
            assert_eq!(whole(text), expected);
        }
        let digest = format!("docker://quay.io/a/b@sha256:{}", "0".repeat(64));
        assert_eq!(whole(&digest), digest);
        assert!(Remote::of_url(&digest).unwrap().unwrap().has_digest());
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert!(Remote::of_url("oci:dir").is_none());
        for text in [
            "docker://",
            "docker://UPPER",
            "docker://a b",
            "docker://a@sha256:12",
        ] {
            let error = Remote::of_url(text).unwrap().unwrap_err().to_string();
            assert!(error.contains("docker://HOST/NAME"), "{error}");
        }
    }

    #[test]
    fn loopback_is_this_machine() {
        for (name, expected) in [
            ("localhost:5000/a", true),
            ("127.0.0.1:5000/a", true),
            ("127.8.0.1/a", true),
            ("localhost.example/a", false),
            ("quay.io/a", false),
            ("redis", false),
        ] {
            assert_eq!(Remote::of_name(name).unwrap().is_loopback(), expected, "{name}");
        }
    }
}
