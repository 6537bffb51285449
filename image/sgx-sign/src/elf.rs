//! Reads the LibOS's ELF file, and checks it before any byte is measured.

use enclave_layout::{IMAGE_BASE, IMAGE_END, PAGE_SIZE};
use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader};
use sgx_arch::SecInfo;

/// A static, non-relocatable ELF executable that lies where the enclave's layout wants it.
#[derive(Clone, Debug)]
pub struct Libos<'a> {
    pub(crate) entry: u64,
    /// In ascending order of addresses, no page in two of them.
    pub(crate) segments: Vec<Segment<'a>>,
}

/// A loadable segment.
#[derive(Clone, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) address: u64,
    /// What the file holds; zeros follow up to `len`.
    pub(crate) data: &'a [u8],
    pub(crate) len: u64,
    /// Permissions as SECINFO has them.
    pub(crate) permissions: u64,
}

impl Segment<'_> {
    /// Addresses of its first page and of the first page after it.
    pub(crate) fn pages(&self) -> std::ops::Range<u64> {
        let end = self.address.saturating_add(self.len);
        self.address / PAGE_SIZE * PAGE_SIZE..end.next_multiple_of(PAGE_SIZE)
    }
}

/// Why an ELF file cannot be a LibOS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LibosError {
    /// Not an ELF file for this processor, or damaged.
    #[error("the LibOS is not a valid x86-64 ELF file")]
    NotElf,
    /// A shared object or a position-independent executable.
    #[error("the LibOS is not a static executable at a fixed address")]
    NotFixed,
    /// It wants a dynamic linker, relocations or thread-local storage.
    #[error("the LibOS needs {0}, which does not exist in an enclave")]
    Needs(&'static str),
    /// A segment that can be written and executed, or that cannot be read.
    #[error("the LibOS has a segment with unsafe permissions at {0:#x}")]
    Permissions(u64),
    /// A segment outside the place that the layout has for it.
    #[error("the LibOS has a segment outside its place, at {0:#x}")]
    OutOfRange(u64),
    /// Two segments share a page, or are not in order.
    #[error("the LibOS has overlapping segments at {0:#x}")]
    Overlap(u64),
    /// The entry point is not in an executable segment.
    #[error("the LibOS's entry point {0:#x} is not code")]
    Entry(u64),
}

impl<'a> Libos<'a> {
    /// Checks an ELF file.
    pub fn parse(file: &'a [u8]) -> Result<Self, LibosError> {
        let header = FileHeader64::<LittleEndian>::parse(file).map_err(|_| LibosError::NotElf)?;
        let endian = header.endian().map_err(|_| LibosError::NotElf)?;
        if header.e_machine(endian) != elf::EM_X86_64 {
            return Err(LibosError::NotElf);
        }
        if header.e_type(endian) != elf::ET_EXEC {
            return Err(LibosError::NotFixed);
        }
        // A static executable without PT_DYNAMIC may still want its IRELATIVE relocations applied.
        let sections = header
            .section_headers(endian, file)
            .map_err(|_| LibosError::NotElf)?;
        let relocates = |kind| kind == elf::SHT_RELA || kind == elf::SHT_REL;
        if sections
            .iter()
            .any(|s| relocates(s.sh_type(endian)) && s.sh_size(endian) > 0)
        {
            return Err(LibosError::Needs("relocations"));
        }

        let mut segments: Vec<Segment> = Vec::new();
        for program_header in header
            .program_headers(endian, file)
            .map_err(|_| LibosError::NotElf)?
        {
            match program_header.p_type(endian) {
                elf::PT_LOAD if program_header.p_memsz(endian) > 0 => {
                    let segment = segment(program_header, file)?;
                    let taken = segments.last().map_or(IMAGE_BASE, |last| last.pages().end);
                    if segment.pages().start < taken {
                        return Err(LibosError::Overlap(segment.address));
                    }
                    segments.push(segment);
                }
                elf::PT_INTERP => return Err(LibosError::Needs("a dynamic linker")),
                elf::PT_DYNAMIC => check_dynamic(program_header, file)?,
                elf::PT_TLS => return Err(LibosError::Needs("thread-local storage")),
                _ => {}
            }
        }

        let entry = header.e_entry(endian);
        let is_code = |s: &Segment| {
            s.permissions & SecInfo::X != 0 && entry.checked_sub(s.address).is_some_and(|at| at < s.len)
        };
        if !segments.iter().any(is_code) {
            return Err(LibosError::Entry(entry));
        }
        Ok(Self { entry, segments })
    }
}

/// Linkers write a dynamic section for symbols that others could use; it must not ask anything of a dynamic linker.
fn check_dynamic(header: &elf::ProgramHeader64<LittleEndian>, file: &[u8]) -> Result<(), LibosError> {
    let entries = header
        .dynamic(LittleEndian, file)
        .map_err(|_| LibosError::NotElf)?;
    for entry in entries.unwrap_or_default() {
        match entry.d_tag(LittleEndian) {
            elf::DT_NEEDED => return Err(LibosError::Needs("a dynamic linker")),
            elf::DT_REL | elf::DT_RELA | elf::DT_RELR | elf::DT_JMPREL | elf::DT_TEXTREL => {
                return Err(LibosError::Needs("relocations"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn segment<'a>(
    header: &elf::ProgramHeader64<LittleEndian>,
    file: &'a [u8],
) -> Result<Segment<'a>, LibosError> {
    let endian = LittleEndian;
    let (address, len, flags) = (
        header.p_vaddr(endian),
        header.p_memsz(endian),
        header.p_flags(endian),
    );
    let data = header.data(endian, file).map_err(|()| LibosError::NotElf)?;
    if data.len() as u64 > len {
        return Err(LibosError::NotElf);
    }
    let end = address.checked_add(len);
    if address < IMAGE_BASE || end.is_none_or(|end| end > IMAGE_END) {
        return Err(LibosError::OutOfRange(address));
    }
    let permissions = match flags & (elf::PF_R | elf::PF_W | elf::PF_X) {
        elf::PF_R => SecInfo::R,
        bits if bits == elf::PF_R | elf::PF_W => SecInfo::R | SecInfo::W,
        bits if bits == elf::PF_R | elf::PF_X => SecInfo::R | SecInfo::X,
        _ => return Err(LibosError::Permissions(address)),
    };
    Ok(Segment {
        address,
        data,
        len,
        permissions,
    })
}
