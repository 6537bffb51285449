//! Function starts of Go programs: the linker writes no unwind tables for Go code, but a table of its own, the
//! `pclntab`, which stripping does not remove since the garbage collector walks stacks with it.
//!
//! Layout: `src/debug/gosym/pclntab.go` and `src/internal/abi/symtab.go` of the Go source.

use crate::elf::Image;

/// Version magics of Go 1.18 and 1.20; both have this layout. Older compilers are out of support.
const MAGICS: [u32; 2] = [0xffff_fff0, 0xffff_fff1];

/// Offset of the field that holds the address of the text.
const TEXT_START: usize = 24;

/// Start addresses of all Go functions in ascending order, the end of Go's text as the last one; empty if this is
/// not a Go program or its table cannot be read.
pub(crate) fn function_starts(image: &Image<'_>) -> Vec<u64> {
    read(image).unwrap_or_default()
}

fn read(image: &Image<'_>) -> Option<Vec<u64>> {
    let section = [".gopclntab", ".data.rel.ro.gopclntab"]
        .iter()
        .find_map(|name| image.section(name))?;
    let table = section.bytes;
    let [_, _, _, _, 0, 0, _quantum, 8, ..] = *table else {
        return None;
    };
    if !MAGICS.contains(&u32_at(table, 0)?) {
        return None;
    }
    let count = usize::try_from(u64_at(table, 8)?).ok()?;
    // Entries hold offsets from the start of the text, which the loader fills in where the program can move.
    let text = match u64_at(table, TEXT_START)? {
        0 => image.relocated(section.addr.checked_add(TEXT_START as u64)?)?,
        text => text,
    };
    let functions = table.get(usize::try_from(u64_at(table, 64)?).ok()?..)?;
    // Pairs (offset of the function, offset of its data), and one more offset: the end.
    let mut starts = Vec::new();
    for index in 0..count.checked_add(1)? {
        let addr = text.checked_add(u64::from(u32_at(functions, index.checked_mul(8)?)?))?;
        if starts.last().is_some_and(|last| *last > addr) {
            return None;
        }
        starts.push(addr);
    }
    starts.dedup();
    Some(starts)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|bytes| u64::from_le_bytes(*bytes))
}
