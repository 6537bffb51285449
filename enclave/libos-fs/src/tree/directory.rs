//! Directories: what has been looked up, made or removed in them, over what the image has.
//!
//! # Listing
//! A cookie must stay good while entries come and go. `.` has 0 and `..` has 1, then come the image's entries, whose places
//! never change, less those that were removed or replaced, then what was made, in the order in which it was made: each new entry takes
//! the next number and none is used twice.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use hashbrown::HashTable;
use kobject::{DirectoryEntry, DirectorySink, Errno, FileKind, Result};
use linux_abi::file_system::NAME_MAX;

use super::cache::Fate;
use super::{Tree, TreeInode};
use crate::dentry::Dentry;

/// Cookie of the image's first entry; those of the rest follow from their places in the image.
const IMAGE_COOKIE: u64 = 2;

/// First number of entries that were made: above every cookie of the image.
const MADE_COOKIE: u64 = 1 << 48;

/// How many entries are taken from under the lock at once.
const BATCH: usize = 64;

/// Most names that are remembered as absent.
const MAX_ABSENT: usize = 512;

/// A directory's contents.
pub(crate) struct Entries {
    table: HashTable<Entry>,
    /// What was made, by its number: for listing.
    made: BTreeMap<u64, Arc<Dentry>>,
    next: u64,
    /// Names in the table that the image does not have and nobody removed.
    absent: usize,
    /// Removed: nothing can be made in it.
    is_dead: bool,
}

/// What is known of a name.
struct Entry {
    hash: u64,
    name: Arc<[u8]>,
    /// The image has the name in this directory.
    below: bool,
    state: State,
}

enum State {
    /// There is nothing of this name: never was, or not any more.
    Absent,
    /// As the image has it.
    Image(Arc<Dentry>),
    /// Made here, with its number.
    Made(Arc<Dentry>, u64),
}

impl Default for Entries {
    fn default() -> Self {
        Self {
            table: HashTable::new(),
            made: BTreeMap::new(),
            next: MADE_COOKIE,
            absent: 0,
            is_dead: false,
        }
    }
}

impl Entry {
    fn dentry(&self) -> Option<&Arc<Dentry>> {
        match &self.state {
            State::Absent => None,
            State::Image(dentry) | State::Made(dentry, _) => Some(dentry),
        }
    }
}

impl Entries {
    fn entry(&self, hash: u64, name: &[u8]) -> Option<&Entry> {
        self.table
            .find(hash, |entry| entry.hash == hash && *entry.name == *name)
    }

    fn entry_mut(&mut self, hash: u64, name: &[u8]) -> Option<&mut Entry> {
        self.table
            .find_mut(hash, |entry| entry.hash == hash && *entry.name == *name)
    }

    fn insert(&mut self, entry: Entry) {
        self.table.insert_unique(entry.hash, entry, |entry| entry.hash);
    }

    fn remove(&mut self, hash: u64, name: &[u8]) {
        let found = self
            .table
            .find_entry(hash, |entry| entry.hash == hash && *entry.name == *name);
        if let Ok(found) = found {
            found.remove();
        }
    }

    /// ENOENT if the directory was removed.
    pub(super) fn check_alive(&self) -> Result<()> {
        if self.is_dead { Err(Errno::ENOENT) } else { Ok(()) }
    }

    /// The directory is being removed.
    pub(super) fn kill(&mut self) {
        self.is_dead = true;
    }

    /// Gives the name to a dentry: in place of nothing, or of what had it.
    pub(super) fn put(&mut self, hash: u64, name: Arc<[u8]>, dentry: Arc<Dentry>) {
        let number = self.next;
        self.next += 1;
        self.made.insert(number, dentry.clone());
        let state = State::Made(dentry, number);
        let Some(entry) = self.entry_mut(hash, &name) else {
            let below = false;
            return self.insert(Entry {
                hash,
                name,
                below,
                state,
            });
        };
        let below = entry.below;
        match core::mem::replace(&mut entry.state, state) {
            State::Made(_, old) => drop(self.made.remove(&old)),
            State::Absent if !below => self.absent -= 1,
            State::Absent | State::Image(_) => {}
        }
    }

    /// Takes the name from whatever has it.
    pub(super) fn take(&mut self, hash: u64, name: &[u8]) {
        let Some(entry) = self.entry_mut(hash, name) else {
            return;
        };
        let below = entry.below;
        if let State::Made(_, number) = core::mem::replace(&mut entry.state, State::Absent) {
            self.made.remove(&number);
        }
        if !below {
            self.remove(hash, name);
        }
    }

    /// Puts another dentry where one was, at the same place in the listing.
    pub(super) fn exchange(&mut self, hash: u64, name: &[u8], dentry: Arc<Dentry>) {
        if let Some(Entry {
            state: State::Made(old, number),
            ..
        }) = self.entry_mut(hash, name)
        {
            *old = dentry.clone();
            let number = *number;
            self.made.insert(number, dentry);
        } else {
            let name = Arc::from(name);
            self.put(hash, name, dentry);
        }
    }
}

/// Entries that were taken from under a directory's lock.
#[derive(Default)]
struct Batch {
    entries: Vec<(u64, FileKind, u64, usize)>,
    names: Vec<u8>,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.entries.len() >= BATCH
    }

    fn push(&mut self, inode: u64, kind: FileKind, next: u64, name: &[u8]) {
        self.names.extend_from_slice(name);
        self.entries.push((inode, kind, next, name.len()));
    }

    /// Hands the entries over; breaks when `sink` refuses one. `cookie` follows what was taken.
    fn hand_over(&self, cookie: &mut u64, sink: &mut dyn DirectorySink) -> ControlFlow<()> {
        let mut names = self.names.as_slice();
        for &(inode, kind, next, len) in &self.entries {
            let (name, rest) = names.split_at_checked(len).unwrap_or((names, &[]));
            names = rest;
            sink.entry(DirectoryEntry {
                inode,
                next,
                kind,
                name,
            })?;
            *cookie = next;
        }
        ControlFlow::Continue(())
    }
}

impl TreeInode {
    /// The entry of this name; ENOENT.
    pub(super) fn find(&self, this: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>> {
        let hash = self.tree.hash(name);
        let mut entries = self.entries()?.lock();
        if let Some(entry) = entries.entry(hash, name) {
            let dentry = entry.dentry().ok_or(Errno::ENOENT)?;
            dentry.set_used();
            return Ok(dentry.clone());
        }
        let found = self.load(this, &mut entries, hash, name);
        drop(entries);
        self.tree.shrink();
        found?.ok_or(Errno::ENOENT)
    }

    /// As [`Self::find`], under the directory's lock.
    pub(super) fn find_in(
        &self,
        this: &Arc<Dentry>,
        entries: &mut Entries,
        hash: u64,
        name: &[u8],
    ) -> Result<Option<Arc<Dentry>>> {
        match entries.entry(hash, name) {
            Some(entry) => Ok(entry.dentry().cloned()),
            None => self.load(this, entries, hash, name),
        }
    }

    /// Asks the image for a name that the table does not have.
    fn load(
        &self,
        this: &Arc<Dentry>,
        entries: &mut Entries,
        hash: u64,
        name: &[u8],
    ) -> Result<Option<Arc<Dentry>>> {
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        // Without a directory below, the table is the truth.
        let Some(below) = &self.below else { return Ok(None) };
        let found = self.tree.image()?.lookup(below, name)?;
        let name: Arc<[u8]> = name.into();
        let dentry = match found {
            Some(found) => {
                let inode = self.tree.inode_of_image(found.nid)?;
                let dentry = Dentry::new(inode, this, name.clone());
                self.tree.cache.add(&dentry);
                Some(dentry)
            }
            None => {
                if entries.absent >= MAX_ABSENT {
                    let keep = |entry: &mut Entry| entry.below || entry.dentry().is_some();
                    entries.table.retain(keep);
                    entries.absent = 0;
                }
                entries.absent += 1;
                None
            }
        };
        let (below, state) = match &dentry {
            Some(dentry) => (true, State::Image(dentry.clone())),
            None => (false, State::Absent),
        };
        entries.insert(Entry {
            hash,
            name,
            below,
            state,
        });
        Ok(dentry)
    }

    /// As [`kobject::File::read_directory`].
    pub(super) fn list_entries(
        &self,
        this: &Arc<Dentry>,
        from: u64,
        sink: &mut dyn DirectorySink,
    ) -> Result<u64> {
        let mut cookie = from;
        loop {
            let mut batch = Batch::default();
            let next = self.gather(this, cookie, &mut batch)?;
            let more = next.is_some();
            if batch.hand_over(&mut cookie, sink).is_break() || !more {
                return Ok(cookie);
            }
            // Entries that are hidden lead on as well.
            cookie = next.unwrap_or(cookie);
        }
    }

    /// Takes entries from `cookie` on; gives where to go on, `None` at the end.
    fn gather(&self, this: &Arc<Dentry>, mut cookie: u64, batch: &mut Batch) -> Result<Option<u64>> {
        let entries = self.entries()?.lock();
        if entries.is_dead {
            return Err(Errno::ENOENT);
        }
        if cookie == 0 {
            batch.push(self.head.number, FileKind::Directory, 1, b".");
            cookie = 1;
        }
        if cookie == 1 {
            let parent = this.parent();
            let number = parent.map_or(self.head.number, |parent| parent.head().number);
            batch.push(number, FileKind::Directory, IMAGE_COOKIE, b"..");
            cookie = IMAGE_COOKIE;
        }
        if cookie < MADE_COOKIE {
            if let Some(below) = &self.below {
                let mut visit = |entry: rootfs::DirEntry<'_>| {
                    if batch.is_full() {
                        return ControlFlow::Break(());
                    }
                    let next = IMAGE_COOKIE + entry.next;
                    self.push_from_image(&entries, &entry, next, batch);
                    ControlFlow::Continue(())
                };
                let next = self
                    .tree
                    .image()?
                    .list(below, cookie - IMAGE_COOKIE, &mut visit)?;
                if batch.is_full() {
                    return Ok(Some(IMAGE_COOKIE + next));
                }
            }
            cookie = MADE_COOKIE;
        }
        for (number, dentry) in entries.made.range(cookie..) {
            if batch.is_full() {
                return Ok(Some(*number));
            }
            let head = dentry.head();
            batch.push(head.number, head.kind, number + 1, &dentry.name());
        }
        Ok(None)
    }

    fn push_from_image(&self, entries: &Entries, raw: &rootfs::DirEntry<'_>, next: u64, batch: &mut Batch) {
        if matches!(raw.name, b"." | b"..") {
            return;
        }
        let known = entries.entry(self.tree.hash(raw.name), raw.name);
        if known.is_none_or(|entry| matches!(entry.state, State::Image(_))) {
            let kind = FileKind::of_mode(u32::from(raw.entry.d_type) << 12).unwrap_or(FileKind::Regular);
            batch.push(raw.entry.nid.0, kind, next, raw.name);
        }
    }

    /// Whether nothing is left in it.
    pub(super) fn is_empty(&self, entries: &Entries) -> Result<bool> {
        if !entries.made.is_empty() {
            return Ok(false);
        }
        let Some(below) = &self.below else { return Ok(true) };
        let mut empty = true;
        let mut visit = |entry: rootfs::DirEntry<'_>| {
            let dots = matches!(entry.name, b"." | b"..");
            let hash = self.tree.hash(entry.name);
            let known = entries.entry(hash, entry.name);
            empty = dots || known.is_some_and(|entry| !matches!(entry.state, State::Image(_)));
            if empty {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        self.tree.image()?.list(below, 0, &mut visit)?;
        Ok(empty)
    }
}

impl Tree {
    /// Takes a name out of its directory's table, if it is as in the image and nobody refers to it.
    pub(super) fn forget(&self, dentry: &Arc<Dentry>) -> Fate {
        let Some(inode) = dentry.tree() else {
            return Fate::Gone;
        };
        if inode.is_pinned() {
            return Fate::Gone;
        }
        let Some(parent) = dentry.parent() else {
            return Fate::Gone;
        };
        let Some(directory) = parent.tree() else {
            return Fate::Gone;
        };
        let name = dentry.name();
        let hash = self.hash(&name);
        let Ok(entries) = directory.entries() else {
            return Fate::Gone;
        };
        let mut entries = entries.lock();
        let Some(Entry {
            state: State::Image(known),
            ..
        }) = entries.entry(hash, &name)
        else {
            return Fate::Gone;
        };
        // The table's and the caller's: nobody else has it, and nobody gets it while the table is locked. An inode that is pinned after
        // the look above is pinned by somebody who has a reference.
        if Arc::ptr_eq(known, dentry) && Arc::strong_count(dentry) == 2 && !inode.is_pinned() {
            entries.remove(hash, &name);
            return Fate::Gone;
        }
        Fate::Kept
    }
}
