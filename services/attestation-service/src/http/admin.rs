//! Authorisation of policy management by the admin token.
//!
//! Azure asks its directory; this service knows one secret, which is sent as a bearer token, as Azure's clients send whatever
//! their credential object returns. If it is configured, every call about policies needs it. If it is not, policies can be read by
//! anybody and changed by nobody. A policy signer's signature comes on top and is never enough: Azure's form has no time in it,
//! so that whoever has read an older policy could bring it back.

use std::path::{Path, PathBuf};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use zeroize::Zeroizing;

use crate::error::{ApiError, ErrorCode};

/// The secret of who may manage policies. Only its hash is kept, so that secrets of any length compare in the same time.
pub struct AdminToken {
    hash: [u8; 32],
}

/// What a call wants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Change,
}

/// Why a file holds no usable secret.
#[derive(Debug, thiserror::Error)]
pub enum AdminTokenError {
    /// The file system says so.
    #[error("cannot read the admin token {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: std::io::Error,
    },
    /// Too short to be safe, or with characters that no header has.
    #[error("the admin token in {} must be one line of {MIN_SECRET_LENGTH} to {MAX_SECRET_LENGTH} visible characters, for instance the output of openssl rand -hex 32", .0.display())]
    Form(PathBuf),
}

const MIN_SECRET_LENGTH: usize = 16;
const MAX_SECRET_LENGTH: usize = 4096;

impl AdminToken {
    /// Reads the secret from a file of one line.
    ///
    /// # Errors
    /// When it cannot be read, or is not a line that a header can carry.
    pub fn load(path: &Path) -> Result<Self, AdminTokenError> {
        let text = std::fs::read(path).map_err(|error| AdminTokenError::Read {
            path: path.to_owned(),
            error,
        })?;
        let text = Zeroizing::new(text);
        let secret = text.trim_ascii();
        let is_usable = (MIN_SECRET_LENGTH..=MAX_SECRET_LENGTH).contains(&secret.len())
            && secret.iter().all(u8::is_ascii_graphic);
        if !is_usable {
            return Err(AdminTokenError::Form(path.to_owned()));
        }
        Ok(Self { hash: hash(secret) })
    }

    fn is(&self, secret: &[u8]) -> bool {
        verify_slices_are_equal(&self.hash, &hash(secret)).is_ok()
    }
}

impl std::fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminToken")
    }
}

/// Whether a call is allowed.
pub(super) fn check(token: Option<&AdminToken>, headers: &HeaderMap, access: Access) -> Result<(), ApiError> {
    let Some(token) = token else {
        if access == Access::Read {
            return Ok(());
        }
        return Err(ErrorCode::Unauthorized
            .because("nobody can change policies: this service was started without --admin-token"));
    };
    let authorization = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
    let secret = authorization.and_then(|value| {
        let (scheme, secret) = value.split_at_checked("Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(secret)
    });
    match secret {
        Some(secret) if token.is(secret) => Ok(()),
        Some(_) => Err(ErrorCode::Unauthorized.because("the bearer token is not this service's admin token")),
        None => Err(ErrorCode::Unauthorized.because(
            "calls about policies need the service's admin token in the header Authorization: Bearer …",
        )),
    }
}

fn hash(secret: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, secret).as_ref());
    hash
}
