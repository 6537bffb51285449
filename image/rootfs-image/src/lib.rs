//! Writes the root file system: EROFS inside a dm-verity tree.
//!
//! [`Layout::new`] gives every inode and every byte its place from the tree's metadata alone. So the numbers of the inodes
//! and the length of the image are known before any contents are read, and [`Layout::write`] then makes the image in
//! one pass from front to back, hashing as it goes, into anything that takes bytes.
//!
//! Key types: [`Source`] (the tree to write), [`Layout`], [`Options`], [`Written`]. Neighbours: `rootfs-format` has the
//! structures on disk; `rootfs` reads the image in the enclave; `image-convert` is the caller.
//! `image_writer` encrypts, where that is asked for, between the file system's blocks and the hash tree.
//!
//! The same tree gives the same bytes: there is no clock and no chance, and the ids of a [`Source`] do not matter. `fsck.erofs`
//! and `veritysetup` accept the image. Memory is in proportion to the metadata, plus 8 MiB of digests for each GiB of
//! contents.
//!
//! Trust: this runs where the image is converted. The tree may come from a hostile image; names, links, sizes and
//! attributes are checked, and what EROFS cannot hold is an error.
#![forbid(unsafe_code)]

mod directory;
mod error;
mod hash_tree;
mod image_writer;
mod layout;
mod source;
mod superblock;
mod verification;
mod xattr;

pub use error::Error;
pub use layout::{Extent, Layout, Options, Written};
pub use rootfs_format::erofs::{Device, Nid, Timestamp};
pub use source::{Inode, Kind, Source};
pub use verification::damage;
