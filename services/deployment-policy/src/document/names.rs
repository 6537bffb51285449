//! Names of things, and of places in a container.

use std::fmt;
use std::str::FromStr;

use dcap_quote::Bytes;

use super::text::{NotOfThatForm, text_type};

/// A name of a deployment, a service, a secret, a volume or a person: 1 to 63 letters, digits, `.`, `_` and `-`, with a
/// letter or digit at both ends. It is safe in a URL, in a certificate and in a SPIFFE ID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NotOfThatForm;

    fn from_str(text: &str) -> Result<Self, NotOfThatForm> {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let ends = [text.bytes().next(), text.bytes().next_back()];
        let has_ends = ends
            .iter()
            .all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric()));
        if has_ends && text.len() <= 63 && text.bytes().all(is_inner) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotOfThatForm::new(
                text,
                "is no name: 1 to 63 letters, digits, '.', '_' and '-', with a letter or digit at both ends",
            ))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

text_type!(
    Name,
    "^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$",
    "A name: 1 to 63 letters, digits, '.', '_' and '-', with a letter or digit at both ends."
);

/// A service, of this deployment (`web`) or of another (`shop/web`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerName {
    /// None for this one.
    pub deployment: Option<Name>,
    /// The service.
    pub service: Name,
}

impl FromStr for PeerName {
    type Err = NotOfThatForm;

    fn from_str(text: &str) -> Result<Self, NotOfThatForm> {
        let (deployment, service) = match text.split_once('/') {
            Some((deployment, service)) => (Some(deployment.parse()?), service),
            None => (None, text),
        };
        Ok(Self {
            deployment,
            service: service.parse()?,
        })
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(deployment) = &self.deployment {
            write!(f, "{deployment}/")?;
        }
        write!(f, "{}", self.service)
    }
}

text_type!(
    PeerName,
    "^([A-Za-z0-9][A-Za-z0-9._-]{0,62}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
    "A service of this deployment (web), or of another one (shop/web)."
);

/// The name of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariableName(String);

impl FromStr for VariableName {
    type Err = NotOfThatForm;

    fn from_str(text: &str) -> Result<Self, NotOfThatForm> {
        let is_good = |character: char| character.is_ascii_graphic() && character != '=';
        if (1..=255).contains(&text.len()) && text.chars().all(is_good) {
            Ok(Self(text.to_owned()))
        } else {
            let must =
                "is no name of a variable: 1 to 255 printable characters of ASCII other than '=' and spaces";
            Err(NotOfThatForm::new(text, must))
        }
    }
}

impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(
    VariableName,
    "^[!-<>-~]{1,255}$",
    "The name of an environment variable: printable ASCII without '='."
);

/// An absolute path in the container, with one text for one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPath(String);

impl GuestPath {
    /// The text, which begins with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for GuestPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for GuestPath {
    type Err = NotOfThatForm;

    fn from_str(text: &str) -> Result<Self, NotOfThatForm> {
        // PATH_MAX and NAME_MAX of Linux.
        let is_part = |part: &str| !part.is_empty() && part.len() <= 255 && part != "." && part != "..";
        let parts = text.strip_prefix('/');
        let is_good = |parts: &str| parts.is_empty() || parts.split('/').all(is_part);
        if text.len() < 4096 && parts.is_some_and(is_good) && !text.contains(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            let must = "is no absolute path without '.', '..', '//' and a '/' at its end";
            Err(NotOfThatForm::new(text, must))
        }
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(
    GuestPath,
    "^/([^/]+(/[^/]+)*)?$",
    "An absolute path in the container, without '.', '..', '//' and a '/' at its end."
);

/// The name of an image's key: SHA-256 over `nacre image key`, a zero byte, and the key (`nacre inspect` shows it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageKeyId(pub Bytes<32>);

impl FromStr for ImageKeyId {
    type Err = NotOfThatForm;

    fn from_str(text: &str) -> Result<Self, NotOfThatForm> {
        let must = "is no name of an image key: 64 hexadecimal digits, as nacre inspect shows it";
        Bytes::from_hex(text)
            .map(Self)
            .ok_or_else(|| NotOfThatForm::new(text, must))
    }
}

impl fmt::Display for ImageKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_type!(
    ImageKeyId,
    "^([0-9a-f]{64}|[0-9A-F]{64})$",
    "The name of an image's key, as nacre inspect shows it."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "db.password", "web-1", "A_b", &"x".repeat(63)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", ".a", "a.", "-", "a b", "a/b", "é", "a\n", &"x".repeat(64)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn peers() {
        let peer: PeerName = "shop/web".parse().unwrap();
        assert_eq!(
            (peer.deployment.as_ref().unwrap().as_str(), peer.service.as_str()),
            ("shop", "web")
        );
        assert_eq!(peer.to_string(), "shop/web");
        assert_eq!("web".parse::<PeerName>().unwrap().to_string(), "web");
        for bad in ["/web", "shop/", "a/b/c"] {
            assert!(bad.parse::<PeerName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn paths() {
        for good in ["/", "/etc", "/etc/my app/é"] {
            assert_eq!(good.parse::<GuestPath>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "etc",
            "/etc/",
            "//",
            "/a//b",
            "/a/../b",
            "/.",
            "/a\0",
            "/a\nb",
            &format!("/{}", "x".repeat(256)),
        ] {
            assert!(bad.parse::<GuestPath>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn variables() {
        assert!("PATH".parse::<VariableName>().is_ok() && "a.b-c".parse::<VariableName>().is_ok());
        for bad in ["", "A=B", "A B", "A\0", "é"] {
            assert!(bad.parse::<VariableName>().is_err(), "{bad:?}");
        }
    }
}
