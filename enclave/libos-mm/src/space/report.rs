//! What is asked about mappings: /proc, mincore and checks.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;

use enclave_layout::{PAGE_SIZE, USER_END};
use host_abi::PageRange;
use kobject::{Errno, Result};
use linux_abi::stat::{major, minor};

use super::{AddressSpace, SpaceId, page_range};
use crate::mapping::{Content, MappingEntry};

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
        let mut text = Vec::new();
        for mapping in inner.own.mappings.values() {
            let (line, path) = describe(mapping);
            text.extend_from_slice(line.as_bytes());
            if !path.is_empty() {
                text.resize(text.len() + PATH_COLUMN.saturating_sub(line.len()), b' ');
            }
            for byte in path {
                // As seq_path: a line stays one.
                match byte {
                    b'\n' => text.extend_from_slice(b"\\012"),
                    byte => text.push(byte),
                }
            }
            text.push(b'\n');
        }
        text
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
