//! A turn's work: another space of a family becomes resident.

use alloc::collections::btree_map;
use alloc::vec::Vec;
use core::iter::Peekable;

use enclave_layout::PAGE_SIZE;
use enclave_rt::memory::PageBuffer;
use host_abi::Protection;
use kobject::Result;

use super::SpaceId;
use super::family::{Kind, Space, Spaces, Version, one};
use crate::arena::Account;
use crate::mapping::{Content, MappingEntry};
use crate::{stash, turns};

impl Spaces {
    /// Makes `own` resident, where another space of the family was, or none.
    ///
    /// # Errors
    /// ENOMEM: not all of it could be brought in, so `own` cannot go on. What its relatives have is whole.
    pub(super) fn bring_in(&mut self, resident: SpaceId) -> Result<()> {
        let mut buffer = PageBuffer::new(PAGE_SIZE);
        self.merge(&mut buffer)?;
        let exchanged = self.own.versions.len() as u64;
        turns::count(|costs| costs.exchanged += exchanged);
        if let Some(at) = self.relatives.iter().position(|relative| relative.id == resident) {
            self.swap_with(at, &mut buffer)?;
        }
        while let Some((page, version)) = self.own.versions.pop_first() {
            // After an error the frame may be a relative's already, so it is not put back.
            self.bring_in_page(page, version, &mut buffer)?;
        }
        if self.shared_differ {
            self.protect_shared()?;
        }
        Ok(())
    }

    /// Lets `own` share with its relatives what has not changed since the fork that made its versions: such pages cost nothing at later
    /// turns, until somebody writes to them.
    fn merge(&mut self, buffer: &mut PageBuffer) -> Result<()> {
        let mut other = PageBuffer::new(PAGE_SIZE);
        let mut equal = Vec::new();
        for (&page, version) in &mut self.own.versions {
            if !core::mem::take(&mut version.is_young) {
                continue;
            }
            let is_readable = |protection: Protection| protection.contains(Protection::READ);
            if !self.arena.state(page).protection().is_some_and(is_readable) {
                continue;
            }
            let is_private =
                |relative: &Space| relative.find(page).is_some_and(|mapping| !mapping.is_shared());
            let mut owners = self.relatives.iter().filter(|relative| relative.has_place(page));
            if !owners.all(is_private) {
                continue;
            }
            self.arena.memory.read(version.frame, buffer)?;
            self.arena.memory.read(page, &mut other)?;
            if buffer[..] == other[..] {
                equal.push(page);
            }
        }
        turns::count(|costs| costs.merged += equal.len() as u64);
        for run in stash::runs(&equal) {
            // What cannot be protected is exchanged.
            if self.arena.protect_from_writing(run).is_ok() {
                let versions = &mut self.own.versions;
                let frames = run.pages().filter_map(|page| versions.remove(&page));
                self.arena.give_frames(frames.map(|version| version.frame));
            }
        }
        Ok(())
    }

    /// Lets shared pages allow what `own`'s mappings do.
    fn protect_shared(&self) -> Result<()> {
        for mapping in self.own.mappings.values().filter(|mapping| mapping.is_shared()) {
            if let Content::Shared { file, offset } = &mapping.content {
                file.protect(mapping.range, *offset, mapping.protection)?;
            }
        }
        Ok(())
    }

    /// Swaps the bytes of all plain pages with the relative that was resident, which gets `own`'s list of versions for that as a whole.
    /// What is not plain stays in the list.
    fn swap_with(&mut self, at: usize, buffer: &mut PageBuffer) -> Result<()> {
        let arena = self.arena;
        let (before, rest) = self.relatives.split_at_mut(at);
        let Some((resident, behind)) = rest.split_first_mut() else {
            return Ok(());
        };
        if !resident.versions.is_empty() {
            return Ok(());
        }
        let mut others: Vec<Cursor<'_>> = before.iter().chain(behind.iter()).map(Cursor::new).collect();
        let mut theirs = Cursor::new(resident);
        let mut ours = Cursor::new(&self.own);
        let mut special = Vec::new();
        for (&page, version) in &self.own.versions {
            let is_plain = version.kind == Kind::Data
                && arena.state(page).protection() == Some(Protection::READ_WRITE)
                && ours.mapping(page).is_some_and(|mapping| {
                    !mapping.is_shared() && mapping.protection == Protection::READ_WRITE
                })
                && theirs.mapping(page).is_some_and(|mapping| !mapping.is_shared())
                && others
                    .iter_mut()
                    .all(|other| other.has_version(page) || other.mapping(page).is_none());
            if is_plain {
                arena.memory.read(page, buffer)?;
                arena.memory.copy(page, version.frame, PAGE_SIZE as usize)?;
                arena.memory.write(version.frame, buffer)?;
            } else {
                special.push((page, *version));
            }
        }
        drop((others, theirs, ours));
        let mut swapped = core::mem::take(&mut self.own.versions);
        for (page, _) in &special {
            swapped.remove(page);
        }
        resident.versions = swapped;
        self.own.versions = special.into_iter().collect();
        Ok(())
    }

    fn bring_in_page(&mut self, page: u64, version: Version, buffer: &mut PageBuffer) -> Result<()> {
        let arena = self.arena;
        let protection = self.own.protection(page);
        let frame = version.frame;
        let len = PAGE_SIZE as usize;
        if version.kind == Kind::Data {
            arena.memory.read(frame, buffer)?;
        }
        // From here on the frame is whoever's the place is.
        let is_used = arena.state(page).protection().is_some();
        let spare = match is_used {
            true => self.displace(page, Some(frame))?,
            false => Some(frame),
        };
        let is_used = arena.state(page).protection().is_some();
        match version.kind {
            Kind::Data if is_used => {
                arena.overwrite(page, protection, || arena.memory.write(page, buffer))?;
            }
            Kind::Data => {
                self.keep_hole(page)?;
                arena.commit_filled(one(page)?, buffer, protection, &mut Account::unlimited())?;
            }
            Kind::Zeros if is_used => {
                arena.overwrite(page, protection, || arena.memory.zero(page, len))?;
                // It counts as touched from now on.
                self.own.account.take_anyway(PAGE_SIZE);
            }
            Kind::Nothing if is_used => arena.discard(one(page)?, &mut Account::unlimited()),
            Kind::Zeros | Kind::Nothing => {}
        }
        arena.give_frames(spare);
        Ok(())
    }

    /// Before a page of `own` is put into an empty place: relatives that have nothing there keep that.
    fn keep_hole(&mut self, page: u64) -> Result<()> {
        for relative in &mut self.relatives {
            if relative.has_place(page) {
                let kind = relative.untouched(page);
                let frame = self.arena.take_frame()?;
                relative.versions.insert(page, Version::new(kind, frame));
            }
        }
        Ok(())
    }
}

/// Looks things up in a space, page by page in order: most neighbours are in the same mapping.
struct Cursor<'s> {
    space: &'s Space,
    mapping: Option<&'s MappingEntry>,
    versions: Peekable<btree_map::Keys<'s, u64, Version>>,
}

impl<'s> Cursor<'s> {
    fn new(space: &'s Space) -> Self {
        Self {
            space,
            mapping: None,
            versions: space.versions.keys().peekable(),
        }
    }

    fn mapping(&mut self, page: u64) -> Option<&'s MappingEntry> {
        let holds = |mapping: &&MappingEntry| mapping.range.start() <= page && page < mapping.range.end();
        if self.mapping.filter(holds).is_none() {
            self.mapping = self.space.find(page);
        }
        self.mapping
    }

    fn has_version(&mut self, page: u64) -> bool {
        while self.versions.next_if(|&&at| at < page).is_some() {}
        self.versions.peek().is_some_and(|&&at| at == page)
    }
}
