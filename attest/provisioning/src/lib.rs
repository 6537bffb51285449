//! What an attested container asks the key broker for, and what it is given.
//!
//! `nacre-init` sends a [`Request`] as JSON by `POST` to [`PATH`], over TLS in which it shows a certificate that carries a quote
//! (RA-TLS). A broker that finds a service in a policy for this enclave answers 200 with a [`Provision`]; any other status comes
//! with a [`Refusal`]. Both ends of the connection are authenticated, so the messages hold no proof of their own. A container
//! asks again, with the same instance, before what it was given expires.
//!
//! Secrets are erased when they are dropped, and never printed.
#![forbid(unsafe_code)]

mod hex;
mod provision;
mod refusal;
mod request;
mod secret;

pub use hex::{Hex, NotHex};
pub use provision::{File, Owner, Provision, Renewal};
pub use refusal::{Code, Refusal};
pub use request::Request;
pub use secret::{SecretBytes, SecretText};

/// Where a broker is asked.
pub const PATH: &str = "/v1/provision";

/// The name in the broker's certificate, wherever it is: its address is the host's claim. The authority that a container was converted
/// for gives this name to brokers only, and never to a service of a deployment.
pub const SERVER_NAME: &str = "key-broker.nacre.internal";

/// The media type of all messages.
pub const CONTENT_TYPE: &str = "application/json";

/// The largest request and refusal, in bytes.
pub const MAX_REQUEST: usize = 64 << 10;

/// The largest answer, in bytes.
pub const MAX_PROVISION: usize = 16 << 20;
