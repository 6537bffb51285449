//! Spaces that have the same addresses: a process and those that it has forked, or programs that are linked at the same address.
//!
//! An enclave's page has one address, so only one space of a family is *resident*: its bytes lie in their places. Of a page that several
//! spaces have, each has its own version. The resident's is in the *place*, the others' are in frames of the stash
//! ([`Space::versions`]). When another space becomes resident, its versions are exchanged with what lies in their places, and nothing
//! else is touched ([`Spaces::bring_in`]).
//!
//! What holds, for each page and each space that maps it for itself:
//! - A space with an entry in `versions` has what the entry says.
//! - A space without an entry has what is in the place, if the place is in use, and else nothing yet.
//! - A place that several spaces have allows no writing. Whoever may write to it by its mapping meets a fault, and gives the others
//!   copies first ([`Spaces::make_writable`]).
//! - The resident space has no entries.
//!
//! Shared mappings have one version for all, whose pages lie where [`crate::shared`] has them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use enclave_layout::PAGE_SIZE;
use host_abi::{PageRange, Protection};
use kobject::{Errno, Mutex, Result};

use super::{SpaceId, next_id};
use crate::arena::{Account, Arena};
use crate::kept::Adopted;
use crate::mapping::{Content, MappingEntry};
use crate::stash::{self, Frame};
use crate::turns::{self, Turns};

/// Spaces that take turns.
pub(crate) struct Family {
    pub(crate) spaces: Mutex<Spaces>,
    pub(crate) turns: Turns,
}

/// What a space has of a page that lies in no place. Each keeps a frame, so that an exchange never lacks one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    pub(super) kind: Kind,
    pub(super) frame: Frame,
    /// It was made by a fork, and was not compared with what lies in the place since.
    pub(super) is_young: bool,
}

impl Version {
    pub(super) fn new(kind: Kind, frame: Frame) -> Self {
        Self {
            kind,
            frame,
            is_young: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The bytes in the frame.
    Data,
    /// Zeros: anonymous memory that it has not touched.
    Zeros,
    /// What its mapping brings when it is touched first.
    Nothing,
}

/// How many bytes of addresses a space may have (getrlimit(2)).
#[derive(Clone, Copy, Debug)]
pub struct AddressLimits {
    /// RLIMIT_AS: of all mappings.
    pub all: u64,
    /// RLIMIT_DATA: of private ones that can be written to, but for stacks.
    pub data: u64,
}

impl Default for AddressLimits {
    fn default() -> Self {
        Self {
            all: u64::MAX,
            data: u64::MAX,
        }
    }
}

/// What one space has.
#[derive(Clone)]
pub(crate) struct Space {
    pub(super) id: SpaceId,
    pub(super) mappings: BTreeMap<u64, MappingEntry>,
    /// Where its program is linked, which it maps once it is resident.
    pub(super) fixed: Option<PageRange>,
    /// Where the heap begins and ends (`brk`).
    pub(super) heap: (u64, u64),
    /// What private pages take.
    pub(crate) account: Account,
    pub(super) limits: AddressLimits,
    pub(super) versions: BTreeMap<u64, Version>,
    /// What the last touch of memory that was not there has brought.
    pub(super) last_window: Option<PageRange>,
    /// What it has got with pages in place, from programs that have ended.
    pub(crate) adopted: Vec<Adopted>,
}

impl Space {
    pub(super) fn new(id: SpaceId, limit: u64) -> Self {
        Self {
            id,
            mappings: BTreeMap::new(),
            fixed: None,
            heap: (0, 0),
            account: Account::new(limit),
            limits: AddressLimits::default(),
            versions: BTreeMap::new(),
            last_window: None,
            adopted: Vec::new(),
        }
    }

    pub(super) fn find(&self, address: u64) -> Option<&MappingEntry> {
        let (_, mapping) = self.mappings.range(..=address).next_back()?;
        (address < mapping.range.end()).then_some(mapping)
    }

    /// The parts of mappings that lie in a range.
    pub(super) fn within(&self, range: PageRange) -> Vec<MappingEntry> {
        let first = self.find(range.start());
        let from = first.map_or(range.start(), |mapping| mapping.range.start());
        let mappings = self.mappings.range(from..range.end());
        mappings.filter_map(|(_, mapping)| mapping.part(range)).collect()
    }

    /// Whether it maps anything of a range, or is going to.
    fn claims(&self, range: PageRange) -> bool {
        let is_linked_there = |fixed: PageRange| fixed.start() < range.end() && range.start() < fixed.end();
        self.fixed.is_some_and(is_linked_there) || !self.within(range).is_empty()
    }

    /// Whether it has what lies in the place of a page that is in use.
    pub(super) fn has_place(&self, page: u64) -> bool {
        !self.versions.contains_key(&page) && self.find(page).is_some()
    }

    /// What a page without a place is to it.
    pub(super) fn untouched(&self, page: u64) -> Kind {
        match self.find(page).map(|mapping| &mapping.content) {
            Some(Content::Zeros) => Kind::Zeros,
            _ => Kind::Nothing,
        }
    }

    pub(super) fn protection(&self, page: u64) -> Protection {
        self.find(page)
            .map_or(Protection::NONE, |mapping| mapping.protection)
    }
}

/// The spaces of a family, as one of them sees the others.
pub(crate) struct Spaces {
    pub(crate) arena: &'static Arena,
    /// The one that the lock was taken for.
    pub(crate) own: Space,
    pub(super) relatives: Vec<Space>,
    /// Whether shared pages may allow something else than what the mapping of the space that becomes resident does.
    pub(super) shared_differ: bool,
    /// Whether `own` gives up all that it has.
    pub(crate) is_clearing: bool,
}

impl Spaces {
    /// Makes this one `own`.
    pub(super) fn select(&mut self, id: SpaceId) {
        if self.own.id != id
            && let Some(other) = self.relatives.iter_mut().find(|space| space.id == id)
        {
            core::mem::swap(&mut self.own, other);
        }
    }

    /// Takes `own`, which has given up all it had, out of the family.
    pub(super) fn leave(&mut self) {
        self.own = self.relatives.pop().unwrap_or_else(|| Space::new(0, 0));
    }

    /// The parts of a range that relatives map, in order and merged.
    pub(super) fn of_relatives(&self, range: PageRange) -> Vec<PageRange> {
        let mut parts: Vec<PageRange> = self
            .relatives
            .iter()
            .flat_map(|relative| relative.within(range))
            .map(|part| part.range)
            .collect();
        parts.sort_unstable_by_key(|part| part.start());
        let mut merged: Vec<PageRange> = Vec::new();
        for part in parts {
            match merged.last_mut() {
                Some(last) if part.start() <= last.end() => {
                    let end = last.end().max(part.end());
                    if let Some(longer) = PageRange::new(last.start(), end - last.start()) {
                        *last = longer;
                    }
                }
                _ => merged.push(part),
            }
        }
        merged
    }

    /// Adds a space for a program that is linked at `fixed`, if one that is there has some of these addresses; whether it has.
    pub(super) fn join(&mut self, id: SpaceId, limit: u64, fixed: PageRange) -> bool {
        let is_rival = self.own.claims(fixed) || self.relatives.iter().any(|space| space.claims(fixed));
        if is_rival {
            let mut space = Space::new(id, limit);
            space.fixed = Some(fixed);
            self.relatives.push(space);
        }
        is_rival
    }

    /// Whether a relative maps anything of a range.
    pub(crate) fn is_contested(&self, range: PageRange) -> bool {
        self.relatives
            .iter()
            .any(|relative| !relative.within(range).is_empty())
    }

    /// Whether a range, of which `own` maps nothing, is free or only relatives'.
    pub(super) fn is_claimable(&self, range: PageRange) -> bool {
        let relatives: u64 = self.of_relatives(range).iter().map(|part| part.len()).sum();
        self.arena.ranges.lock().free_len(range) + relatives == range.len()
    }

    /// Takes addresses that are free or only relatives', none of which `own` maps: false if others have some of them. What lies
    /// there belongs to nobody then.
    pub(super) fn claim(&mut self, range: PageRange) -> Result<bool> {
        let contested = self.of_relatives(range);
        {
            // At once: other families look for addresses at the same time.
            let relatives: u64 = contested.iter().map(|part| part.len()).sum();
            let mut ranges = self.arena.ranges.lock();
            if ranges.free_len(range) + relatives != range.len() {
                return Ok(false);
            }
            ranges.take(range);
        }
        for part in contested {
            if let Err(error) = self.make_way(part) {
                self.give_back(range);
                return Err(error);
            }
        }
        Ok(true)
    }

    /// Gives addresses back that `own` does not map any more: those that no relative has.
    pub(super) fn give_back(&mut self, range: PageRange) {
        let contested = self.of_relatives(range);
        let mut ranges = self.arena.ranges.lock();
        for part in gaps(range, &contested) {
            ranges.give_back(part);
        }
    }

    /// Empties the places of a range that `own` does not map.
    pub(super) fn make_way(&mut self, range: PageRange) -> Result<()> {
        let arena = self.arena;
        for page in arena.used_pages(range) {
            self.displace(page, None)?;
        }
        arena.discard(range, &mut Account::unlimited());
        Ok(())
    }

    /// Gives all relatives that have what is in these places copies of their own.
    pub(super) fn part_from_relatives(&mut self, range: PageRange) -> Result<()> {
        let arena = self.arena;
        for part in self.of_relatives(range) {
            for page in arena.used_pages(part) {
                if self.own.find(page).is_some_and(|mapping| !mapping.is_shared()) {
                    self.displace(page, None)?;
                }
            }
        }
        Ok(())
    }

    /// Gives all relatives that have what is in a place a copy of their own, the first one in `spare`; gives that back if nobody took it.
    /// A file's shared page leaves the place.
    pub(super) fn displace(&mut self, page: u64, mut spare: Option<Frame>) -> Result<Option<Frame>> {
        let arena = self.arena;
        for relative in &mut self.relatives {
            if !relative.has_place(page) {
                continue;
            }
            let Some(mapping) = relative.find(page) else {
                continue;
            };
            if let Content::Shared { file, .. } = &mapping.content {
                file.displace(one(page)?, mapping.offset_of(page));
                continue;
            }
            let frame = match spare.take() {
                Some(frame) => frame,
                None => arena.take_frame()?,
            };
            arena.allowing(page, Protection::READ, || {
                arena.memory.copy(frame, page, PAGE_SIZE as usize)
            })?;
            relative.versions.insert(page, Version::new(Kind::Data, frame));
        }
        Ok(spare)
    }

    /// Before `own` brings pages of a mapping: relatives that have nothing there yet keep that.
    pub(super) fn before_bringing(&mut self, mapping: &MappingEntry, range: PageRange) -> Result<()> {
        for part in self.of_relatives(range) {
            for page in part.pages() {
                if self.arena.state(page).protection().is_none() {
                    self.keep_untouched(mapping, page)?;
                }
            }
        }
        Ok(())
    }

    fn keep_untouched(&mut self, mapping: &MappingEntry, page: u64) -> Result<()> {
        let is_plain = self
            .relatives
            .iter()
            .all(|relative| !relative.versions.contains_key(&page));
        let own = mapping.part(one(page)?);
        for relative in &mut self.relatives {
            let theirs = relative
                .find(page)
                .and_then(|mapping| mapping.part(one(page).ok()?));
            let can_share = match (&own, &theirs) {
                (Some(own), Some(theirs)) => own.shows_as(theirs) && (is_plain || own.is_shared()),
                _ => false,
            };
            if can_share && let Some(version) = relative.versions.remove(&page) {
                // It had nothing there. What comes now is its own, too.
                self.arena.give_frames([version.frame]);
            }
            if !relative.has_place(page) {
                continue;
            }
            if !can_share {
                let kind = relative.untouched(page);
                let frame = self.arena.take_frame()?;
                relative.versions.insert(page, Version::new(kind, frame));
            }
        }
        Ok(())
    }

    /// Gives up what `own` has of a range that it does not map any more, where relatives map all of it.
    pub(super) fn leave_to_relatives(&mut self, mapping: &MappingEntry) {
        if let Content::Shared { file, .. } = &mapping.content {
            self.drop_own_versions(mapping.range);
            for page in self.arena.used_pages(mapping.range) {
                let offset = mapping.offset_of(page);
                let shows = |theirs: &MappingEntry| theirs.place_of(file, offset, PAGE_SIZE);
                let stays = |relative: &Space| relative.find(page).and_then(shows).is_some();
                if let (Ok(range), false) = (one(page), self.relatives.iter().any(stays)) {
                    file.displace(range, offset);
                }
            }
            return;
        }
        let arena = self.arena;
        let range = mapping.range;
        // What lies in a place is another's, where it has a version.
        let places = arena.used_pages(range);
        let places: Vec<u64> = places
            .filter(|page| !self.own.versions.contains_key(page))
            .collect();
        self.drop_own_versions(range);
        let mut empty = Vec::new();
        for page in places {
            self.own.account.give_back(PAGE_SIZE);
            let is_theirs = self.relatives.iter().any(|relative| relative.has_place(page));
            if !is_theirs && !self.restore(page) {
                empty.push(page);
            }
        }
        for run in stash::runs(&empty) {
            self.arena.discard(run, &mut Account::unlimited());
        }
    }

    /// Whether `own` has anything of a range in frames.
    pub(crate) fn has_versions(&self, range: PageRange) -> bool {
        let mut versions = self.own.versions.range(range.start()..range.end());
        versions.next().is_some()
    }

    /// Gives up what `own` has of a range in frames.
    fn drop_own_versions(&mut self, range: PageRange) {
        let versions = self.own.versions.range(range.start()..range.end());
        let versions: Vec<u64> = versions.map(|(&page, _)| page).collect();
        for version in versions.iter().filter_map(|page| self.own.versions.remove(page)) {
            if version.kind == Kind::Data {
                self.own.account.give_back(PAGE_SIZE);
            }
            self.arena.give_frames([version.frame]);
        }
    }

    /// Puts a relative's version into a place that nobody has any more; whether there was one. If not, the place is to be emptied, which
    /// is what those of them have that have not touched it.
    fn restore(&mut self, page: u64) -> bool {
        let arena = self.arena;
        let data = self.relatives.iter_mut().find_map(|relative| {
            let version = *relative.versions.get(&page)?;
            (version.kind == Kind::Data).then_some((relative, version.frame))
        });
        if let Some((relative, frame)) = data {
            let restored = arena.overwrite(page, relative.protection(page), || {
                arena.memory.copy(page, frame, PAGE_SIZE as usize)
            });
            // If it cannot be, it keeps its frame, and the place is emptied.
            if restored.is_ok() {
                relative.versions.remove(&page);
                arena.give_frames([frame]);
            }
            return restored.is_ok();
        }
        for relative in &mut self.relatives {
            if let Some(version) = relative.versions.remove(&page) {
                arena.give_frames([version.frame]);
            }
        }
        false
    }

    /// Makes a child of `own`, which is resident: afterwards the child is, with what `own` had.
    pub(super) fn fork(&mut self) -> Result<SpaceId> {
        let mut own_pages = Vec::new();
        for mapping in self.own.mappings.values().filter(|mapping| !mapping.is_shared()) {
            let runs = self.arena.runs(mapping.range);
            let writable = runs.filter(|(_, state)| {
                let protection = state.protection();
                protection.is_some_and(|protection| protection.contains(Protection::READ_WRITE))
            });
            own_pages.extend(writable.flat_map(|(run, _)| run.pages()));
        }
        let frames = self.arena.take_frames(own_pages.len())?;
        let arena = self.arena;
        let mut copied = Vec::with_capacity(own_pages.len());
        for (&page, &frame) in own_pages.iter().zip(&frames) {
            let done = arena.allowing(page, Protection::READ, || {
                arena.memory.copy(frame, page, PAGE_SIZE as usize)
            });
            if let Err(error) = done {
                arena.give_frames(frames);
                return Err(error);
            }
            copied.push((
                page,
                Version {
                    is_young: true,
                    ..Version::new(Kind::Data, frame)
                },
            ));
        }
        turns::count(|costs| costs.forked += copied.len() as u64);
        let id = next_id();
        let child = Space {
            id,
            ..self.own.clone()
        };
        self.own.versions = copied.into_iter().collect();
        self.relatives.push(child);
        Ok(id)
    }

    /// Before `own` writes to a page that is in use and does not allow it, while its mapping does: afterwards the place is its own.
    pub(super) fn make_writable(&mut self, mapping: &MappingEntry, page: PageRange) -> Result<()> {
        if let Content::Shared { file, .. } = &mapping.content {
            return file.protect(page, mapping.offset_of(page.start()), mapping.protection);
        }
        turns::count(|costs| costs.diverged += 1);
        self.displace(page.start(), None)?;
        self.arena.protect(page, mapping.protection)
    }
}

impl Arena {
    /// Does something to a page in use, which allows it for so long if it did not.
    pub(super) fn allowing(
        &self,
        page: u64,
        wanted: Protection,
        act: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let before = self.state(page).protection().ok_or(Errno::EFAULT)?;
        if before.contains(wanted) {
            return act();
        }
        self.protect(one(page)?, wanted)?;
        let done = act();
        self.protect(one(page)?, before)?;
        done
    }

    /// Takes away that pages may be written to.
    pub(super) fn protect_from_writing(&self, range: PageRange) -> Result<()> {
        for (run, state) in self.runs(range) {
            match state.protection() {
                Some(Protection::READ_WRITE) => self.protect(run, Protection::READ)?,
                Some(Protection::ALL) => self.protect(run, Protection::READ_EXECUTE)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes to a page in use, whatever it allows; afterwards it allows `protection`.
    pub(super) fn overwrite(
        &self,
        page: u64,
        protection: Protection,
        write: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let before = self.state(page).protection().ok_or(Errno::EFAULT)?;
        if !before.contains(Protection::READ_WRITE) {
            self.protect(one(page)?, Protection::READ_WRITE)?;
        }
        write()?;
        self.protect(one(page)?, protection)
    }
}

pub(super) fn one(page: u64) -> Result<PageRange> {
    PageRange::new(page, PAGE_SIZE).ok_or(Errno::EFAULT)
}

/// What of a range lies between some parts of it, which are in order.
pub(super) fn gaps(range: PageRange, parts: &[PageRange]) -> Vec<PageRange> {
    let mut gaps = Vec::new();
    let mut start = range.start();
    for part in parts {
        gaps.extend(PageRange::new(start, part.start().saturating_sub(start)));
        start = part.end();
    }
    gaps.extend(PageRange::new(start, range.end().saturating_sub(start)));
    gaps
}
