//! Dentries: names in directories, and the paths that they make.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use kobject::SpinLock;

use crate::inode::{Head, Inode};
use crate::tree::TreeInode;

/// A name for an inode: where a path leads. A process keeps its root and its working directory as dentries.
///
/// A directory has one; an inode with several hard links has one for each. It stays with what was renamed or unlinked, so
/// that open files know their path.
pub struct Dentry {
    inode: Arc<dyn Inode>,
    place: SpinLock<Place>,
    /// Looked up since the cache's hand last passed.
    used: AtomicBool,
    /// The root of a mount: it cannot be renamed or removed.
    is_mount: AtomicBool,
}

/// Where a dentry is.
#[derive(Clone)]
struct Place {
    /// `None` for the root of everything, and for what never had a name.
    parent: Option<Arc<Dentry>>,
    name: Arc<[u8]>,
    unlinked: bool,
}

impl Dentry {
    /// The inode's name in a directory.
    pub(crate) fn new(inode: Arc<dyn Inode>, parent: &Arc<Dentry>, name: Arc<[u8]>) -> Arc<Self> {
        let parent = Some(parent.clone());
        Self::at(
            inode,
            Place {
                parent,
                name,
                unlinked: false,
            },
        )
    }

    /// The root of a file system that is not mounted on another.
    pub(crate) fn root(inode: Arc<dyn Inode>) -> Arc<Self> {
        let name = Arc::from(&b""[..]);
        Self::at(
            inode,
            Place {
                parent: None,
                name,
                unlinked: false,
            },
        )
    }

    /// An inode without a place among the others: `name` is all of its path, and it counts as deleted if `unlinked`.
    pub(crate) fn apart(inode: Arc<dyn Inode>, name: &[u8], unlinked: bool) -> Arc<Self> {
        Self::at(
            inode,
            Place {
                parent: None,
                name: Arc::from(name),
                unlinked,
            },
        )
    }

    /// An inode that was made in a directory without a name there (O_TMPFILE).
    pub(crate) fn nameless(inode: Arc<dyn Inode>, parent: &Arc<Dentry>, name: &[u8]) -> Arc<Self> {
        let parent = Some(parent.clone());
        Self::at(
            inode,
            Place {
                parent,
                name: Arc::from(name),
                unlinked: true,
            },
        )
    }

    fn at(inode: Arc<dyn Inode>, place: Place) -> Arc<Self> {
        Arc::new(Self {
            inode,
            place: SpinLock::new(place),
            used: AtomicBool::new(true),
            is_mount: AtomicBool::new(false),
        })
    }

    pub(crate) fn inode(&self) -> &Arc<dyn Inode> {
        &self.inode
    }

    pub(crate) fn head(&self) -> &Head {
        self.inode.head()
    }

    pub(crate) fn tree(&self) -> Option<&TreeInode> {
        self.inode.as_tree()
    }

    pub(crate) fn parent(&self) -> Option<Arc<Dentry>> {
        self.place.lock().parent.clone()
    }

    pub(crate) fn name(&self) -> Arc<[u8]> {
        self.place.lock().name.clone()
    }

    /// Whether its name is gone.
    pub fn is_unlinked(&self) -> bool {
        self.place.lock().unlinked
    }

    pub(crate) fn set_unlinked(&self) {
        self.place.lock().unlinked = true;
    }

    /// It is elsewhere now, and linked there.
    pub(crate) fn set_place(&self, parent: &Arc<Dentry>, name: Arc<[u8]>) {
        let place = Place {
            parent: Some(parent.clone()),
            name,
            unlinked: false,
        };
        let old = core::mem::replace(&mut *self.place.lock(), place);
        // Not under the lock: this may have been the last reference to the old parent.
        drop(old);
    }

    pub(crate) fn is_mount(&self) -> bool {
        self.is_mount.load(Ordering::Relaxed)
    }

    pub(crate) fn set_mount(&self) {
        self.is_mount.store(true, Ordering::Relaxed);
    }

    /// Notes a look-up; reads first, so that a name that everybody looks up stays in every processor's cache.
    pub(crate) fn set_used(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// Whether it lies below `ancestor`, or is it.
    pub(crate) fn is_below(self: &Arc<Self>, ancestor: &Arc<Dentry>) -> bool {
        let mut next = Some(self.clone());
        while let Some(dentry) = next {
            if Arc::ptr_eq(&dentry, ancestor) {
                return true;
            }
            next = dentry.parent();
        }
        false
    }

    /// The path from the very top, as [`Self::path`].
    pub fn whole_path(self: &Arc<Self>) -> Vec<u8> {
        self.path_until(|_| false)
    }

    /// The path from `root`, with ` (deleted)` behind it if the name is gone: what /proc shows. What does not lie below `root` has its
    /// path from the very top.
    pub fn path(self: &Arc<Self>, root: &Arc<Dentry>) -> Vec<u8> {
        self.path_until(|dentry| Arc::ptr_eq(dentry, root))
    }

    fn path_until(self: &Arc<Self>, is_root: impl Fn(&Arc<Dentry>) -> bool) -> Vec<u8> {
        let mut names: Vec<Arc<[u8]>> = Vec::new();
        let mut path = Vec::new();
        let mut dentry = self.clone();
        while !is_root(&dentry) {
            let place = dentry.place.lock().clone();
            let Some(parent) = place.parent else {
                // The very top has an empty name; what is apart has its whole path.
                path.extend_from_slice(&place.name);
                break;
            };
            names.push(place.name);
            dentry = parent;
        }
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        if path.is_empty() {
            path.push(b'/');
        }
        if self.is_unlinked() {
            path.extend_from_slice(b" (deleted)");
        }
        path
    }
}
