//! Inodes of file systems in memory.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::any::Any;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use kobject::{
    DirectorySink, Errno, File, FileKind, Mutex, Once, Result, SharedPagesSlot, SpinLock, Stat, Timestamp,
};
use linux_abi::{OpenFlags, Seals};

use super::directory::Entries;
use super::xattr::Xattrs;
use super::{Content, INODE_COST, Tree};
use crate::dentry::Dentry;
use crate::inode::{Head, Inode, Link};
use crate::leases::Leases;
use crate::locks::LockTable;
use crate::notify::{self, Marks};
use crate::open_file::OpenFile;
use crate::system::NamedPipe;

/// The object of another crate behind a socket's name, which that crate knows the type of.
pub(crate) type SocketSlot = Mutex<Option<Arc<dyn Any + Send + Sync>>>;

/// What an inode holds, by kind.
pub(crate) enum Body {
    Directory(Mutex<Entries>),
    Regular(Content),
    Symlink(Arc<[u8]>),
    /// Number as st_rdev.
    CharDevice(u64),
    /// Number as st_rdev.
    BlockDevice(u64),
    Fifo(Once<Arc<dyn NamedPipe>>),
    Socket(Box<SocketSlot>),
}

impl Body {
    pub(crate) fn directory() -> Self {
        Self::Directory(Mutex::new(Entries::default()))
    }

    pub(crate) fn kind(&self) -> FileKind {
        match self {
            Self::Directory(_) => FileKind::Directory,
            Self::Regular(_) => FileKind::Regular,
            Self::Symlink(_) => FileKind::Symlink,
            Self::CharDevice(_) => FileKind::CharDevice,
            Self::BlockDevice(_) => FileKind::BlockDevice,
            Self::Fifo(_) => FileKind::Fifo,
            Self::Socket(_) => FileKind::Socket,
        }
    }
}

/// The times of an inode.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) accessed: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) changed: Timestamp,
    pub(crate) created: Timestamp,
}

impl Times {
    pub(crate) fn all(time: Timestamp) -> Self {
        Self {
            accessed: time,
            modified: time,
            changed: time,
            created: time,
        }
    }
}

/// What few inodes have.
#[derive(Default)]
pub(crate) struct Extra {
    pub(crate) locks: LockTable,
    pub(crate) leases: Leases,
    pub(crate) marks: Marks,
    pub(super) xattrs: Mutex<Xattrs>,
    /// `mm`'s, see [`kobject::Mapping::shared_pages`].
    pub(crate) shared_pages: SharedPagesSlot,
    /// F_SEAL bits, if it may be sealed.
    pub(crate) seals: Option<AtomicU32>,
}

/// An inode of a file system in memory.
pub(crate) struct TreeInode {
    pub(crate) head: Head,
    pub(crate) tree: Arc<Tree>,
    links: AtomicU32,
    /// Differs from the image, so it must not be forgotten.
    pinned: AtomicBool,
    /// Made without a name, but may get one (O_TMPFILE).
    linkable: AtomicBool,
    times: SpinLock<Times>,
    /// What it is in the image.
    pub(super) below: Option<rootfs::Inode>,
    pub(crate) body: Body,
    extra: Once<Box<Extra>>,
}

impl TreeInode {
    pub(super) fn new(
        tree: Arc<Tree>,
        head: Head,
        links: u32,
        times: Times,
        below: Option<rootfs::Inode>,
        body: Body,
    ) -> Self {
        Self {
            head,
            tree,
            links: AtomicU32::new(links),
            pinned: AtomicBool::new(false),
            linkable: AtomicBool::new(false),
            times: SpinLock::new(times),
            below,
            body,
            extra: Once::new(),
        }
    }

    /// It differs from the image from now on.
    pub(crate) fn pin(&self) {
        self.pinned.store(true, Ordering::Relaxed);
    }

    /// Whether it may get a name though it has none.
    pub(crate) fn is_linkable(&self) -> bool {
        self.linkable.load(Ordering::Relaxed)
    }

    pub(crate) fn set_linkable(&self) {
        self.linkable.store(true, Ordering::Relaxed);
    }

    /// Whether it differs from the image, or never was in it.
    pub(crate) fn is_pinned(&self) -> bool {
        self.pinned.load(Ordering::Relaxed)
    }

    pub(crate) fn times(&self) -> Times {
        *self.times.lock()
    }

    /// Changes the times.
    pub(crate) fn set_times(&self, change: impl FnOnce(&mut Times)) {
        self.pin();
        change(&mut self.times.lock());
    }

    /// The attributes have just changed.
    pub(crate) fn touch_changed(&self) {
        let now = self.tree.now();
        self.set_times(|times| times.changed = now);
    }

    /// The contents have just changed.
    pub(crate) fn touch_modified(&self) {
        let now = self.tree.now();
        self.set_times(|times| (times.modified, times.changed) = (now, now));
    }

    pub(crate) fn links(&self) -> u32 {
        self.links.load(Ordering::Relaxed)
    }

    pub(super) fn add_link(&self) {
        self.pin();
        self.links.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn drop_link(&self) {
        self.pin();
        // An image may lie about the number of its links.
        let less = |links: u32| Some(links.saturating_sub(1));
        let _ = self
            .links
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// What few inodes have, made now if need be.
    pub(crate) fn extra(&self) -> &Extra {
        self.extra.get_or_make(Box::default)
    }

    /// What few inodes have, if it was made.
    pub(crate) fn extra_if_made(&self) -> Option<&Extra> {
        self.extra.get().map(|extra| &**extra)
    }

    /// Makes an anonymous file one that takes seals; at once after it was made.
    pub(crate) fn set_sealable(&self, seals: Seals) {
        self.extra.get_or_make(|| {
            Box::new(Extra {
                seals: Some(AtomicU32::new(seals.bits())),
                ..Extra::default()
            })
        });
    }

    /// F_SEAL bits in force.
    pub(crate) fn seals(&self) -> Seals {
        let seals = self.extra_if_made().and_then(|extra| extra.seals.as_ref());
        seals.map_or(Seals::empty(), |seals| {
            Seals::from_bits_retain(seals.load(Ordering::Acquire))
        })
    }

    /// A regular file's contents; EISDIR or EINVAL for what has none.
    pub(crate) fn content(&self) -> Result<&Content> {
        match &self.body {
            Body::Regular(content) => Ok(content),
            Body::Directory(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    pub(super) fn entries(&self) -> Result<&Mutex<Entries>> {
        match &self.body {
            Body::Directory(entries) => Ok(entries),
            _ => Err(Errno::ENOTDIR),
        }
    }
}

impl Inode for TreeInode {
    fn head(&self) -> &Head {
        &self.head
    }

    fn stat(&self) -> Result<Stat> {
        let head = &self.head;
        let times = self.times();
        let (uid, gid) = head.owner();
        let (size, blocks, special_device) = match &self.body {
            Body::Directory(_) => (4096, 8, 0),
            Body::Regular(content) => (content.len(), content.blocks(), 0),
            Body::Symlink(target) => (target.len() as u64, 0, 0),
            Body::CharDevice(number) | Body::BlockDevice(number) => (0, 0, *number),
            Body::Fifo(_) | Body::Socket(_) => (0, 0, 0),
        };
        Ok(Stat {
            device: head.device,
            inode: head.number,
            kind: head.kind,
            permissions: head.permissions(),
            links: self.links(),
            uid,
            gid,
            special_device,
            size,
            block_size: 4096,
            blocks,
            accessed: times.accessed,
            modified: times.modified,
            changed: times.changed,
            created: times.created,
        })
    }

    fn lookup(&self, this: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>> {
        self.find(this, name)
    }

    fn list(&self, this: &Arc<Dentry>, cookie: u64, sink: &mut dyn DirectorySink) -> Result<u64> {
        self.list_entries(this, cookie, sink)
    }

    fn link(&self) -> Result<Link> {
        match &self.body {
            Body::Symlink(target) => Ok(Link::Path(target.clone())),
            _ => Err(Errno::EINVAL),
        }
    }

    fn open(&self, this: &Arc<Dentry>, _: OpenFlags) -> Result<Arc<dyn File>> {
        Ok(OpenFile::of(this))
    }

    fn as_tree(&self) -> Option<&TreeInode> {
        Some(self)
    }
}

impl Drop for TreeInode {
    fn drop(&mut self) {
        notify::deleted(self);
        if let Body::Regular(content) = &self.body {
            self.tree.budget.give_back(content.memory());
        }
        if self.below.is_none() {
            self.tree.budget.give_back(INODE_COST);
        }
    }
}
