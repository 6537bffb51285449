//! What is asked about mappings: /proc, mincore and checks.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;

use enclave_layout::{PAGE_SIZE, USER_END};
use host_abi::{PageRange, Protection};
use kobject::{Errno, Result};
use linux_abi::stat::{major, minor};

use super::{AddressSpace, SpaceId, page_range};
use crate::mapping::{Content, MappingEntry, Traits};

/// The column in /proc/self/maps where paths begin.
const PATH_COLUMN: usize = 73;

/// Which word of memory an address names, for whoever maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Of one space: its number, and the address.
    Private(SpaceId, u64),
    /// Of a file that is mapped shared, with or without a name: which one, and the offset.
    File(usize, u64),
}

/// Sizes of all mappings of a space, in bytes, as proc_pid_status(5) divides them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// All of them.
    pub total: u64,
    /// Private and writable, without the stack.
    pub data: u64,
    /// Counted as locked.
    pub locked: u64,
    /// Stacks.
    pub stack: u64,
    /// Executable, and not writable.
    pub executable: u64,
    /// What is there of private memory.
    pub resident_anonymous: u64,
    /// What is there of files that are mapped shared.
    pub resident_file: u64,
    /// What is there of shared memory without a file.
    pub resident_shared_memory: u64,
}

impl Sizes {
    /// What is there of all.
    pub fn resident(&self) -> u64 {
        self.resident_anonymous + self.resident_file + self.resident_shared_memory
    }
}

/// One mapping, for `smaps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingReport {
    /// Its line in `maps`, with the newline.
    pub line: Vec<u8>,
    /// Bytes.
    pub size: u64,
    /// Bytes that are there.
    pub resident: u64,
    /// Whether changes are seen by all who map the same.
    pub is_shared: bool,
    /// Whether it counts as locked.
    pub is_locked: bool,
}

impl AddressSpace {
    /// Which word an address names. What is not mapped is the space's own.
    pub fn word(&self, address: u64) -> Word {
        let inner = self.lock();
        match inner.find(address) {
            Some(mapping) => match &mapping.content {
                Content::Shared { file, .. } => {
                    Word::File(Arc::as_ptr(file).addr(), mapping.offset_of(address))
                }
                _ => Word::Private(self.id(), address),
            },
            None => Word::Private(self.id(), address),
        }
    }

    /// How many mappings are such ones.
    pub(crate) fn count(&self, is_one: impl Fn(&MappingEntry) -> bool) -> u64 {
        let inner = self.lock();
        inner
            .own
            .mappings
            .values()
            .filter(|mapping| is_one(mapping))
            .count() as u64
    }

    /// The parts of mappings that lie in a range.
    pub(crate) fn within(&self, range: PageRange) -> Vec<MappingEntry> {
        self.lock().within(range)
    }

    /// Bytes from `address` to the end of programs' addresses; 0 beyond it.
    pub(crate) fn room_above(&self, address: u64) -> u64 {
        USER_END.saturating_sub(address)
    }

    /// `msync`, `mlock` and the like check only this: ENOMEM unless all is mapped.
    pub fn check_mapped(&self, address: u64, len: u64) -> Result<()> {
        let within = address % PAGE_SIZE;
        let len = len.checked_add(within).ok_or(Errno::EINVAL)?;
        if len == within {
            return Ok(());
        }
        let range = page_range(address - within, len).map_err(|_| Errno::ENOMEM)?;
        if self.lock().mapped_len(range) == range.len() {
            Ok(())
        } else {
            Err(Errno::ENOMEM)
        }
    }

    /// `mincore`: for each page, whether it is there.
    pub fn residency(&self, address: u64, len: u64) -> Result<Vec<u8>> {
        if !address.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let range = page_range(address, len).map_err(|_| Errno::ENOMEM)?;
        let inner = self.lock();
        if inner.mapped_len(range) != range.len() {
            return Err(Errno::ENOMEM);
        }
        let mut residency = Vec::new();
        for (run, state) in inner.arena.runs(range) {
            let is_there = u8::from(state.protection().is_some());
            residency.resize(residency.len() + (run.len() / PAGE_SIZE) as usize, is_there);
        }
        Ok(residency)
    }

    /// The text of /proc/self/maps.
    pub fn maps(&self) -> Vec<u8> {
        let inner = self.lock();
        inner.own.mappings.values().flat_map(line).collect()
    }

    /// What /proc/self/smaps tells of each mapping. Of a process that has relatives and is not resident, what is there is what its
    /// relatives have there.
    pub fn report(&self) -> Vec<MappingReport> {
        let inner = self.lock();
        let report = |mapping: &MappingEntry| MappingReport {
            line: line(mapping),
            size: mapping.range.len(),
            resident: inner.arena.in_use(mapping.range),
            is_shared: mapping.is_shared(),
            is_locked: mapping.traits.contains(Traits::LOCKED),
        };
        inner.own.mappings.values().map(report).collect()
    }

    /// Sizes of all mappings.
    pub fn sizes(&self) -> Sizes {
        let inner = self.lock();
        let mut sizes = Sizes {
            resident_anonymous: inner.own.account.used(),
            locked: inner.locked_len(),
            ..Sizes::default()
        };
        for mapping in inner.own.mappings.values() {
            let len = mapping.range.len();
            sizes.total += len;
            let is_writable = mapping.protection.contains(Protection::READ_WRITE);
            let is_code = mapping.protection.contains(Protection::READ_EXECUTE);
            // As `vm_stat_account` of the kernel.
            if mapping.traits.intersects(Traits::STACK | Traits::GROWS_DOWN) {
                sizes.stack += len;
            } else if is_code && !is_writable {
                sizes.executable += len;
            } else if is_writable && !mapping.is_shared() {
                sizes.data += len;
            }
            if matches!(mapping.content, Content::Shared { .. }) {
                let there = inner.arena.in_use(mapping.range);
                match mapping.traits.contains(Traits::SHARED_FILE) {
                    true => sizes.resident_file += there,
                    false => sizes.resident_shared_memory += there,
                }
            }
        }
        sizes
    }

    /// Bytes of all mappings, and of those that are there.
    pub fn size(&self) -> (u64, u64) {
        let inner = self.lock();
        let size = inner
            .own
            .mappings
            .values()
            .map(|mapping| mapping.range.len())
            .sum();
        let of_files = |mapping: &MappingEntry| match mapping.content {
            Content::Shared { .. } => inner.arena.in_use(mapping.range),
            _ => 0,
        };
        let shared: u64 = inner.own.mappings.values().map(of_files).sum();
        (size, inner.own.account.used() + shared)
    }
}

/// A mapping's line in /proc/self/maps.
fn line(mapping: &MappingEntry) -> Vec<u8> {
    let (line, path) = describe(mapping);
    let mut text = line.into_bytes();
    if !path.is_empty() {
        text.resize(text.len().max(PATH_COLUMN), b' ');
    }
    for byte in path {
        // As seq_path: a line stays one.
        match byte {
            b'\n' => text.extend_from_slice(b"\\012"),
            byte => text.push(byte),
        }
    }
    text.push(b'\n');
    text
}

/// A mapping's line without the path, and the path.
fn describe(mapping: &MappingEntry) -> (String, Vec<u8>) {
    let bits = mapping.protection.bits();
    let flag = |bit, name| if bits & bit != 0 { name } else { '-' };
    let (offset, (device, inode), path) = match mapping.content.file() {
        Some((file, offset)) => (offset, file.identity(), file.path()),
        None => (0, (0, 0), mapping.name.to_vec()),
    };
    let (major, minor) = (major(device), minor(device));
    let mut line = String::new();
    // Writing to a string does not fail.
    let _ = write!(
        line,
        "{:08x}-{:08x} {}{}{}{} {offset:08x} {major:02x}:{minor:02x} {inode} ",
        mapping.range.start(),
        mapping.range.end(),
        flag(1, 'r'),
        flag(2, 'w'),
        flag(4, 'x'),
        if mapping.is_shared() { 's' } else { 'p' },
    );
    (line, path)
}
