//! Image references: `docker-archive:FILE[:REF]`, `oci-archive:FILE[:REF]` or `oci:DIR[:REF]`; to read, also a bare
//! `FILE[:REF]` or `DIR[:REF]`. For a file, `-` is standard input.
//!
//! The path ends at the first colon, as in skopeo and podman, so a path that itself holds a colon cannot be
//! written; rename it or make a symbolic link. What follows the first colon is the reference, which may hold
//! colons (`docker-archive:redis.tar:registry:5000/redis:7`).

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How an image is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// What `docker save` writes: a tar archive with a `manifest.json`.
    DockerArchive,
    /// An OCI image layout as a tar archive.
    OciArchive,
    /// An OCI image layout as a directory.
    OciDir,
    /// One of these, told by its content; to read only.
    Detected,
}

impl Transport {
    const ALL: [Self; 3] = [Self::DockerArchive, Self::OciArchive, Self::OciDir];

    /// The transport as it is written before the first colon; empty if the path is bare.
    pub fn name(self) -> &'static str {
        match self {
            Self::DockerArchive => "docker-archive",
            Self::OciArchive => "oci-archive",
            Self::OciDir => "oci",
            Self::Detected => "",
        }
    }
}

/// The path that stands for standard input.
pub(crate) const STANDARD_INPUT: &str = "-";

/// The place of one image. `Display` writes it as it is parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRef {
    /// How the image is stored.
    pub transport: Transport,
    /// The archive file or the layout directory.
    pub path: PathBuf,
    /// Which image of those stored there: a name with tag, or `@sha256:…` for a manifest's digest.
    pub reference: Option<String>,
}

/// The text is not an image reference.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefError {
    /// The text before the first colon is not a transport.
    #[error(
        "{0:?} is neither a file nor an image reference, which begins with docker-archive:, oci-archive: or oci:, \
         for example docker-archive:image.tar"
    )]
    UnknownTransport(String),
    /// A transport of skopeo's that is not one of ours.
    #[error(
        "nacre reads and writes archives and layouts; skopeo copies others: skopeo copy {0} oci-archive:image.tar"
    )]
    OtherTransport(String),
    /// There is no path after the transport.
    #[error("{0:?} names no file or directory after {1}:")]
    NoPath(String, &'static str),
    /// The reference is empty or has characters which no image name has.
    #[error("{1:?} in {0:?} is not an image name: letters, digits and . _ - / : @ are allowed")]
    BadReference(String, String),
}

/// What skopeo knows besides.
const OTHER_TRANSPORTS: [&str; 7] = [
    "docker",
    "docker-daemon",
    "containers-storage",
    "dir",
    "ostree",
    "sif",
    "tarball",
];

impl ImageRef {
    /// Parses the place of an image to read. A path without a transport is one, too, if something is there.
    ///
    /// # Errors
    /// When it is neither.
    pub fn of_source(text: &str) -> Result<Self, RefError> {
        let refused = match text.parse() {
            Err(refused @ (RefError::UnknownTransport(_) | RefError::OtherTransport(_))) => refused,
            parsed => return parsed,
        };
        let is_there = |path: &str| path == STANDARD_INPUT || Path::new(path).exists();
        let (path, reference) = match text.split_once(':') {
            _ if is_there(text) => (text, None),
            Some((path, reference)) if is_there(path) => (path, Some(reference)),
            _ => return Err(refused),
        };
        check_reference(text, reference)?;
        Ok(Self {
            transport: Transport::Detected,
            path: path.into(),
            reference: reference.map(str::to_owned),
        })
    }

    /// Whether an image that is written to `other` takes the place of this one: the same archive, or the same name in
    /// the same directory. By identity, not by path.
    pub fn would_be_replaced_by(&self, other: &Self) -> bool {
        let identity = |place: &Self| {
            let metadata = place.path.metadata().ok()?;
            Some((metadata.dev(), metadata.ino()))
        };
        let is_same = identity(self).is_some_and(|own| identity(other) == Some(own));
        let is_archive = !self.path.is_dir();
        is_same && (is_archive || self.reference == other.reference)
    }

    /// The path exists only if its colons are taken as part of it: what a user who forgot the rule sees.
    pub(crate) fn colon_hint(&self) -> &'static str {
        let Some(reference) = &self.reference else {
            return "";
        };
        let mut whole = self.path.as_os_str().to_owned();
        whole.push(":");
        whole.push(reference);
        if Path::new(&whole).exists() {
            " (a path ends at its first colon: rename the file, or link to it from a name without colons)"
        } else {
            ""
        }
    }
}

impl FromStr for ImageRef {
    type Err = RefError;

    fn from_str(text: &str) -> Result<Self, RefError> {
        let unknown = || RefError::UnknownTransport(text.to_owned());
        let (name, rest) = text.split_once(':').ok_or_else(unknown)?;
        if OTHER_TRANSPORTS.contains(&name) {
            return Err(RefError::OtherTransport(text.to_owned()));
        }
        let transport = Transport::ALL
            .into_iter()
            .find(|t| t.name() == name)
            .ok_or_else(unknown)?;
        let (path, reference) = match rest.split_once(':') {
            Some((path, reference)) => (path, Some(reference)),
            None => (rest, None),
        };
        if path.is_empty() {
            return Err(RefError::NoPath(text.to_owned(), transport.name()));
        }
        check_reference(text, reference)?;
        Ok(Self {
            transport,
            path: path.into(),
            reference: reference.map(str::to_owned),
        })
    }
}

fn check_reference(text: &str, reference: Option<&str>) -> Result<(), RefError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/:@+".contains(c);
    match reference {
        Some(reference) if reference.is_empty() || !reference.chars().all(allowed) => {
            Err(RefError::BadReference(text.to_owned(), reference.to_owned()))
        }
        _ => Ok(()),
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.transport != Transport::Detected {
            write!(f, "{}:", self.transport.name())?;
        }
        write!(f, "{}", self.path.display())?;
        match &self.reference {
            Some(reference) => write!(f, ":{reference}"),
            None => Ok(()),
        }
    }
}

/// A name as Docker understands it: `redis` is `docker.io/library/redis:latest`.
///
/// Both what a user types and what an archive lists go through here before they are compared.
pub(crate) fn canonical_name(name: &str) -> String {
    let (first, rest) = name.split_once('/').unwrap_or(("", name));
    // The first part is a registry if it could be a host name (the rule of Docker's reference grammar).
    let is_registry = first.contains(['.', ':']) || first == "localhost";
    let full = match (is_registry, rest.contains('/')) {
        (true, false) if first == "docker.io" => format!("docker.io/library/{rest}"),
        (true, _) => name.to_owned(),
        (false, _) if first.is_empty() => format!("docker.io/library/{name}"),
        (false, _) => format!("docker.io/{name}"),
    };
    let last = full.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) {
        full
    } else {
        format!("{full}:latest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parses_the_three_transports() {
        let parse = |text: &str| text.parse::<ImageRef>().unwrap();
        assert_eq!(parse("docker-archive:a.tar").transport, Transport::DockerArchive);
        assert_eq!(parse("oci-archive:/x/a.tar:v1").reference.as_deref(), Some("v1"));
        let image = parse("oci:dir/sub:registry:5000/redis:7");
        assert_eq!(image.path, Path::new("dir/sub"));
        assert_eq!(image.reference.as_deref(), Some("registry:5000/redis:7"));
    }

    #[test]
    fn says_what_is_wrong() {
        let error = |text: &str| text.parse::<ImageRef>().unwrap_err().to_string();
        for text in ["", "redis", "redis:7", "OCI:x"] {
            let message = error(text);
            for transport in Transport::ALL {
                assert!(message.contains(&format!("{}:", transport.name())), "{message}");
            }
        }
        for text in ["docker://redis:7", "docker-daemon:redis:7", "dir:x"] {
            assert!(error(text).contains(&format!("skopeo copy {text} oci-archive:")));
        }
        assert!(error("oci:").contains("names no file"));
        assert!(error("oci::tag").contains("names no file"));
        assert!(error("oci:dir:").contains("not an image name"));
        assert!(error("oci:dir:a b").contains("not an image name"));
    }

    #[test]
    fn a_bare_path_is_a_source_if_something_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(path("a.tar"), b"").unwrap();
        std::fs::write(path("b:1"), b"").unwrap();
        let source = |text: &str| {
            ImageRef::of_source(text).map(|place| (place.transport, place.path, place.reference))
        };
        let detected = |path: &str, reference: Option<&str>| {
            Ok((
                Transport::Detected,
                PathBuf::from(path),
                reference.map(str::to_owned),
            ))
        };
        assert_eq!(source(&path("a.tar")), detected(&path("a.tar"), None));
        assert_eq!(
            source(&path("a.tar:app:1")),
            detected(&path("a.tar"), Some("app:1"))
        );
        assert_eq!(source(&path("b:1")), detected(&path("b:1"), None));
        assert_eq!(source(&path("")), detected(&path(""), None));
        assert_eq!(source("-"), detected("-", None));
        assert_eq!(source("-:app:1"), detected("-", Some("app:1")));
        assert_eq!(source("oci:-").unwrap().0, Transport::OciDir);
        assert!(matches!(
            source(&path("c.tar")),
            Err(RefError::UnknownTransport(_))
        ));
        assert!(matches!(source(&path("a.tar:")), Err(RefError::BadReference(..))));
        assert!(matches!(
            source("docker://redis"),
            Err(RefError::OtherTransport(_))
        ));
        for text in [path("a.tar"), path("a.tar:app:1"), "-".to_owned()] {
            assert_eq!(ImageRef::of_source(&text).unwrap().to_string(), text);
        }
        assert!(
            path("a.tar").parse::<ImageRef>().is_err(),
            "a target says what is to be written"
        );
    }

    #[test]
    fn names_are_docker_names() {
        for (name, canonical) in [
            ("redis", "docker.io/library/redis:latest"),
            ("redis:7", "docker.io/library/redis:7"),
            ("docker.io/redis", "docker.io/library/redis:latest"),
            ("user/app", "docker.io/user/app:latest"),
            ("localhost/app:1", "localhost/app:1"),
            ("registry:5000/app", "registry:5000/app:latest"),
            ("ghcr.io/a/b:c", "ghcr.io/a/b:c"),
        ] {
            assert_eq!(canonical_name(name), canonical, "{name}");
            assert_eq!(canonical_name(canonical), canonical, "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_is_parsed_prints_the_same(text in "(docker-archive|oci-archive|oci):[^:]{1,20}(:[a-z0-9./:@-]{1,20})?") {
            prop_assert_eq!(text.parse::<ImageRef>().unwrap().to_string(), text);
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in ".*") {
            let _ = text.parse::<ImageRef>();
        }
    }
}
