//! Signs enclaves with a key that stays in a PKCS #11 token: a hardware security module, a smart card, a key service.
//!
//! A key is named by a PKCS #11 URI (RFC 7512), as OpenSSL and p11-kit have it: [`TokenUri`]. [`TokenKey`] is the key, with the
//! session that is open to it.
//!
//! Trust: the module is a shared library, and it runs in this process with all of its rights. What it says of the key and
//! what it signs are checked: `sgx-sign` verifies each signature with the public key before it becomes a SIGSTRUCT.
#![forbid(unsafe_code)]

mod key;
mod uri;

pub use key::{TokenError, TokenKey};
pub use uri::{NotAUri, TokenUri};
