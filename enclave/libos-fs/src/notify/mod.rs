//! What is told of files to who watches them (inotify(7)).
//!
//! An inode in memory has a mark for each instance that watches it. What changes or uses a file calls one of the functions here, which
//! costs a load where nobody watches anything. Inodes of /proc and /sys can be watched, but nothing is told of them.
//!
//! Locks: the marks of an inode, then an instance's state; both are leaves for everybody else, and no mark is told under the first.

mod instance;
mod usage;

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use linux_abi::{InotifyMask, OpenFlags};

use crate::dentry::Dentry;
use crate::inode::Inode;
use crate::tree::TreeInode;

pub use instance::Inotify;
use kobject::{FileKind, SpinLock};
pub use usage::{MAX_QUEUED_EVENTS, MAX_USER_INSTANCES, MAX_USER_WATCHES};

/// What an event can be; the rest of a mask says how it is watched or told.
const EVENTS: InotifyMask = InotifyMask::from_bits_truncate(0xfff);

/// Marks that there are. As long as there are none, nothing is told to anybody.
static MARKS: AtomicUsize = AtomicUsize::new(0);

/// The two halves of a rename have the same number.
static COOKIE: AtomicU32 = AtomicU32::new(0);

/// An instance's interest in an inode.
pub(crate) struct Mark {
    /// The watch descriptor.
    watch: i32,
    mask: AtomicU32,
    instance: Weak<Inotify>,
    /// What it is a mark of.
    inode: Weak<dyn Inode>,
}

impl Mark {
    fn new(watch: i32, mask: InotifyMask, instance: Weak<Inotify>, inode: Weak<dyn Inode>) -> Arc<Self> {
        MARKS.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            watch,
            mask: AtomicU32::new(mask.bits()),
            instance,
            inode,
        })
    }

    fn mask(&self) -> InotifyMask {
        InotifyMask::from_bits_retain(self.mask.load(Ordering::Relaxed))
    }

    /// Takes the mark from its inode.
    fn detach(self: &Arc<Self>) {
        let Some(inode) = self.inode.upgrade() else { return };
        if let Some(extra) = inode.as_tree().and_then(TreeInode::extra_if_made) {
            extra.marks.remove(self);
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        MARKS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The marks of an inode.
pub(crate) struct Marks(SpinLock<Vec<Arc<Mark>>>);

impl Default for Marks {
    fn default() -> Self {
        Self(SpinLock::new(Vec::new()))
    }
}

impl Marks {
    fn add(&self, mark: Arc<Mark>) {
        self.0.lock().push(mark);
    }

    fn remove(&self, mark: &Arc<Mark>) {
        self.0.lock().retain(|other| !Arc::ptr_eq(other, mark));
    }

    /// The mark of this instance.
    fn of(&self, instance: &Weak<Inotify>) -> Option<Arc<Mark>> {
        let marks = self.0.lock();
        marks.iter().find(|mark| mark.instance.ptr_eq(instance)).cloned()
    }

    fn all(&self) -> Vec<Arc<Mark>> {
        self.0.lock().clone()
    }
}

/// What is told.
#[derive(Clone, Copy)]
struct Event<'a> {
    mask: InotifyMask,
    cookie: u32,
    /// The name in the watched directory; empty for the watched file itself.
    name: &'a [u8],
    /// The name is gone.
    is_unlinked: bool,
}

fn is_watched() -> bool {
    MARKS.load(Ordering::Relaxed) != 0
}

fn tell(inode: &TreeInode, event: Event<'_>) {
    let Some(extra) = inode.extra_if_made() else {
        return;
    };
    for mark in extra.marks.all() {
        let mask = mark.mask();
        let is_excluded = event.is_unlinked && mask.contains(InotifyMask::IN_EXCL_UNLINK);
        if mask.intersects(event.mask & EVENTS)
            && !is_excluded
            && let Some(instance) = mark.instance.upgrade()
        {
            instance.tell(&mark, event);
        }
    }
}

fn of_kind(mask: InotifyMask, kind: FileKind) -> InotifyMask {
    match kind {
        FileKind::Directory => mask | InotifyMask::IN_ISDIR,
        _ => mask,
    }
}

/// Something was done with a file by this name: its directory is told, and the file.
pub(crate) fn used(dentry: &Dentry, mask: InotifyMask) {
    if !is_watched() {
        return;
    }
    let mask = of_kind(mask, dentry.head().kind);
    if let Some(parent) = dentry.parent()
        && let Some(directory) = parent.tree()
    {
        let event = Event {
            mask,
            cookie: 0,
            name: &dentry.name(),
            is_unlinked: dentry.is_unlinked(),
        };
        tell(directory, event);
    }
    if let Some(inode) = dentry.tree() {
        tell_itself(inode, mask);
    }
}

/// Something became of the file itself, whatever its name.
pub(crate) fn became(inode: &TreeInode, mask: InotifyMask) {
    if is_watched() {
        tell_itself(inode, of_kind(mask, inode.head.kind));
    }
}

fn tell_itself(inode: &TreeInode, mask: InotifyMask) {
    let event = Event {
        mask,
        cookie: 0,
        name: b"",
        is_unlinked: false,
    };
    tell(inode, event);
}

/// A directory has gained or lost a name.
pub(crate) fn changed(directory: &TreeInode, mask: InotifyMask, name: &[u8], kind: FileKind) {
    if is_watched() {
        change(directory, mask, 0, name, kind);
    }
}

fn change(directory: &TreeInode, mask: InotifyMask, cookie: u32, name: &[u8], kind: FileKind) {
    let event = Event {
        mask: of_kind(mask, kind),
        cookie,
        name,
        is_unlinked: false,
    };
    tell(directory, event);
}

/// A name has moved.
pub(crate) fn moved(
    (from, old_name): (&TreeInode, &[u8]),
    (to, new_name): (&TreeInode, &[u8]),
    moved: &Dentry,
    replaced: Option<&Dentry>,
) {
    if !is_watched() {
        return;
    }
    let cookie = COOKIE.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    let kind = moved.head().kind;
    change(from, InotifyMask::IN_MOVED_FROM, cookie, old_name, kind);
    change(to, InotifyMask::IN_MOVED_TO, cookie, new_name, kind);
    if let Some(inode) = replaced.and_then(Dentry::tree) {
        became(inode, InotifyMask::IN_ATTRIB);
    }
    if let Some(inode) = moved.tree() {
        became(inode, InotifyMask::IN_MOVE_SELF);
    }
}

/// An inode without names is used by nobody any more: its watches end.
pub(crate) fn deleted(inode: &TreeInode) {
    let Some(extra) = inode.extra_if_made() else {
        return;
    };
    became(inode, InotifyMask::IN_DELETE_SELF);
    for mark in extra.marks.all() {
        if let Some(instance) = mark.instance.upgrade() {
            instance.end(&mark);
        }
    }
}

/// An open file is closed.
pub(crate) fn closed(dentry: &Dentry, flags: OpenFlags) {
    if flags.contains(OpenFlags::O_PATH) {
        return;
    }
    used(
        dentry,
        match flags.writable() {
            true => InotifyMask::IN_CLOSE_WRITE,
            false => InotifyMask::IN_CLOSE_NOWRITE,
        },
    );
}
