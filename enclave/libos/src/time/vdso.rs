//! The vDSO: a tiny shared library in every program's memory.
//!
//! Its ELF parts are laid out here, its code comes from `enclave_rt::vdso`. C libraries look a function up by DT_HASH, DT_SYMTAB
//! and DT_STRTAB, with the version LINUX_2.6; Go's runtime insists on DT_VERDEF and DT_VERSYM.

use alloc::vec::Vec;

use enclave_rt::vdso;
use host_abi::Protection;
use kobject::{Result, clock};
use libos_mm::{AddressSpace, Backing};
use linux_abi::MapFlags;
use linux_abi::elf::{
    DT_HASH, DT_NULL, DT_SONAME, DT_STRSZ, DT_STRTAB, DT_SYMENT, DT_SYMTAB, DT_VERDEF, DT_VERDEFNUM,
    DT_VERSYM, EM_X86_64, ET_DYN, EV_CURRENT, IDENT, PF_R, PF_X, PT_DYNAMIC, PT_LOAD,
};

use crate::user;

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const SYMBOL: usize = 24;
const SONAME: &[u8] = b"linux-vdso.so.1";
const VERSION: &[u8] = b"LINUX_2.6";
/// Bytes of an `Elf64_Verdef` with its one `Elf64_Verdaux`.
const VERSION_DEFINITION: usize = 20 + 8;
/// The version index of each function; 1 is the object itself.
const VERSION_INDEX: u16 = 2;

/// Maps it into a program's memory; gives its address.
pub(crate) fn map(space: &AddressSpace) -> Result<u64> {
    let image = image();
    let len = image.len() as u64;
    let flags = MapFlags::empty();
    let at = space.map(
        0,
        len,
        Protection::READ_WRITE,
        flags,
        Backing::Anonymous,
        b"[vdso]",
    )?;
    user::put_bytes(at, &image)?;
    space.protect(at, len, Protection::READ_EXECUTE)?;
    Ok(at)
}

fn image() -> Vec<u8> {
    let code = vdso::code();
    let symbols = HEADER + 2 * PROGRAM_HEADER;
    let hash = symbols + (code.functions.len() + 1) * SYMBOL;
    let hash_len = 4 * (2 + 1 + code.functions.len() + 1);
    let versions = hash + hash_len;
    let versions_len = (2 * (code.functions.len() + 1)).next_multiple_of(4);
    let definitions = versions + versions_len;
    let strings = definitions + 2 * VERSION_DEFINITION;

    let mut names = alloc::vec![0u8];
    let mut name_offsets = Vec::new();
    for (name, _) in code.functions {
        name_offsets.push(names.len() as u32);
        names.extend_from_slice(name.as_bytes());
        names.push(0);
    }
    let soname = names.len() as u64;
    names.extend_from_slice(SONAME);
    names.push(0);
    let version = names.len() as u64;
    names.extend_from_slice(VERSION);
    names.push(0);

    let dynamic = (strings + names.len()).next_multiple_of(16);
    let entries: [(u64, u64); 10] = [
        (DT_SONAME, soname),
        (DT_HASH, hash as u64),
        (DT_STRTAB, strings as u64),
        (DT_SYMTAB, symbols as u64),
        (DT_STRSZ, names.len() as u64),
        (DT_SYMENT, SYMBOL as u64),
        (DT_VERSYM, versions as u64),
        (DT_VERDEF, definitions as u64),
        (DT_VERDEFNUM, 2),
        (DT_NULL, 0),
    ];
    let text = (dynamic + entries.len() * 16).next_multiple_of(16);
    let end = text + code.bytes.len();

    let mut out = Vec::with_capacity(end);
    put_header(&mut out);
    put_program_header(&mut out, PT_LOAD, PF_R | PF_X, 0, end, 4096);
    put_program_header(&mut out, PT_DYNAMIC, PF_R, dynamic, entries.len() * 16, 8);
    out.resize(symbols + SYMBOL, 0);
    for ((_, offset), name) in code.functions.iter().zip(&name_offsets) {
        out.extend_from_slice(&name.to_le_bytes());
        // A global function in some section; the number of the section means nothing.
        out.extend_from_slice(&[0x12, 0, 1, 0]);
        out.extend_from_slice(&((text + offset) as u64).to_le_bytes());
        out.extend_from_slice(&64u64.to_le_bytes());
    }
    // One bucket, a chain through all symbols.
    let count = code.functions.len() as u32 + 1;
    let chain = (0..count).map(|index| {
        if index == 0 || index + 1 == count {
            0
        } else {
            index + 1
        }
    });
    for word in [1, count, 1].into_iter().chain(chain) {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&[0, 0]);
    for _ in code.functions {
        out.extend_from_slice(&VERSION_INDEX.to_le_bytes());
    }
    out.resize(definitions, 0);
    // The object (VER_FLG_BASE), then the version.
    put_version_definition(&mut out, 1, 1, SONAME, soname, VERSION_DEFINITION as u32);
    put_version_definition(&mut out, 0, VERSION_INDEX, VERSION, version, 0);
    out.extend_from_slice(&names);
    out.resize(dynamic, 0);
    for (tag, value) in entries {
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.resize(text, 0);
    out.extend_from_slice(code.bytes);
    let pace = text + code.pace_pointer;
    if let Some(word) = out.get_mut(pace..pace + 8) {
        word.copy_from_slice(&clock::pace_address().to_le_bytes());
    }
    out
}

fn put_version_definition(out: &mut Vec<u8>, flags: u16, index: u16, name: &[u8], name_at: u64, next: u32) {
    for half in [1, flags, index, 1] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    for word in [elf_hash(name), 20, next, name_at as u32, 0] {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

/// The hash of the System V ABI (gABI, "Hash Table").
fn elf_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, &byte| {
        let hash = (hash << 4).wrapping_add(byte.into());
        let high = hash & 0xf000_0000;
        (hash ^ (high >> 24)) & !high
    })
}

fn put_header(out: &mut Vec<u8>) {
    out.extend_from_slice(&IDENT);
    out.resize(out.len() + 9, 0);
    // A shared object for x86-64; the version is a word.
    for half in [ET_DYN, EM_X86_64, EV_CURRENT.into(), 0] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    // No entry; program headers behind this header; no section headers.
    for word in [0u64, HEADER as u64, 0] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    // No flags; sizes and counts of headers.
    out.extend_from_slice(&0u32.to_le_bytes());
    for half in [HEADER as u16, PROGRAM_HEADER as u16, 2, 64, 0, 0] {
        out.extend_from_slice(&half.to_le_bytes());
    }
}

fn put_program_header(out: &mut Vec<u8>, kind: u32, flags: u32, at: usize, len: usize, align: u64) {
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&flags.to_le_bytes());
    let (at, len) = (at as u64, len as u64);
    for word in [at, at, at, len, len, align] {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_could_find_the_functions() {
        let image = image();
        let word = |at: usize| u64::from_le_bytes(image[at..at + 8].try_into().unwrap());
        let half = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap());
        assert!(image.len() < 4096);
        assert_eq!(&image[..4], b"\x7fELF");
        let dynamic = word(HEADER + PROGRAM_HEADER + 8) as usize;
        let tag = |wanted: u64| {
            (0..7)
                .map(|i| dynamic + i * 16)
                .find(|&at| word(at) == wanted)
                .map(|at| word(at + 8) as usize)
                .unwrap()
        };
        let (hash, strings, symbols) = (tag(4), tag(5), tag(6));
        let mut index = half(hash + 8) as usize;
        let mut found = Vec::new();
        while index != 0 {
            let name = strings + half(symbols + index * SYMBOL) as usize;
            let end = name + image[name..].iter().position(|&byte| byte == 0).unwrap();
            found.push(core::str::from_utf8(&image[name..end]).unwrap());
            assert!((word(symbols + index * SYMBOL + 8) as usize) < image.len());
            index = half(hash + 12 + index * 4) as usize;
        }
        assert_eq!(found, vdso::code().functions.map(|(name, _)| name));
        assert_eq!(elf_hash(VERSION), 0x3ae_75f6);
    }
}
