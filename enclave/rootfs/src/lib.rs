//! Reads the root file system: EROFS inside a dm-verity tree, from untrusted memory.
//!
//! The layers, from the host to the caller, each behind a trait of the layer below:
//!
//! ```text
//! BlockSource      the host's bytes, copied in           (implemented by the LibOS)
//!   Verity         SHA-256 tree: right bytes or an error
//!     Sectors      AES-256-XTS, where the image is encrypted
//!       BlockCache verified blocks, bounded
//!         Erofs    inodes, directories, symbolic links, extended attributes, file contents
//! ```
//!
//! Key types: [`Verity`], [`Erofs`], [`Inode`], [`Error`]. The crate `rootfs-format` has the structures on disk; the crate
//! `rootfs-image` writes them, and its tests are the tests of both. Opening costs one path of the hash tree whatever the size of the image.
//!
//! # Trust
//!
//! The bytes of a [`BlockSource`] are the adversary's and may change between two reads. A block is therefore copied
//! into memory of the enclave first and verified there; what does not match is an error, never data. The root hash
//! is measured. What the tree vouches for was still made by a tool from somebody's image, so EROFS structures are
//! checked field by field all the same: a bad image costs `EIO`, not the enclave. Nothing allocates, loops or recurses
//! in proportion to a number that the image claims, beyond the bounds that Linux sets for names, links and attributes.
//!
//! # Concurrency
//!
//! Everything takes `&self`. The caches are set-associative with one lock for each set of eight blocks, held for the
//! look-up alone: neither hashing, nor copying, nor allocating happens under a lock. The [`Lock`] is the caller's. Locks
//! are leaves: no two are held together.
//!
//! # SHA-256 and AES without CPUID
//!
//! `CPUID` faults in an enclave. `sha2`, `aes` and `verity-digest` ask `cpufeatures`, which executes it unless the
//! features are known at compile time. Build the enclave with `-C target-feature=+aes,+sha,+ssse3,+sse4.1` and
//! `--cfg sha2_256_backend="x86-sha"`: the latter leaves detection and the portable code out altogether, and refuses to
//! compile without the former.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

extern crate alloc;

mod block;
mod cache;
mod directory;
mod erofs;
mod error;
mod inode;
mod sectors;
mod verity;
mod xattr;

pub use block::{BlockSource, SourceError, VerifiedBlocks};
pub use cache::{CacheSet, Lock};
pub use directory::{DirEntry, Entry};
pub use erofs::{Chunk, Erofs};
pub use error::Error;
pub use inode::{Inode, Kind};
pub use rootfs_format::erofs::{Device, Nid, Timestamp};
pub use rootfs_format::verity::Digest;
pub use rootfs_format::{BLOCK_SIZE, Block};
pub use sectors::Sectors;
pub use verity::{Verity, VerityParams};
pub use xattr::Xattr;
