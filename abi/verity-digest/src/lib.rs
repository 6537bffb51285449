//! The digests of a dm-verity tree: SHA-256 of a salt and a block of 4096 bytes, for one block or for two at a time.
//!
//! One SHA-256 leaves most of the processor's SHA unit idle, since each pair of rounds waits for the one before. Two
//! that run in step fill it, and take little longer than one (Linux does the same since 6.19). The crate `rootfs-image`
//! makes the tree with this where an image is converted; the crate `rootfs` verifies blocks with it in the enclave.
//!
//! Key type: [`BlockHasher`].
//!
//! In the enclave the SHA extensions are known when it is built (`-C target-feature=+sha`), so nothing is detected and
//! `CPUID` is not executed. Elsewhere the processor is asked, and the crate `sha2` does the work if it has none.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod block_hasher;
mod dispatch;
mod sha_ni;

pub use block_hasher::{BlockHasher, SaltTooLong};

/// The eight words of SHA-256 between two chunks.
pub(crate) type State = [u32; 8];

/// Bytes that one compression takes.
pub(crate) const CHUNK_SIZE: usize = 64;

/// What one compression takes.
pub(crate) type Chunk = [u8; CHUNK_SIZE];
