//! The root file system's image on disk: EROFS inside a dm-verity tree.
//!
//! The crate `rootfs-image` writes the image where an image is converted; the crate `rootfs` reads it in the
//! enclave. Both take the structures from here, so that neither depends on the other. [`erofs`] has the file
//! system's, [`verity`] the hash tree's.
//!
//! What Nacre writes:
//!
//! ```text
//! block 0              1024 bytes of zeros, EROFS superblock, zeros
//! block 1 …            inodes in slots of 32 bytes (nid n is at byte 32 n), each followed by its extended attributes
//!                      and, where small, by its contents; the root is the first
//! …                    contents of files, directories and symbolic links, each from a block boundary
//! …                    an opaque blob (the call-site maps), zeros up to the block boundary
//! hash_offset          verity superblock, zeros up to the block boundary
//! …                    hash tree: the top level first, the digests of the data blocks last
//! ```
//!
//! Trust: none is needed. These are definitions; whoever reads bytes by them checks each field.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

extern crate alloc;

pub mod erofs;
pub mod verity;

/// Bytes of a block of the file system and of the hash tree. It is the page size, so that a page of a file is a block.
pub const BLOCK_SIZE: usize = 4096;

/// One block.
pub type Block = [u8; BLOCK_SIZE];
