//! Names of functions in an ELF file (elf(5)), for crash reports.
//!
//! The file may be anything: what it says is at most wrong, and each table is read in bounded pieces.

use alloc::vec::Vec;
use core::ops::Range;

use kobject::{Description, Errno, Result};
use linux_abi::elf::{PT_LOAD, SHT_DYNSYM, SHT_SYMTAB, STT_FUNC, STT_GNU_IFUNC};
use zerocopy::FromBytes;
use zerocopy::{Immutable, KnownLayout};

use super::elf::{self, Header, ProgramHeader};

/// A function and how far behind its start an address lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) function: Vec<u8>,
    pub(crate) distance: u64,
}

#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct SectionHeader {
    _name: u32,
    kind: u32,
    _flags: u64,
    address: u64,
    offset: u64,
    size: u64,
    /// Of a table of symbols: the section with their names.
    link: u32,
    _info: u32,
    _align: u64,
    _entry_size: u64,
}

#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Symbol {
    name: u32,
    info: u8,
    _other: u8,
    section: u16,
    value: u64,
    size: u64,
}

const _: () = assert!(size_of::<SectionHeader>() == 64 && size_of::<Symbol>() == 24);

/// Most symbols that are looked at: more than any program of Debian's has.
const MAX_SYMBOLS: u64 = 1 << 21;
/// Symbols per read.
const PIECE: u64 = 512;
/// Longest name that is shown, in bytes.
const MAX_NAME: u64 = 200;

/// For each offset in the file, the function that lies there.
pub(crate) fn functions(file: &Description, offsets: &[u64]) -> Result<Vec<Option<Place>>> {
    let header = elf::header(&elf::read_exactly(file, 0, size_of::<Header>())?)?;
    let sections = sections(file, &header)?;
    let table = [SHT_SYMTAB, SHT_DYNSYM]
        .iter()
        .find_map(|kind| sections.iter().find(|section| section.kind == *kind))
        .ok_or(Errno::ENOENT)?;
    let segments = elf::program_headers(file, &header)?;
    let addresses: Vec<_> = offsets
        .iter()
        .map(|&offset| address_of(&segments, offset))
        .collect();
    let mut found: Vec<Option<Symbol>> = addresses.iter().map(|_| None).collect();

    let count = (table.size / size_of::<Symbol>() as u64).min(MAX_SYMBOLS);
    for first in (0..count).step_by(PIECE as usize) {
        let len = PIECE.min(count - first) as usize * size_of::<Symbol>();
        let at = table.offset.checked_add(first * size_of::<Symbol>() as u64);
        let bytes = elf::read_exactly(file, at.ok_or(Errno::ENOEXEC)?, len)?;
        for bytes in bytes.chunks_exact(size_of::<Symbol>()) {
            let symbol = Symbol::read_from_bytes(bytes).map_err(|_| Errno::ENOEXEC)?;
            for (address, found) in addresses.iter().zip(&mut found) {
                if address.is_some_and(|address| is_better(&sections, &symbol, found.as_ref(), address)) {
                    *found = Some(symbol);
                }
            }
        }
    }

    let names = sections.get(table.link as usize).ok_or(Errno::ENOEXEC)?;
    let place = |(address, symbol): (Option<u64>, Option<Symbol>)| {
        let (address, symbol) = (address?, symbol?);
        Some(Place {
            function: name(file, names, &symbol).ok()?,
            distance: address.checked_sub(symbol.value)?,
        })
    };
    Ok(addresses.into_iter().zip(found).map(place).collect())
}

/// The address that the file itself gives to what lies at an offset.
fn address_of(segments: &[ProgramHeader], offset: u64) -> Option<u64> {
    segments
        .iter()
        .filter(|segment| segment.kind == PT_LOAD)
        .find_map(|segment| {
            let inside = offset.checked_sub(segment.offset)?;
            (inside < segment.file_size).then(|| segment.address.checked_add(inside))?
        })
}

/// Whether a symbol tells better than another one which function an address is in: one that says how long it is and
/// covers the address, else the nearest one before it in the same section that does not say (assembly often does not).
fn is_better(sections: &[SectionHeader], symbol: &Symbol, than: Option<&Symbol>, address: u64) -> bool {
    if !matches!(symbol.info & 0xf, STT_FUNC | STT_GNU_IFUNC) || symbol.value > address {
        return false;
    }
    if symbol.size > 0 {
        return range(symbol.value, symbol.size).contains(&address)
            && than.is_none_or(|than| than.size == 0 || than.value < symbol.value);
    }
    let section = sections.get(usize::from(symbol.section));
    let is_near = section.is_some_and(|section| {
        let section = range(section.address, section.size);
        section.contains(&address) && section.contains(&symbol.value)
    });
    is_near && than.is_none_or(|than| than.size == 0 && than.value < symbol.value)
}

fn range(start: u64, len: u64) -> Range<u64> {
    start..start.saturating_add(len)
}

fn sections(file: &Description, header: &Header) -> Result<Vec<SectionHeader>> {
    let size = size_of::<SectionHeader>();
    let count = usize::from(header.section_header_count);
    if usize::from(header.section_header_size) != size || count == 0 {
        return Err(Errno::ENOEXEC);
    }
    let bytes = elf::read_exactly(file, header.section_headers, count * size)?;
    let all = bytes.chunks_exact(size);
    all.map(|bytes| SectionHeader::read_from_bytes(bytes).map_err(|_| Errno::ENOEXEC))
        .collect()
}

fn name(file: &Description, names: &SectionHeader, symbol: &Symbol) -> Result<Vec<u8>> {
    let left = names.size.checked_sub(symbol.name.into()).ok_or(Errno::ENOEXEC)?;
    let at = names
        .offset
        .checked_add(symbol.name.into())
        .ok_or(Errno::ENOEXEC)?;
    let mut name = elf::read_exactly(file, at, left.min(MAX_NAME) as usize)?;
    if let Some(end) = name.iter().position(|&byte| byte == 0) {
        name.truncate(end);
    }
    if name.is_empty() {
        return Err(Errno::ENOEXEC);
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(value: u64, size: u64) -> Symbol {
        Symbol {
            name: 1,
            info: STT_FUNC,
            _other: 0,
            section: 0,
            value,
            size,
        }
    }

    #[test]
    fn the_innermost_function_that_covers_an_address_is_its() {
        let text = SectionHeader {
            _name: 0,
            kind: 1,
            _flags: 0,
            address: 0x1000,
            offset: 0,
            size: 0x1000,
            link: 0,
            _info: 0,
            _align: 0,
            _entry_size: 0,
        };
        let best = |symbols: &[Symbol], address| {
            let mut best: Option<Symbol> = None;
            for symbol in symbols {
                if is_better(&[text], symbol, best.as_ref(), address) {
                    best = Some(*symbol);
                }
            }
            best.map(|symbol| symbol.value)
        };
        let symbols = [
            symbol(0x10, 0),
            symbol(0x1100, 0x10),
            symbol(0x1040, 0),
            symbol(0x1800, u64::MAX),
        ];
        assert_eq!(best(&symbols, 0x1100), Some(0x1100));
        assert_eq!(best(&symbols, 0x110f), Some(0x1100));
        assert_eq!(best(&symbols, 0x1110), Some(0x1040));
        assert_eq!(best(&symbols, 0x1030), None, "the one before is elsewhere");
        assert_eq!(best(&symbols, 0x2000), Some(0x1800));
        assert_eq!(best(&symbols, 0x20), None);
        assert_eq!(
            best(&[symbol(0x1100, 0x100), symbol(0x1110, 0x10)], 0x1118),
            Some(0x1110)
        );
    }
}
