//! Why a request of a person is not done.

use broker_store::{BackendError, StoreError};

use crate::audit::AuditKeyError;
use crate::authority::AuthorityError;
use crate::secrets::SecretError;

/// Why a request is not done. It is told to whoever asked, so it never says a value, and to strangers nothing about what there is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// No client certificate.
    #[error(
        "show a client certificate that the deployment's policy, or the broker's administrator, has named"
    )]
    NoCertificate,
    /// A certificate that is not valid now, or none at all.
    #[error("the client certificate cannot be used: {0}")]
    Certificate(&'static str),
    /// Somebody who may not. Also told when there is no such deployment.
    #[error(
        "you may not do that, or there is no such deployment; the audit log has the reason (reference {reference})"
    )]
    Forbidden {
        /// Of the entry in the audit log.
        reference: String,
    },
    /// For those who may see it.
    #[error("there is no {0}")]
    NotFound(String),
    /// Not a policy, not a value.
    #[error("{0}")]
    Invalid(String),
    /// Somebody else was first.
    #[error(
        "the policy follows {given}, and the one in force is {in_force}; look at it (nacre policy get), make your change to it, and try again"
    )]
    Conflict {
        /// The digest in `predecessor`, or `none`.
        given: String,
        /// The digest that it should be, or `none`.
        in_force: String,
    },
    /// As many requests as there may be, or the database does not answer.
    #[error("{0}; try again later")]
    Unavailable(String),
    /// Nothing of the caller's.
    #[error("the broker failed; its log has the reason (reference {reference})")]
    Internal {
        /// Of the line in the log.
        reference: String,
    },
}

impl Problem {
    /// For programs, and the status of HTTP.
    #[must_use]
    pub const fn code(&self) -> (&'static str, u16) {
        match self {
            Self::NoCertificate => ("no_certificate", 401),
            Self::Certificate(_) => ("certificate", 401),
            Self::Forbidden { .. } => ("forbidden", 403),
            Self::NotFound(_) => ("not_found", 404),
            Self::Invalid(_) => ("invalid", 400),
            Self::Conflict { .. } => ("conflict", 409),
            Self::Unavailable(_) => ("unavailable", 503),
            Self::Internal { .. } => ("internal", 500),
        }
    }

    fn internal(error: &dyn std::error::Error) -> Self {
        let reference = reference();
        tracing::error!(%error, reference, "the broker failed");
        Self::Internal { reference }
    }
}

/// By which the audit log or the log is searched.
pub(crate) fn reference() -> String {
    serving::request_id::<8>()
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::TooLarge { .. } => Self::Invalid(error.to_string()),
            StoreError::Contended
            | StoreError::Backend(BackendError::Full(_) | BackendError::Unreachable { .. }) => {
                let reference = reference();
                tracing::error!(%error, reference, "the store cannot be written");
                Self::Unavailable(format!(
                    "the broker's store cannot be written (reference {reference})"
                ))
            }
            _ => Self::internal(&error),
        }
    }
}

impl From<AuditKeyError> for Problem {
    fn from(error: AuditKeyError) -> Self {
        Self::internal(&error)
    }
}

impl From<AuthorityError> for Problem {
    fn from(error: AuthorityError) -> Self {
        Self::internal(&error)
    }
}

impl From<SecretError> for Problem {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}
