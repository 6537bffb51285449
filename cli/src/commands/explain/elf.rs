//! What an ELF file says of itself that matters before it runs: machine, linkage, libraries, symbols.

use std::collections::BTreeSet;

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _, Sym as _};
use serde::Serialize;

/// How a file is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Linkage {
    /// A program without an interpreter, at addresses that the loader chooses.
    StaticPie,
    /// A program without an interpreter, at fixed addresses.
    StaticFixed,
    /// A program that its interpreter links, at addresses that the loader chooses.
    DynamicPie,
    /// A program that its interpreter links, at fixed addresses.
    DynamicFixed,
    /// A library, or an interpreter.
    Library,
}

impl Linkage {
    pub(super) fn is_program(self) -> bool {
        self != Self::Library
    }

    pub(super) fn is_fixed(self) -> bool {
        matches!(self, Self::StaticFixed | Self::DynamicFixed)
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::StaticPie => "static",
            Self::StaticFixed => "static, fixed addresses",
            Self::DynamicPie => "dynamic",
            Self::DynamicFixed => "dynamic, fixed addresses",
            Self::Library => "library",
        }
    }
}

/// What a 64-bit x86 program or library says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Elf {
    pub(super) linkage: Linkage,
    pub(super) interpreter: Option<Vec<u8>>,
    pub(super) soname: Option<Vec<u8>>,
    /// Names of the libraries that it is linked with (DT_NEEDED).
    pub(super) needed: Vec<Vec<u8>>,
    /// Functions that it takes from libraries.
    pub(super) imports: BTreeSet<Vec<u8>>,
    /// Functions that it gives to others.
    pub(super) exports: BTreeSet<Vec<u8>>,
    /// Whether AddressSanitizer is in it, or it asks for it.
    pub(super) has_asan: bool,
    /// Bytes of memory that its segments take.
    pub(super) memory: u64,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A program or library that this enclave could run.
    Elf(Box<Elf>),
    /// A program or library for another machine, named.
    Foreign(String),
    /// Anything else, object files and what is damaged included.
    Other,
}

const PAGE_SIZE: u64 = 4096;
const ASAN: &[u8] = b"__asan_init";

/// Reads the bytes of a file.
pub(super) fn read(file: &[u8]) -> Read {
    if let Some(machine) = other_machine(file) {
        return Read::Foreign(machine);
    }
    native(file).map_or(Read::Other, |elf| Read::Elf(Box::new(elf)))
}

/// The machine of a program or library that is not of x86-64.
fn other_machine(file: &[u8]) -> Option<String> {
    // elf(5): class, byte order, type and machine.
    const CLASS_64: u8 = 2;
    let identity = file.get(..20).filter(|bytes| bytes.starts_with(b"\x7fELF"))?;
    let half = |at: usize| {
        let bytes: [u8; 2] = identity.get(at..)?.first_chunk().copied()?;
        Some(if identity.get(5) == Some(&2) {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    };
    let (kind, machine) = (half(16)?, half(18)?);
    if kind != elf::ET_EXEC.0 && kind != elf::ET_DYN.0 {
        return None;
    }
    let is_64 = identity.get(4) == Some(&CLASS_64);
    match machine {
        machine if machine == elf::EM_X86_64.0 && is_64 => None,
        machine if machine == elf::EM_X86_64.0 => Some("x32".into()),
        machine if machine == elf::EM_386.0 => Some("32-bit x86".into()),
        machine if machine == elf::EM_AARCH64.0 => Some("64-bit Arm".into()),
        machine if machine == elf::EM_ARM.0 => Some("32-bit Arm".into()),
        machine if machine == elf::EM_RISCV.0 => Some("RISC-V".into()),
        machine if machine == elf::EM_S390.0 => Some("s390x".into()),
        machine if machine == elf::EM_PPC64.0 => Some("64-bit PowerPC".into()),
        machine => Some(format!("machine {machine}")),
    }
}

fn native(file: &[u8]) -> Option<Elf> {
    let header = FileHeader64::<LE>::parse(file).ok()?;
    let kind = header.e_type.get(LE);
    if !matches!(kind, elf::ET_EXEC | elf::ET_DYN) {
        return None;
    }
    let segments = header.program_headers(LE, file).ok()?;
    let mut interpreter = None;
    let mut memory = 0u64;
    for segment in segments {
        if let Ok(Some(path)) = segment.interpreter(LE, file) {
            interpreter = Some(path.to_vec());
        }
        if segment.p_type(LE) == elf::PT_LOAD {
            let pages = segment.p_memsz(LE).div_ceil(PAGE_SIZE);
            memory = memory.saturating_add(pages.saturating_mul(PAGE_SIZE));
        }
    }
    let mut found = Elf {
        linkage: Linkage::Library,
        interpreter,
        soname: None,
        needed: Vec::new(),
        imports: BTreeSet::new(),
        exports: BTreeSet::new(),
        has_asan: false,
        memory,
    };
    let is_pie = found.read_sections(file, header);
    found.linkage = match (kind == elf::ET_EXEC, found.interpreter.is_some()) {
        (true, false) => Linkage::StaticFixed,
        (true, true) => Linkage::DynamicFixed,
        // C libraries have an interpreter, too: they print their version if they are run.
        (false, true) if found.soname.is_none() => Linkage::DynamicPie,
        (false, false) if is_pie => Linkage::StaticPie,
        (false, _) => Linkage::Library,
    };
    Some(found)
}

impl Elf {
    /// Reads libraries and symbols, as far as there are any; says whether the file calls itself a program (DF_1_PIE).
    fn read_sections(&mut self, file: &[u8], header: &FileHeader64<LE>) -> bool {
        let Ok(sections) = header.sections(LE, file) else {
            return false;
        };
        for kind in [elf::SHT_SYMTAB, elf::SHT_DYNSYM] {
            let Ok(table) = sections.symbols(LE, file, kind) else {
                continue;
            };
            for symbol in table.iter() {
                let Ok(name) = symbol.name(LE, table.strings()) else {
                    continue;
                };
                self.has_asan |= name == ASAN;
                if kind == elf::SHT_DYNSYM && !name.is_empty() {
                    let names = if symbol.st_shndx(LE) == elf::SHN_UNDEF {
                        &mut self.imports
                    } else {
                        &mut self.exports
                    };
                    names.insert(name.to_vec());
                }
            }
        }
        let Ok(Some((entries, link))) = sections.dynamic(LE, file) else {
            return false;
        };
        let strings = sections.strings(LE, file, link).unwrap_or_default();
        let text = |offset: u64| Some(strings.get(u32::try_from(offset).ok()?).ok()?.to_vec());
        let mut is_pie = false;
        for entry in entries {
            match entry.d_tag(LE) {
                elf::DT_NEEDED => self.needed.extend(text(entry.d_val(LE))),
                elf::DT_SONAME => self.soname = text(entry.d_val(LE)),
                elf::DT_FLAGS_1 => is_pie |= entry.d_val(LE) & elf::DF_1_PIE.0 != 0,
                _ => {}
            }
        }
        is_pie
    }

    /// Whether it is a C library: what it can call says nothing, what others import from it does.
    pub(super) fn is_c_library(&self) -> bool {
        self.exports.contains(&b"__libc_start_main"[..])
    }
}
