//! Errors of the cache directory.

use std::io;
use std::path::PathBuf;

use dcap_quote::{EvaluationDataNumbers, Refusal};

use crate::binding::BindingError;
use crate::freshness::Stale;
use crate::item::Name;

/// Why the cache does not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The directory cannot be used.
    #[error("the cache {}: {error}", .path.display())]
    Dir {
        /// The directory.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// The directory belongs to another root.
    #[error("the cache {}: {error}", .path.display())]
    Binding {
        /// The directory.
        path: PathBuf,
        /// The cause.
        error: BindingError,
    },
    /// Others than its owner can change it.
    #[error("the cache {} can be changed by other users (mode {mode:o}); take that right away: chmod go-w", .path.display())]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A piece is not there.
    #[error("the cache {} has no {name}", .path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
        /// The piece of collateral.
        name: Name,
    },
    /// A file is not what was written.
    #[error("the cache {}: the file {file} was damaged; fetch the collateral again", .path.display())]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// The file.
        file: String,
    },
    /// A piece proves nothing, or has expired.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// It is older than the policy allows.
    #[error("{0}")]
    Stale(#[from] Stale),
    /// Documents of one TCB recovery were asked for, and these are of another.
    #[error("number {wanted} was asked for, and the TCB info is of number {}, the QE identity of number {}; the source has no \
             others, or the file is another one", .found.tcb_info, .found.qe_identity)]
    OtherNumber {
        /// As asked for.
        wanted: u32,
        /// As offered.
        found: EvaluationDataNumbers,
    },
}
