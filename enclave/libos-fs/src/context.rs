//! Who asks, and from where.

use alloc::sync::Arc;

use kobject::{Credentials, Description, Errno, Result};

use crate::dentry::Dentry;
use crate::open_file::OpenFile;

/// What a process brings along to every call that takes a path.
#[derive(Clone)]
pub struct Context {
    /// Where its absolute paths begin.
    pub root: Arc<Dentry>,
    /// Where its relative paths begin.
    pub cwd: Arc<Dentry>,
    /// Permission bits that new files do not get.
    pub umask: u32,
    /// Its identities.
    pub credentials: Arc<Credentials>,
}

/// Where the relative paths of one call begin.
#[derive(Clone, Copy)]
pub enum At<'a> {
    /// In the working directory (AT_FDCWD).
    Cwd,
    /// In this open directory. With an empty path and [`AtFlags::EMPTY_PATH`] this file itself, of whatever kind.
    Descriptor(&'a Description),
}

impl<'a> At<'a> {
    /// The directory (or file): EBADF for an open file that is of no file system.
    pub(crate) fn dentry(self, context: &'a Context) -> Result<&'a Arc<Dentry>> {
        match self {
            Self::Cwd => Ok(&context.cwd),
            Self::Descriptor(description) => {
                let file = description.object_as::<OpenFile>().ok_or(Errno::ENOTDIR)?;
                Ok(file.dentry())
            }
        }
    }
}

bitflags::bitflags! {
    /// How the end of a path is taken: Linux's AT_ bits.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct AtFlags: u32 {
        /// AT_SYMLINK_NOFOLLOW: a symbolic link at the end is meant itself.
        const SYMLINK_NOFOLLOW = 0x100;
        /// AT_SYMLINK_FOLLOW: the other way round, for `linkat`.
        const SYMLINK_FOLLOW = 0x400;
        /// AT_EMPTY_PATH: an empty path means the open file itself.
        const EMPTY_PATH = 0x1000;
    }
}

bitflags::bitflags! {
    /// Where a path may lead: `openat2`'s RESOLVE_ bits.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Resolve: u64 {
        /// RESOLVE_NO_XDEV: not to another file system.
        const NO_XDEV = 0x01;
        /// RESOLVE_NO_MAGICLINKS: not through /proc's magic links.
        const NO_MAGICLINKS = 0x02;
        /// RESOLVE_NO_SYMLINKS: not through symbolic links.
        const NO_SYMLINKS = 0x04;
        /// RESOLVE_BENEATH: not out of the starting directory.
        const BENEATH = 0x08;
        /// RESOLVE_IN_ROOT: the starting directory is the root.
        const IN_ROOT = 0x10;
        /// RESOLVE_CACHED: without waiting for a disk, of which there is none.
        const CACHED = 0x20;
    }
}
