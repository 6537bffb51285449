//! Errors of the store.

use std::io;
use std::path::PathBuf;

use super::SCHEMA_VERSION;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system says so.
    #[error("cannot {what} {}: {error}", path.display())]
    Io {
        /// The operation that failed.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// Others can read the keys.
    #[error("{} can be read or written by others (mode {mode:04o}), and holds the keys that sign tokens; chmod 600 it, and renew the keys if others may have read them", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Another process has it.
    #[error("{} is in use by another process; one service at a time can have it", .0.display())]
    InUse(PathBuf),
    /// Another program's file.
    #[error("{} is a database of something else, and was left as it is; choose another directory", .0.display())]
    Foreign(PathBuf),
    /// Written by a newer version.
    #[error("{} was written by a newer version (schema {found}, and this one knows {SCHEMA_VERSION}), and was left as it is; use that version", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i32,
    },
    /// Bound to another root of trust.
    #[error("{} belongs to a service that trusts {stored}, and this one trusts {wanted}; they never share keys: choose another directory", path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// In the file.
        stored: String,
        /// Now.
        wanted: String,
    },
    /// Something in it that this version did not write.
    #[error("{} is damaged: {what}; restore it from a copy", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The error.
        what: String,
    },
    /// SQLite failed otherwise.
    #[error("cannot use {}: {error}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: rusqlite::Error,
    },
}
