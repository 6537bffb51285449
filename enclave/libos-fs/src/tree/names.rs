//! Names are made, removed, moved.
//!
//! What permission and kind of file demand is checked by the caller's closure, under the lock of the directory, so that what was
//! checked is what changes.

use alloc::sync::Arc;

use kobject::{Errno, FileKind, MutexGuard, Result};
use linux_abi::InotifyMask;

use super::directory::Entries;
use super::{Tree, TreeInode};
use crate::dentry::Dentry;
use crate::inode::Inode;
use crate::notify;

/// Most links of an inode, as ext4 has it.
const MAX_LINKS: u32 = 65_000;

/// What a rename does to what has the new name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replace {
    /// Replaces it.
    Yes,
    /// Leaves it, and fails (RENAME_NOREPLACE).
    No,
    /// Gives it the old name (RENAME_EXCHANGE).
    Exchange,
}

/// A name in a directory.
#[derive(Clone, Copy)]
pub(crate) struct Taken<'a> {
    pub(crate) directory: &'a Arc<Dentry>,
    pub(crate) name: &'a [u8],
}

impl<'a> Taken<'a> {
    fn inode(&self) -> Result<&'a TreeInode> {
        self.directory.tree().ok_or(Errno::EPERM)
    }
}

fn is_directory(dentry: &Dentry) -> bool {
    dentry.head().is_directory()
}

impl TreeInode {
    /// Gives an inode a name in the directory `this`: EEXIST if it is taken, in any case whatever `check` says; ENOENT if the
    /// directory is gone.
    pub(crate) fn add(
        &self,
        this: &Arc<Dentry>,
        name: &[u8],
        check: impl FnOnce() -> Result<Arc<TreeInode>>,
    ) -> Result<Arc<Dentry>> {
        let hash = self.tree.hash(name);
        let mut entries = self.entries()?.lock();
        if self.find_in(this, &mut entries, hash, name)?.is_some() {
            return Err(Errno::EEXIST);
        }
        entries.check_alive()?;
        let inode = check()?;
        let had_names = inode.links() > 0 || inode.is_linkable();
        if inode.head.is_directory() {
            self.add_link();
        } else if inode.links() >= MAX_LINKS {
            return Err(Errno::EMLINK);
        } else {
            inode.add_link();
            inode.touch_changed();
        }
        let name: Arc<[u8]> = name.into();
        let dentry = Dentry::new(inode, this, name.clone());
        entries.put(hash, name.clone(), dentry.clone());
        drop(entries);
        self.touch_modified();
        if had_names && let Some(inode) = dentry.tree() {
            notify::became(inode, InotifyMask::IN_ATTRIB);
        }
        notify::changed(self, InotifyMask::IN_CREATE, &name, dentry.head().kind);
        Ok(dentry)
    }

    /// Takes a name away: ENOENT; ENOTEMPTY.
    pub(crate) fn remove(
        &self,
        this: &Arc<Dentry>,
        name: &[u8],
        check: impl FnOnce(&Dentry) -> Result<()>,
    ) -> Result<()> {
        let hash = self.tree.hash(name);
        let mut entries = self.entries()?.lock();
        let victim = self
            .find_in(this, &mut entries, hash, name)?
            .ok_or(Errno::ENOENT)?;
        check(&victim)?;
        if victim.is_mount() {
            return Err(Errno::EBUSY);
        }
        self.discard(&victim)?;
        entries.take(hash, name);
        drop(entries);
        self.touch_modified();
        if let Some(inode) = victim.tree()
            && !inode.head.is_directory()
        {
            notify::became(inode, InotifyMask::IN_ATTRIB);
        }
        // What is in no use any more tells of its own end first, as on Linux.
        let kind = victim.head().kind;
        drop(victim);
        notify::changed(self, InotifyMask::IN_DELETE, name, kind);
        Ok(())
    }

    /// Puts another file system's root where a directory of it is.
    pub(crate) fn mount(&self, this: &Arc<Dentry>, name: &[u8], root: Arc<dyn Inode>) -> Result<()> {
        let mut entries = self.entries()?.lock();
        let name: Arc<[u8]> = name.into();
        let dentry = Dentry::new(root, this, name.clone());
        dentry.set_mount();
        entries.put(self.tree.hash(&name), name, dentry);
        self.pin();
        Ok(())
    }

    /// What had a name in this directory loses it; ENOTEMPTY.
    fn discard(&self, victim: &Dentry) -> Result<()> {
        let inode = victim.tree().ok_or(Errno::EBUSY)?;
        if inode.head.is_directory() {
            let mut entries = inode.entries()?.lock();
            if !inode.is_empty(&entries)? {
                return Err(Errno::ENOTEMPTY);
            }
            entries.kill();
            inode.drop_link();
            self.drop_link();
        }
        inode.drop_link();
        inode.touch_changed();
        victim.set_unlinked();
        Ok(())
    }
}

impl Tree {
    /// Moves a name. Both closures see the old entry and the one that has the new name: `shape` says whether they are of the kinds that the
    /// paths ask for, `check` whether it is permitted.
    pub(crate) fn rename(
        &self,
        old: Taken<'_>,
        new: Taken<'_>,
        replace: Replace,
        shape: impl FnOnce(&Dentry, Option<&Arc<Dentry>>) -> Result<()>,
        check: impl FnOnce(&Arc<Dentry>, Option<&Arc<Dentry>>) -> Result<()>,
    ) -> Result<()> {
        let _renames = self.renames.lock();
        let (old_dir, new_dir) = (old.inode()?, new.inode()?);
        let mut locked = lock_both(old, new)?;
        let (old_hash, new_hash) = (self.hash(old.name), self.hash(new.name));

        let source = old_dir.find_in(old.directory, locked.of_old(), old_hash, old.name)?;
        let source = source.ok_or(Errno::ENOENT)?;
        locked.of_new().check_alive()?;
        let target = new_dir.find_in(new.directory, locked.of_new(), new_hash, new.name)?;
        match (replace, &target) {
            (Replace::No, Some(_)) => return Err(Errno::EEXIST),
            (Replace::Exchange, None) => return Err(Errno::ENOENT),
            _ => {}
        }
        shape(&source, target.as_ref())?;
        // A directory cannot go below itself, nor take the place of one that it is below.
        if is_directory(&source) && new.directory.is_below(&source) {
            return Err(Errno::EINVAL);
        }
        if let Some(target) = &target
            && is_directory(target)
            && old.directory.is_below(target)
        {
            return match replace {
                Replace::Exchange => Err(Errno::EINVAL),
                _ => Err(Errno::ENOTEMPTY),
            };
        }
        if let Some(target) = &target
            && Arc::ptr_eq(source.inode(), target.inode())
        {
            return Ok(());
        }
        check(&source, target.as_ref())?;
        if source.is_mount() || target.as_ref().is_some_and(|target| target.is_mount()) {
            return Err(Errno::EBUSY);
        }

        let new_name: Arc<[u8]> = new.name.into();
        if let (Replace::Exchange, Some(target)) = (replace, &target) {
            locked.of_old().exchange(old_hash, old.name, target.clone());
            locked.of_new().exchange(new_hash, new.name, source.clone());
            target.set_place(old.directory, old.name.into());
            move_link(target, new_dir, old_dir);
            target_changed(target);
        } else {
            if let Some(target) = &target {
                new_dir.discard(target)?;
            }
            locked.of_old().take(old_hash, old.name);
            locked.of_new().put(new_hash, new_name.clone(), source.clone());
        }
        source.set_place(new.directory, new_name);
        move_link(&source, old_dir, new_dir);
        target_changed(&source);
        drop(locked);
        old_dir.touch_modified();
        new_dir.touch_modified();
        let exchanged = target.as_ref().filter(|_| replace == Replace::Exchange);
        let replaced = target.as_deref().filter(|_| replace != Replace::Exchange);
        notify::moved((old_dir, old.name), (new_dir, new.name), &source, replaced);
        if let Some(exchanged) = exchanged {
            notify::moved((new_dir, new.name), (old_dir, old.name), exchanged, None);
        }
        Ok(())
    }
}

/// A directory's `..` counts as a link of its parent.
fn move_link(dentry: &Dentry, from: &TreeInode, to: &TreeInode) {
    if dentry.head().kind == FileKind::Directory && !core::ptr::eq(from, to) {
        from.drop_link();
        to.add_link();
    }
}

fn target_changed(dentry: &Dentry) {
    if let Some(inode) = dentry.tree() {
        inode.touch_changed();
    }
}

/// The entries of the two directories of a rename, which may be one.
enum Locked<'a> {
    One(MutexGuard<'a, Entries>),
    Two {
        old: MutexGuard<'a, Entries>,
        new: MutexGuard<'a, Entries>,
    },
}

impl Locked<'_> {
    fn of_old(&mut self) -> &mut Entries {
        match self {
            Self::One(both) => both,
            Self::Two { old, .. } => old,
        }
    }

    fn of_new(&mut self) -> &mut Entries {
        match self {
            Self::One(both) => both,
            Self::Two { new, .. } => new,
        }
    }
}

/// Locks both, an ancestor first.
fn lock_both<'a>(old: Taken<'a>, new: Taken<'a>) -> Result<Locked<'a>> {
    let (old_entries, new_entries) = (old.inode()?.entries()?, new.inode()?.entries()?);
    if core::ptr::eq(old_entries, new_entries) {
        return Ok(Locked::One(old_entries.lock()));
    }
    if old.directory.is_below(new.directory) {
        let new = new_entries.lock();
        let old = old_entries.lock();
        return Ok(Locked::Two { old, new });
    }
    let old = old_entries.lock();
    let new = new_entries.lock();
    Ok(Locked::Two { old, new })
}
