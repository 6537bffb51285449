//! The descriptors of a process.

use alloc::sync::Arc;
use alloc::vec::Vec;

use kobject::{Description, Errno, Result};

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

/// A table of descriptors.
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

    /// Closes those in a range, or only marks them for exec; gives what was closed.
    pub(crate) fn remove_range(&mut self, first: Fd, last: Fd, only_mark: bool) -> Vec<Arc<Description>> {
        let mut removed = Vec::new();
        let end = (last as usize).saturating_add(1).min(self.slots.len());
        for fd in first as usize..end {
            match self.slots.get_mut(fd) {
                Some(Some(slot)) if only_mark => slot.close_on_exec = true,
                Some(place @ Some(_)) => {
                    removed.extend(place.take().map(|slot| slot.description));
                    self.lowest_free = self.lowest_free.min(fd);
                }
                _ => {}
            }
        }
        removed
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
