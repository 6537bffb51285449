//! The file systems: path walk, overlay over the image, proc, dev and sys.
//!
//! - [`Vfs`]: the calls, from a [`Context`] and a path to a result; [`Vfs::open`] gives a [`kobject::Description`] of an [`OpenFile`];
//! - [`Dentry`]: a name for an inode, held by processes (root, working directory) and open files;
//! - [`System`], [`Process`], [`NamedPipe`]: what `/proc`, `/dev` and FIFOs ask of the rest of the LibOS;
//! - [`Attester`]: what `/dev/attestation` asks of it: reports, quotes, keys;
//! - [`lock_file`], [`lock_record`]: locks; [`Mount`]: a mounted file system.
//!
//! Inside, `walk` goes from paths to dentries; `tree` is the file system in memory, over the image (the root) or over nothing (`/dev`,
//! `/dev/shm`, anonymous files); `synthetic` is what is made when it is looked at (`proc`, `sys`, `attestation`);
//! `mounts` is the mount table.
//!
//! Neighbours: `rootfs` reads the image; `libos` turns system calls into calls of these; `libos-mm` maps files by [`kobject::Mapping`].
//!
//! # Trust
//! The image is verified, yet was made by a tool from somebody's files: what contradicts itself is EIO. Programs may pass any path,
//! flags and names. Permissions are checked as Linux checks them; they
//! order processes of one container, which are one trust domain.
//!
//! # Locks
//! See `tree` for the order. None is held while a program's memory is touched but those that `Mapping::read_pages` does not take.
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

mod attestation;
mod attester;
mod context;
mod dentry;
mod device;
mod hash;
mod image;
mod inode;
mod leases;
mod locks;
mod mounts;
mod notify;
mod open_file;
mod proc;
mod synthetic;
mod sys;
mod system;
mod tree;
mod vfs;
mod walk;

pub use attester::{
    Attester, REPORT_DATA_SIZE, REPORT_SIZE, SealedTo, Secret, SecurityVersions, TARGET_INFO_SIZE,
};
pub use context::{At, Context};
pub use dentry::Dentry;
pub use image::Image;
pub use leases::Lease;
pub use locks::{
    LockKind, LockOwner, LockWait, RecordLock, lock_file, lock_record, release_records, test_record,
};
pub use mounts::{FILE_SYSTEM_TYPES, Mount};
pub use notify::Inotify;
pub use open_file::OpenFile;
pub use synthetic::process_of_directory;
pub use system::{
    Cache, CacheKind, Kernel, MappingStatus, Memory, NamedPipe, Process, ProcessStatus, System, SystemV,
    ThreadStatus, Transfers,
};
pub use vfs::{
    FileSystemStat, MAX_TERMINALS, NewNode, OpenHow, Owner, SetTime, Vfs, VfsOptions, path_of, place_of,
    written_by,
};
