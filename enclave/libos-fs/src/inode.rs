//! Inodes: what names stand for, whatever file system they are of.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use kobject::credentials::AccessMode;
use kobject::{Attributes, Credentials, DirectorySink, Errno, File, FileKind, Result, Stat};
use linux_abi::{Capabilities, OpenFlags};

use crate::context::Context;
use crate::dentry::Dentry;
use crate::tree::TreeInode;

/// What the path walk asks of every inode, readable without a lock.
pub(crate) struct Head {
    /// st_dev of its file system.
    pub(crate) device: u64,
    /// st_ino.
    pub(crate) number: u64,
    /// What it is.
    pub(crate) kind: FileKind,
    permissions: AtomicU32,
    /// User in the upper half, group in the lower: they change together.
    owner: AtomicU64,
}

impl Head {
    pub(crate) fn new(device: u64, number: u64, kind: FileKind, permissions: u32, owner: (u32, u32)) -> Self {
        Self {
            device,
            number,
            kind,
            permissions: AtomicU32::new(permissions),
            owner: AtomicU64::new(pack(owner)),
        }
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.kind == FileKind::Directory
    }

    /// Permission bits, with set-id and sticky bits.
    pub(crate) fn permissions(&self) -> u32 {
        // Relaxed: a check races with a change of mode as it does on Linux.
        self.permissions.load(Ordering::Relaxed)
    }

    pub(crate) fn set_permissions(&self, permissions: u32) {
        self.permissions.store(permissions, Ordering::Relaxed);
    }

    /// User and group.
    pub(crate) fn owner(&self) -> (u32, u32) {
        let owner = self.owner.load(Ordering::Relaxed);
        ((owner >> 32) as u32, owner as u32)
    }

    pub(crate) fn set_owner(&self, owner: (u32, u32)) {
        self.owner.store(pack(owner), Ordering::Relaxed);
    }

    /// EACCES unless these identities may do this.
    pub(crate) fn permits(&self, credentials: &Credentials, wanted: AccessMode) -> Result<()> {
        credentials.permits(self.kind, self.permissions(), self.owner(), wanted)
    }

    /// EPERM unless these identities own it, or count as if they did.
    pub(crate) fn owned_by(&self, credentials: &Credentials) -> Result<()> {
        match credentials.fsuid() == self.owner().0 {
            true => Ok(()),
            false => credentials.require(Capabilities::CAP_FOWNER),
        }
    }
}

fn pack((uid, gid): (u32, u32)) -> u64 {
    u64::from(uid) << 32 | u64::from(gid)
}

/// Where a symbolic link leads.
pub(crate) enum Link {
    /// Along a path.
    Path(Arc<[u8]>),
    /// To this object itself, whatever its path: /proc's magic links.
    Jump(Arc<Dentry>),
}

/// An inode of any file system.
pub(crate) trait Inode: Any + Send + Sync {
    /// What the path walk asks of it.
    fn head(&self) -> &Head;

    /// What `stat` says.
    fn stat(&self) -> Result<Stat>;

    /// The entry of this name in the directory that `this` stands for; ENOENT. Never asked for `.` and `..`, nor of what is no directory.
    fn lookup(&self, this: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>> {
        let _ = (this, name);
        Err(Errno::ENOTDIR)
    }

    /// As [`File::read_directory`].
    fn list(&self, this: &Arc<Dentry>, cookie: u64, sink: &mut dyn DirectorySink) -> Result<u64> {
        let _ = (this, cookie, sink);
        Err(Errno::ENOTDIR)
    }

    /// Where it leads; EINVAL for what is no symbolic link.
    fn link(&self) -> Result<Link> {
        Err(Errno::EINVAL)
    }

    /// What `readlink` says.
    fn readlink(&self, context: &Context) -> Result<Vec<u8>> {
        match self.link()? {
            Link::Path(path) => Ok(path.to_vec()),
            Link::Jump(target) => Ok(target.path(&context.root)),
        }
    }

    /// Makes what an open file refers to. Permissions have been checked; truncation comes after.
    fn open(&self, this: &Arc<Dentry>, flags: OpenFlags) -> Result<Arc<dyn File>>;

    /// The attributes of an object of no file system, if they may change.
    fn attributes(&self) -> Option<&Attributes> {
        None
    }

    /// The inode, if it is of a file system in memory: the only ones whose names change.
    fn as_tree(&self) -> Option<&TreeInode> {
        None
    }
}
