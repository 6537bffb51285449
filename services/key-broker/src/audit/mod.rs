//! The audit log: one line of JSON for each decision, chained by hashes and signed by the broker.
//!
//! A line is an object whose last member is its signature, in exactly this form:
//!
//! ```text
//! {"sequence":2,"previous":"…","time":1764530000,…,"signature":"…"}
//! ```
//!
//! `previous` is the SHA-256 of the line before, without its line feed, in hexadecimal (zeroes in the first). The signature is
//! ECDSA on P-256 with SHA-256, in DER and base64, over the line without `,"signature":"…"`. What is signed are the bytes as
//! they stand, so that nobody has to agree on a canonical form.

mod entry;
mod signer;
mod verify;

pub use self::entry::{Actor, Event, Outcome};
pub(crate) use self::entry::{is_about, time_of};
pub use self::signer::{AuditKey, AuditKeyError};
pub use self::verify::{AuditError, AuditHead, AuditProblem, Verified, public_key_from_pem, verify};

/// Before the signature in a line.
const SIGNATURE: &str = ",\"signature\":\"";
