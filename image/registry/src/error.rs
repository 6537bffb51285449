//! Why an image cannot be fetched or pushed.

use std::io;
use std::path::PathBuf;

use docker_credential::CredentialRetrievalError;
use oci_client::errors::OciDistributionError;
use oci_image::{Digest, SourceError};

/// Why an image cannot be fetched or pushed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry does not let this user do it.
    #[error(
        "{0} refuses access: log in with docker login or podman login, or look whether the name is right"
    )]
    Unauthorized(String),
    /// There is no such image, or it is hidden from this user.
    #[error("there is no such image: {0}")]
    NotFound(String),
    /// The registry cannot be reached, or stopped answering.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// The registry.
        host: String,
        /// What happened.
        reason: String,
    },
    /// The registry answered with an error of its own.
    #[error("{host} answers with an error: {reason}")]
    Registry {
        /// The registry.
        host: String,
        /// What it says.
        reason: String,
    },
    /// A blob is not what its digest or its length promised.
    #[error("{host} gives another blob than {digest}: {what}")]
    Mismatch {
        /// The registry.
        host: String,
        /// The blob that was asked for.
        digest: Digest,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A document is malformed, or far too long.
    #[error("the manifest {0} is malformed: {1}")]
    Manifest(String, String),
    /// The image leads from one document to the next without end.
    #[error("the image's indexes are nested too deep")]
    Endless,
    /// What was fetched is no image for this machine.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The user's credentials cannot be read.
    #[error("cannot read the credentials for {0}: {1}")]
    Credentials(String, CredentialRetrievalError),
    /// The user has logged in in a way that is not supported.
    #[error(
        "the credentials for {0} are an identity token, which nacre does not support: log in with a password or an access token"
    )]
    IdentityToken(String),
    /// A target needs a tag, and no digest: that is what a push gives.
    #[error("{0} names a digest: an image is pushed by a tag")]
    TargetDigest(String),
    /// The store cannot be written or read.
    #[error("{}: {error}", path.display())]
    Store {
        /// The file or directory.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// TLS, or the runtime, cannot be set up.
    #[error("cannot set up a connection: {0}")]
    SetUp(String),
}

impl Error {
    /// What the client says, in the words of this project.
    pub(crate) fn of(host: &str, image: &str, error: OciDistributionError) -> Self {
        let host = host.to_owned();
        match error {
            OciDistributionError::UnauthorizedError { .. }
            | OciDistributionError::AuthenticationFailure(_) => Self::Unauthorized(host),
            OciDistributionError::ImageManifestNotFoundError(_) => Self::NotFound(image.to_owned()),
            OciDistributionError::ServerError { code: 404, .. } => Self::NotFound(image.to_owned()),
            OciDistributionError::ServerError { code: 401 | 403, .. } => Self::Unauthorized(host),
            OciDistributionError::ServerError { code, message, .. } => Self::Registry {
                host,
                reason: format!("status {code}, {}", first_line(&message)),
            },
            OciDistributionError::RegistryError { envelope, .. } => {
                let codes: Vec<_> = envelope
                    .errors
                    .iter()
                    .map(|error| format!("{:?}", error.code))
                    .collect();
                let has = |code: &str| codes.iter().any(|known| known == code);
                if has("Unauthorized") || has("Denied") {
                    Self::Unauthorized(host)
                } else if has("ManifestUnknown") || has("NameUnknown") || has("NotFound") {
                    Self::NotFound(image.to_owned())
                } else {
                    let messages = envelope.errors.iter().map(|error| first_line(&error.message));
                    let reason = messages.collect::<Vec<_>>().join("; ");
                    Self::Registry { host, reason }
                }
            }
            OciDistributionError::RequestError(error) => match error.status().map(|status| status.as_u16()) {
                Some(401 | 403) => Self::Unauthorized(host),
                Some(404) => Self::NotFound(image.to_owned()),
                Some(status) => Self::Registry {
                    host,
                    reason: format!("status {status}"),
                },
                None => Self::Unreachable {
                    host,
                    reason: causes(&error),
                },
            },
            other => Self::Registry {
                host,
                reason: first_line(&other.to_string()),
            },
        }
    }

    /// Whether there is a server that answers in plain HTTP where TLS was expected.
    pub(crate) fn is_without_tls(&self) -> bool {
        // As rustls says it.
        matches!(self, Self::Unreachable { reason, .. } if reason.contains("InvalidContentType"))
    }

    /// Whether to try once more makes sense.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            // Who speaks no TLS will not learn it.
            Self::Unreachable { .. } => !self.is_without_tls(),
            Self::Registry { reason, .. } => reason.starts_with("status 5"),
            _ => false,
        }
    }
}

/// What a stranger says, bounded, and on one line.
fn first_line(text: &str) -> String {
    const LONGEST: usize = 200;
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

/// An error with what lies behind it, which `reqwest` leaves out.
fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let last = chain.last().map(ToString::to_string).unwrap_or_default();
    first_line(&last)
}
