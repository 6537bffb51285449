//! Bodies of requests, read within limits of size and time.

use std::pin::pin;

use axum::body::{Body, Bytes, HttpBody as _};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;

use crate::limits::Limits;

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It has more bytes than it may.
    #[error("the body is larger than {max} bytes")]
    TooLarge {
        /// [`Limits::max_body_size`].
        max: usize,
    },
    /// It did not arrive whole in time.
    #[error("the body did not arrive within {seconds} seconds")]
    TooSlow {
        /// [`Limits::body_timeout`].
        seconds: u64,
    },
    /// Its next piece did not arrive in time.
    #[error("nothing of the body arrived for {seconds} seconds")]
    Stalled {
        /// [`Limits::body_progress_timeout`].
        seconds: u64,
    },
    /// The connection ended, or the body is not of the form that its header says.
    #[error("the body broke off")]
    Broken,
}

/// Reads a whole body.
///
/// # Errors
/// When it is too large, late or incomplete. One that announces its size is refused unread.
pub async fn read_body(body: Body, limits: &Limits) -> Result<Bytes, BodyError> {
    let max = limits.max_body_size;
    let too_large = BodyError::TooLarge { max };
    if usize::try_from(body.size_hint().lower()).map_or(true, |size| size > max) {
        return Err(too_large);
    }
    let mut body = pin!(Limited::new(body, max));
    let read = async {
        let mut bytes = Vec::new();
        loop {
            let frame = timeout(limits.body_progress_timeout, body.frame()).await;
            let frame = frame.map_err(|_| BodyError::Stalled {
                seconds: limits.body_progress_timeout.as_secs(),
            })?;
            match frame {
                // Trailers are not data, and nobody reads them.
                Some(Ok(frame)) => bytes.extend(frame.into_data().unwrap_or_default()),
                Some(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large),
                Some(Err(_)) => return Err(BodyError::Broken),
                None => return Ok(Bytes::from(bytes)),
            }
        }
    };
    let read = timeout(limits.body_timeout, read).await;
    read.unwrap_or(Err(BodyError::TooSlow {
        seconds: limits.body_timeout.as_secs(),
    }))
}
