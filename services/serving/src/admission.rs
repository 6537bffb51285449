//! Requests in work, and how many there may be.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::body::{BodyError, read_body};
use crate::limits::Limits;

/// Admits requests to work, as many at a time as [`Limits::max_requests`] says.
///
/// A request is admitted only when its body is there. Otherwise a few peers that send no bodies
/// would keep everybody else out.
#[derive(Clone, Debug)]
pub struct Admission {
    limits: Limits,
    in_work: Arc<Semaphore>,
}

/// A request is in work while this is held.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

/// A request whose body was read, or could not be.
#[derive(Debug)]
#[must_use]
pub struct Received<'a> {
    body: Result<Bytes, BodyError>,
    admission: &'a Admission,
}

/// Why a request is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// As many requests are in work as may be.
    #[error("too many requests are being worked on; try again in a second")]
    Busy,
    /// Its body is not there.
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl Admission {
    /// Admits as many requests as `limits` say.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: *limits,
            in_work: Arc::new(Semaphore::new(limits.max_requests)),
        }
    }

    /// Admits a request without a body.
    ///
    /// # Errors
    /// [`AdmissionError::Busy`].
    pub fn admit(&self) -> Result<Permit, AdmissionError> {
        let permit = Arc::clone(&self.in_work).try_acquire_owned();
        permit
            .map(|permit| Permit { _permit: permit })
            .map_err(|_| AdmissionError::Busy)
    }

    /// Reads a request's body. The request is in work only when the result is admitted.
    ///
    /// Do this before anything else, also before a request is refused: with a body that nobody has
    /// read, hyper must close the connection, and clients that keep it run into that with their next
    /// request.
    pub async fn receive(&self, body: Body) -> Received<'_> {
        Received {
            body: read_body(body, &self.limits).await,
            admission: self,
        }
    }
}

impl Received<'_> {
    /// Admits the request, and gives its body.
    ///
    /// # Errors
    /// When the body was too large, late or incomplete, or too many requests are in work.
    pub fn admit(self) -> Result<(Bytes, Permit), AdmissionError> {
        Ok((self.body?, self.admission.admit()?))
    }
}
