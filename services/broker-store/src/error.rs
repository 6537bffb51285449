//! Errors of the store.

use crate::backend::BackendError;

/// Why the store cannot be used, or a change was not made.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A store is there already, and stays as it is.
    #[error("there is a broker's store at {0} already, which was left as it is; choose another place")]
    AlreadyInitialised(String),
    /// Another root key than the store was made with.
    #[error(
        "the root key does not open this store; it belongs to another one, or the store's first row was changed"
    )]
    WrongKey,
    /// What is there was not written by a broker with this key, or not all of it is there.
    #[error("the store was changed from outside: {0}; restore a backup")]
    Damaged(&'static str),
    /// What is there was in force once, and newer changes are known.
    #[error("the store was rolled back: {0}; restore the newest copy, or have an operator accept the loss")]
    RolledBack(String),
    /// Another replica keeps changing the store.
    #[error("other replicas change the store at the same time; try again")]
    Contended,
    /// A name or a value is larger than it may be.
    #[error("a {what} may have {max} bytes at most")]
    TooLarge {
        /// `name`, `value` or `journal entry`.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// No randomness or no cryptography: nothing of the caller's.
    #[error("the cryptographic library failed")]
    Crypto,
    /// An error before left the store in an unknown state.
    #[error("the store is closed after an error: {0}; restart the broker")]
    Closed(String),
    /// The database says so.
    #[error(transparent)]
    Backend(#[from] BackendError),
}
