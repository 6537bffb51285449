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
//! Shared mappings have one version for all. The pages of a file lie where [`crate::shared`] has them.

use alloc::collections::{BTreeMap, btree_map};
use alloc::vec::Vec;
use core::iter::Peekable;

use enclave_layout::PAGE_SIZE;
use enclave_rt::memory::PageBuffer;
use host_abi::{PageRange, Protection};
use kobject::{Errno, Mutex, Result};

use super::{SpaceId, next_id};
use crate::arena::{Account, Arena};
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
    kind: Kind,
    frame: Frame,
    /// It was made by a fork, and was not compared with what lies in the place since.
    is_young: bool,
}

impl Version {
    fn new(kind: Kind, frame: Frame) -> Self {
        Self {
            kind,
            frame,
            is_young: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The bytes in the frame.
    Data,
    /// Zeros: anonymous memory that it has not touched.
    Zeros,
    /// What its mapping brings when it is touched first.
    Nothing,
}

/// What one space has.
#[derive(Clone)]
pub(crate) struct Space {
    pub(super) id: SpaceId,
    pub(super) mappings: BTreeMap<u64, MappingEntry>,
    /// Where the heap begins and ends (`brk`).
    pub(super) heap: (u64, u64),
    /// What private pages and shared anonymous ones take.
    pub(super) account: Account,
    versions: BTreeMap<u64, Version>,
    /// What the last touch of memory that was not there has brought.
    pub(super) last_window: Option<PageRange>,
}

impl Space {
    pub(super) fn new(id: SpaceId, limit: u64) -> Self {
        Self {
            id,
            mappings: BTreeMap::new(),
            heap: (0, 0),
            account: Account::new(limit),
            versions: BTreeMap::new(),
            last_window: None,
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

    /// Whether it has what lies in the place of a page that is in use.
    fn has_place(&self, page: u64) -> bool {
        !self.versions.contains_key(&page) && self.find(page).is_some()
    }

    /// What a page without a place is to it.
    fn untouched(&self, page: u64) -> Kind {
        match self.find(page).map(|mapping| &mapping.content) {
            Some(Content::Zeros) => Kind::Zeros,
            _ => Kind::Nothing,
        }
    }

    fn protection(&self, page: u64) -> Protection {
        self.find(page)
            .map_or(Protection::NONE, |mapping| mapping.protection)
    }
}

/// The spaces of a family, as one of them sees the others.
pub(crate) struct Spaces {
    pub(super) arena: &'static Arena,
    /// The one that the lock was taken for.
    pub(super) own: Space,
    pub(super) relatives: Vec<Space>,
    /// Whether shared pages may allow something else than what the mapping of the space that becomes resident does.
    pub(super) shared_differ: bool,
    /// Whether `own` gives up all that it has.
    pub(super) is_clearing: bool,
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

    /// Whether a relative maps anything of a range.
    pub(super) fn is_contested(&self, range: PageRange) -> bool {
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
        if !self.is_claimable(range) {
            return Ok(false);
        }
        for part in self.of_relatives(range) {
            self.make_way(part)?;
        }
        self.arena.ranges.lock().take(range);
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
    fn make_way(&mut self, range: PageRange) -> Result<()> {
        for page in range.pages() {
            if self.arena.state(page).protection().is_some() {
                self.displace(page, None)?;
            }
        }
        self.arena.discard(range, &mut Account::unlimited());
        Ok(())
    }

    /// Gives all relatives that have what is in these places copies of their own.
    pub(super) fn part_from_relatives(&mut self, range: PageRange) -> Result<()> {
        for part in self.of_relatives(range) {
            for page in part.pages() {
                let is_private = self.own.find(page).is_some_and(|mapping| !mapping.is_shared());
                if is_private && self.arena.state(page).protection().is_some() {
                    self.displace(page, None)?;
                }
            }
        }
        Ok(())
    }

    /// Gives all relatives that have what is in a place a copy of their own, the first one in `spare`; gives that back if nobody took it.
    /// A file's shared page leaves the place.
    fn displace(&mut self, page: u64, mut spare: Option<Frame>) -> Result<Option<Frame>> {
        let arena = self.arena;
        for relative in &mut self.relatives {
            if !relative.has_place(page) {
                continue;
            }
            let Some(mapping) = relative.find(page) else {
                continue;
            };
            if let Content::Shared { file, .. } = &mapping.content {
                file.release(one(page)?, mapping.offset_of(page));
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
            if !relative.has_place(page) {
                continue;
            }
            let theirs = relative
                .find(page)
                .and_then(|mapping| mapping.part(one(page).ok()?));
            let can_share = match (&own, &theirs) {
                (Some(own), Some(theirs)) => own.shows_as(theirs) && (is_plain || own.is_shared()),
                _ => false,
            };
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
            for page in mapping.range.pages() {
                let stays = |relative: &Space| relative.find(page).is_some_and(MappingEntry::is_shared);
                if let (Ok(range), false) = (one(page), self.relatives.iter().any(stays)) {
                    file.release(range, mapping.offset_of(page));
                }
            }
            return;
        }
        let mut empty = Vec::new();
        for page in mapping.range.pages() {
            if let Some(version) = self.own.versions.remove(&page) {
                if version.kind == Kind::Data {
                    self.own.account.give_back(PAGE_SIZE);
                }
                self.arena.give_frames([version.frame]);
                continue;
            }
            if self.arena.state(page).protection().is_none() {
                continue;
            }
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

    /// Makes `own` resident, where another space of the family was, or none.
    ///
    /// # Errors
    /// ENOMEM. What is in its place already stays there, and the rest can be brought in later; until then nobody is resident.
    pub(super) fn bring_in(&mut self, resident: SpaceId) -> Result<()> {
        let mut buffer = PageBuffer::new(PAGE_SIZE);
        self.merge(&mut buffer)?;
        let exchanged = self.own.versions.len() as u64;
        turns::count(|costs| costs.exchanged += exchanged);
        if let Some(at) = self.relatives.iter().position(|relative| relative.id == resident) {
            self.swap_with(at, &mut buffer)?;
        }
        while let Some((page, version)) = self.own.versions.pop_first() {
            if let Err(error) = self.bring_in_page(page, version, &mut buffer) {
                self.own.versions.entry(page).or_insert(version);
                return Err(error);
            }
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

    /// Before `own` writes to a page that is in use and does not allow it, while its mapping does: afterwards the place is its own.
    pub(super) fn make_writable(&mut self, mapping: &MappingEntry, page: PageRange) -> Result<()> {
        if !mapping.is_shared() {
            turns::count(|costs| costs.diverged += 1);
            self.displace(page.start(), None)?;
        }
        self.arena.protect(page, mapping.protection)
    }

    /// Lets shared pages allow what `own`'s mappings do.
    fn protect_shared(&self) -> Result<()> {
        for mapping in self.own.mappings.values().filter(|mapping| mapping.is_shared()) {
            match &mapping.content {
                Content::Shared { file, offset } => {
                    file.protect(mapping.range, *offset, mapping.protection)?
                }
                _ => self.arena.protect(mapping.range, mapping.protection)?,
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

impl Arena {
    /// Does something to a page in use, which allows it for so long if it did not.
    fn allowing(&self, page: u64, wanted: Protection, act: impl FnOnce() -> Result<()>) -> Result<()> {
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
    fn protect_from_writing(&self, range: PageRange) -> Result<()> {
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
    fn overwrite(&self, page: u64, protection: Protection, write: impl FnOnce() -> Result<()>) -> Result<()> {
        let before = self.state(page).protection().ok_or(Errno::EFAULT)?;
        if !before.contains(Protection::READ_WRITE) {
            self.protect(one(page)?, Protection::READ_WRITE)?;
        }
        write()?;
        self.protect(one(page)?, protection)
    }
}

fn one(page: u64) -> Result<PageRange> {
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
