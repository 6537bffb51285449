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
    /// In this open directory. With an empty path and [`AtFlags::AT_EMPTY_PATH`] this file itself, of whatever kind.
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
