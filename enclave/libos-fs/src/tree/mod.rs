//! File systems in memory: the overlay over the image, and those that have nothing below.
//!
//! An overlay is a tree in memory that begins as the image's and is filled in as names are looked up. A directory's table
//! ([`directory`]) holds what has been looked up, made or removed; what it does not hold, the image's directory of the same inode has, if
//! there is one. So nothing is ever copied up: an inode of the image gets new attributes, a file of it gets new pages
//! ([`content`]), a directory of it gets new entries, all in place. A renamed directory takes its inode along, and with it what lies
//! below. Rejected: Linux's overlayfs, which has to tell two independent file systems apart and pays with copies of whole files, redirects
//! and opaque markers.
//!
//! What was looked up and is as in the image may be forgotten ([`cache`]).
//!
//! # Locks
//! In this order: `Tree::renames`; directories, ancestors first (two that are not related only under `renames`);
//! a file's `writing`; a file's pages; [`Tree::links`], the cache, times, a dentry's place. No program's memory is
//! touched under any but `writing`, which population of memory (`Mapping::read_pages`) does not take.

mod cache;
mod content;
mod directory;
mod inode;
mod names;
mod pages;
mod ranges;
mod xattr;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use kobject::{Errno, FileKind, Mutex, Once, Result, Timestamp};
use linux_abi::stat::{S_IALLUGO, makedev};
use rootfs::{Kind, Nid};

use crate::dentry::Dentry;
use crate::hash::hash;
use crate::image::Image;
use crate::inode::Head;

pub(crate) use content::Content;
pub(crate) use inode::{Body, Times, TreeInode};
pub(crate) use names::{Replace, Taken};
pub(crate) use xattr::SetXattr;

use cache::Cache;

/// Bytes that an inode in memory counts as, its name included.
const INODE_COST: u64 = 512;

/// How much memory the files of a container may take.
pub(crate) struct Budget {
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicU64::new(0),
        })
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn free(&self) -> u64 {
        self.limit.saturating_sub(self.used.load(Ordering::Relaxed))
    }

    /// Takes as many bytes; ENOSPC.
    pub(crate) fn take(&self, bytes: u64) -> Result<()> {
        let fits = |used: u64| used.checked_add(bytes).filter(|&used| used <= self.limit);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.map(drop).map_err(|_| Errno::ENOSPC)
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What a file system in memory is made of.
pub(crate) struct TreeOptions {
    /// What lies below.
    pub(crate) image: Option<Arc<dyn Image>>,
    /// st_dev.
    pub(crate) device: u64,
    pub(crate) budget: Arc<Budget>,
    pub(crate) now: fn() -> Timestamp,
    /// Of the hash of names.
    pub(crate) seed: u64,
    /// Permission bits of the root directory where nothing lies below.
    pub(crate) root_permissions: u32,
}

/// A file system in memory.
pub(crate) struct Tree {
    image: Option<Arc<dyn Image>>,
    pub(crate) device: u64,
    pub(crate) budget: Arc<Budget>,
    now: fn() -> Timestamp,
    seed: u64,
    next_inode: AtomicU64,
    /// Inodes of the image that have several names, once they have been looked up: all names must meet in one.
    links: Mutex<BTreeMap<Nid, Arc<TreeInode>>>,
    /// One rename at a time, so that no directory becomes its own ancestor.
    renames: Mutex<()>,
    cache: Cache,
}

impl Tree {
    /// Makes a file system; gives its root, without a place yet.
    pub(crate) fn new(options: TreeOptions) -> Result<(Arc<Self>, Arc<TreeInode>)> {
        // The image's inodes have the numbers of 32-byte slots.
        let first_free = match &options.image {
            Some(image) => image.blocks().saturating_mul(128).saturating_add(1),
            None => 1,
        };
        let tree = Arc::new(Self {
            image: options.image,
            device: options.device,
            budget: options.budget,
            now: options.now,
            seed: options.seed,
            next_inode: AtomicU64::new(first_free),
            links: Mutex::new(BTreeMap::new()),
            renames: Mutex::new(()),
            cache: Cache::new(),
        });
        let root = match &tree.image {
            Some(image) => tree.inode_of_image(image.root())?,
            None => tree.new_inode(Body::directory(), options.root_permissions, (0, 0))?,
        };
        if !root.head.is_directory() {
            return Err(Errno::EIO);
        }
        root.pin();
        Ok((tree, root))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.now)()
    }

    fn image(&self) -> Result<&Arc<dyn Image>> {
        self.image.as_ref().ok_or(Errno::EIO)
    }

    pub(crate) fn hash(&self, name: &[u8]) -> u64 {
        hash(self.seed, name)
    }

    /// A new inode, without a name yet; ENOSPC.
    pub(crate) fn new_inode(
        self: &Arc<Self>,
        body: Body,
        permissions: u32,
        owner: (u32, u32),
    ) -> Result<Arc<TreeInode>> {
        self.budget.take(INODE_COST)?;
        let number = self.next_inode.fetch_add(1, Ordering::Relaxed);
        let links = if body.kind() == FileKind::Directory { 2 } else { 0 };
        let head = Head::new(self.device, number, body.kind(), permissions & S_IALLUGO, owner);
        let times = Times::all(self.now());
        let inode = TreeInode::new(self.clone(), head, links, times, None, body);
        inode.pin();
        Ok(Arc::new(inode))
    }

    /// The inode of this number in the image.
    fn inode_of_image(self: &Arc<Self>, nid: Nid) -> Result<Arc<TreeInode>> {
        let image = self.image()?;
        let raw = image.inode(nid)?;
        let body = match raw.kind {
            Kind::File => Body::Regular(Content::of_image(raw.size)),
            Kind::Directory => Body::directory(),
            Kind::Symlink => Body::Symlink(image.readlink(&raw)?.into()),
            Kind::CharDevice(device) => Body::CharDevice(makedev(device.major, device.minor)),
            Kind::BlockDevice(device) => Body::BlockDevice(makedev(device.major, device.minor)),
            Kind::Fifo => Body::Fifo(Once::new()),
            Kind::Socket => Body::Socket(Box::default()),
        };
        let times = Times::all(Timestamp {
            seconds: raw.mtime.seconds,
            nanoseconds: raw.mtime.nanos,
        });
        let owner = (raw.uid, raw.gid);
        let head = Head::new(self.device, nid.0, body.kind(), raw.permissions.into(), owner);
        let links = raw.nlink;
        let shared = links > 1 && !head.is_directory();
        let make = || Arc::new(TreeInode::new(self.clone(), head, links, times, Some(raw), body));
        if shared {
            Ok(self.links.lock().entry(nid).or_insert_with(make).clone())
        } else {
            Ok(make())
        }
    }

    /// Forgets names of the image that nobody has used lately, if there are many. To be called without a directory's lock.
    fn shrink(&self) {
        self.cache.shrink(|dentry: &Arc<Dentry>| self.forget(dentry));
    }
}
