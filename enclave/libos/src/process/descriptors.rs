//! The descriptor table of a process.

use alloc::sync::Arc;
use alloc::vec::Vec;

use kobject::{Description, Errno, Result, SpinLock};

/// A descriptor's number.
pub(crate) type Fd = u32;

#[derive(Clone)]
struct Slot {
    description: Arc<Description>,
    close_on_exec: bool,
}

/// Whether a descriptor is closed by exec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnExec {
    Keep,
    Close,
}

impl OnExec {
    /// From a flag: O_CLOEXEC, EFD_CLOEXEC and the like.
    pub(crate) fn of(close: bool) -> Self {
        if close { Self::Close } else { Self::Keep }
    }
}

/// The table of a process, which processes may share (CLONE_FILES) until one of them gets its own.
///
/// Its locks are held for a look or a change of a slot, which is why they do not park; what is taken out is dropped after.
pub(crate) struct DescriptorTable(SpinLock<Arc<SpinLock<Descriptors>>>);

impl DescriptorTable {
    pub(crate) fn new() -> Self {
        Self::of(Descriptors::new())
    }

    fn of(descriptors: Descriptors) -> Self {
        Self(SpinLock::new(Arc::new(SpinLock::new(descriptors))))
    }

    /// Looks at the table, or changes it.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Descriptors) -> R) -> R {
        f(&mut self.0.lock().lock())
    }

    /// The same table, for another process.
    pub(crate) fn share(&self) -> Self {
        Self(SpinLock::new(self.0.lock().clone()))
    }

    /// A table of the same open files, for another process.
    pub(crate) fn copy(&self) -> Self {
        Self::of(self.with(|descriptors| descriptors.clone()))
    }

    /// Whether another process has it, too.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0.lock()) > 1
    }

    /// 'Equal' if both are one table; else an order that means nothing.
    pub(crate) fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        let place = |table: &Self| Arc::as_ptr(&table.0.lock()).addr();
        place(self).cmp(&place(other))
    }

    /// Makes it this process's own, with the same open files.
    pub(crate) fn unshare(&self) {
        if self.is_shared() {
            let own = Arc::new(SpinLock::new(self.with(|descriptors| descriptors.clone())));
            let shared = core::mem::replace(&mut *self.0.lock(), own);
            // Without a lock: the others may have ended by now, and what it refers to ends with it.
            drop(shared);
        }
    }
}

/// A table of descriptors.
#[derive(Clone)]
pub(crate) struct Descriptors {
    slots: Vec<Option<Slot>>,
    /// No free slot lies below.
    lowest_free: usize,
}

impl Descriptors {
    pub(crate) fn new() -> Self {
        Self {
            slots: Vec::new(),
            lowest_free: 0,
        }
    }

    /// What a descriptor refers to; EBADF.
    pub(crate) fn find(&self, fd: Fd) -> Result<&Arc<Description>> {
        let slot = self.slots.get(fd as usize).and_then(Option::as_ref);
        slot.map(|slot| &slot.description).ok_or(Errno::EBADF)
    }

    /// Opens the lowest free descriptor from `from` on; EMFILE at `limit`.
    pub(crate) fn add(
        &mut self,
        description: &Arc<Description>,
        on_exec: OnExec,
        from: Fd,
        limit: u64,
    ) -> Result<Fd> {
        let start = self.lowest_free.max(from as usize);
        let free = self
            .slots
            .get(start..)
            .and_then(|rest| rest.iter().position(Option::is_none));
        let fd = free.map_or(self.slots.len().max(start), |at| start + at);
        if fd as u64 >= limit {
            return Err(Errno::EMFILE);
        }
        self.set(
            fd,
            Slot {
                description: description.clone(),
                close_on_exec: on_exec == OnExec::Close,
            },
        );
        if from as usize <= self.lowest_free {
            self.lowest_free = fd + 1;
        }
        Ok(fd as Fd)
    }

    /// Puts a description at a descriptor; gives what was there.
    pub(crate) fn replace(
        &mut self,
        fd: Fd,
        description: Arc<Description>,
        on_exec: OnExec,
    ) -> Option<Arc<Description>> {
        let old = self.slots.get_mut(fd as usize).and_then(Option::take);
        self.set(
            fd as usize,
            Slot {
                description,
                close_on_exec: on_exec == OnExec::Close,
            },
        );
        old.map(|slot| slot.description)
    }

    /// Closes a descriptor; gives what it was, to be dropped without the table's lock.
    pub(crate) fn remove(&mut self, fd: Fd) -> Result<Arc<Description>> {
        let slot = self
            .slots
            .get_mut(fd as usize)
            .and_then(Option::take)
            .ok_or(Errno::EBADF)?;
        self.lowest_free = self.lowest_free.min(fd as usize);
        Ok(slot.description)
    }

    /// Closes those from `first` to `last`; gives what they were, to be dropped without the table's lock.
    pub(crate) fn remove_range(&mut self, first: Fd, last: Fd) -> Vec<Arc<Description>> {
        let removed: Vec<_> = self.range(first, last).filter_map(Option::take).collect();
        if !removed.is_empty() {
            // Perhaps lower than the lowest that is free now, which costs a search and nothing else.
            self.lowest_free = self.lowest_free.min(first as usize);
        }
        removed.into_iter().map(|slot| slot.description).collect()
    }

    /// Closes those with FD_CLOEXEC; gives what they were, to be dropped without the table's lock.
    pub(crate) fn remove_on_exec(&mut self) -> Vec<Arc<Description>> {
        let is_closed = |slot: &Option<Slot>| slot.as_ref().is_some_and(|slot| slot.close_on_exec);
        let Some(first) = self.slots.iter().position(is_closed) else {
            return Vec::new();
        };
        self.lowest_free = self.lowest_free.min(first);
        let closed = self.slots.iter_mut().filter(|slot| is_closed(slot));
        closed
            .filter_map(Option::take)
            .map(|slot| slot.description)
            .collect()
    }

    /// Sets FD_CLOEXEC of those from `first` to `last`.
    pub(crate) fn close_range_on_exec(&mut self, first: Fd, last: Fd) {
        for slot in self.range(first, last).flatten() {
            slot.close_on_exec = true;
        }
    }

    fn range(&mut self, first: Fd, last: Fd) -> impl Iterator<Item = &mut Option<Slot>> {
        let count = (last as usize).saturating_add(1).saturating_sub(first as usize);
        self.slots.iter_mut().skip(first as usize).take(count)
    }

    /// FD_CLOEXEC.
    pub(crate) fn on_exec(&self, fd: Fd) -> Result<OnExec> {
        let slot = self
            .slots
            .get(fd as usize)
            .and_then(Option::as_ref)
            .ok_or(Errno::EBADF)?;
        Ok(OnExec::of(slot.close_on_exec))
    }

    /// Sets FD_CLOEXEC.
    pub(crate) fn set_on_exec(&mut self, fd: Fd, on_exec: OnExec) -> Result<()> {
        let slot = self
            .slots
            .get_mut(fd as usize)
            .and_then(Option::as_mut)
            .ok_or(Errno::EBADF)?;
        slot.close_on_exec = on_exec == OnExec::Close;
        Ok(())
    }

    /// All open descriptors.
    pub(crate) fn all(&self) -> Vec<(Fd, Arc<Description>)> {
        let open = self.slots.iter().enumerate();
        open.filter_map(|(fd, slot)| slot.as_ref().map(|slot| (fd as Fd, slot.description.clone())))
            .collect()
    }

    fn set(&mut self, fd: usize, slot: Slot) {
        if self.slots.len() <= fd {
            self.slots.resize(fd + 1, None);
        }
        if let Some(place) = self.slots.get_mut(fd) {
            *place = Some(slot);
        }
    }
}
