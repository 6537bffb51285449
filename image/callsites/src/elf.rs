//! The parts of an ELF file that the scanner looks at.

use std::ops::Range;

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _, SectionHeader as _, Sym as _};

/// A part of the file that is mapped into memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region<'a> {
    /// The address that the file gives it.
    pub(crate) addr: u64,
    /// Where it begins in the file.
    pub(crate) offset: u64,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Region<'a> {
    pub(crate) fn range(&self) -> Range<u64> {
        self.addr..self.addr + self.bytes.len() as u64
    }

    /// The bytes from an address to the end of the region.
    pub(crate) fn bytes_from(&self, addr: u64) -> Option<&'a [u8]> {
        self.bytes
            .get(usize::try_from(addr.checked_sub(self.addr)?).ok()?..)
    }
}

/// A symbol of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FunctionSymbol {
    pub(crate) addr: u64,
    /// 0 if the symbol does not say.
    pub(crate) size: u64,
}

/// An ELF64 x86-64 program or library.
pub(crate) struct Image<'a> {
    /// What the program headers map, writable or not.
    pub(crate) loads: Vec<Region<'a>>,
    /// Machine code: the executable sections; of a file without sections, the executable segments. In ascending
    /// order of address, without overlaps.
    pub(crate) code: Vec<Region<'a>>,
    pub(crate) entry: u64,
    /// Linked at a fixed address, so that code may hold addresses as 32-bit immediates.
    pub(crate) is_fixed: bool,
    sections: Vec<(&'a [u8], Region<'a>)>,
    symbols: Vec<FunctionSymbol>,
    eh_frame_hdr: Option<Region<'a>>,
    dynamic: Vec<(u64, u64)>,
}

/// Why a file has no call sites to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoImage {
    /// Not an ELF64 x86-64 program or library (a script, an object file, another machine's).
    Foreign,
    /// An ELF file of the right kind whose headers do not make sense, or whose code is relocated when it is loaded.
    Unusable,
}

impl<'a> Image<'a> {
    pub(crate) fn parse(file: &'a [u8]) -> Result<Self, NoImage> {
        let header = FileHeader64::<LE>::parse(file).map_err(|_| NoImage::Foreign)?;
        let kind = header.e_type.get(LE);
        if header.e_machine.get(LE) != elf::EM_X86_64 || !matches!(kind, elf::ET_EXEC | elf::ET_DYN) {
            return Err(NoImage::Foreign);
        }
        let segments = header.program_headers(LE, file).map_err(|_| NoImage::Unusable)?;
        let mut image = Self {
            loads: Vec::new(),
            code: Vec::new(),
            entry: header.e_entry.get(LE),
            is_fixed: kind == elf::ET_EXEC,
            sections: Vec::new(),
            symbols: Vec::new(),
            eh_frame_hdr: None,
            dynamic: Vec::new(),
        };
        let mut executable = Vec::new();
        for segment in segments {
            // What lies outside a truncated file would not run either.
            let Ok(bytes) = segment.data(LE, file) else {
                continue;
            };
            let region = Region {
                addr: segment.p_vaddr(LE),
                offset: segment.p_offset(LE),
                bytes,
            };
            if region.addr.checked_add(bytes.len() as u64).is_none() {
                return Err(NoImage::Unusable);
            }
            match segment.p_type(LE) {
                elf::PT_LOAD => {
                    image.loads.push(region);
                    if segment.p_flags(LE).0 & elf::PF_X.0 != 0 {
                        executable.push(region);
                    }
                }
                elf::PT_GNU_EH_FRAME => image.eh_frame_hdr = Some(region),
                elf::PT_DYNAMIC => {
                    let entries = segment.dynamic(LE, file).ok().flatten().unwrap_or_default();
                    image.dynamic = entries
                        .iter()
                        .map(|entry| (entry.d_tag(LE).0 as u64, entry.d_val(LE)))
                        .collect();
                }
                _ => {}
            }
        }
        image.read_sections(file, header, &executable);
        if image.code.is_empty() {
            image.code = executable;
        }
        image.code.sort_by_key(|region| region.addr);
        if image.has_text_relocations() || overlap(image.code.iter().map(Region::range)) {
            return Err(NoImage::Unusable);
        }
        let mut offsets: Vec<_> = image
            .code
            .iter()
            .map(|code| code.offset..code.offset + code.bytes.len() as u64)
            .collect();
        offsets.sort_by_key(|range| range.start);
        // The same bytes at two addresses: a patch is made for one.
        if overlap(offsets.into_iter()) {
            return Err(NoImage::Unusable);
        }
        Ok(image)
    }

    /// The sections are a courtesy of the linker: a file without them, or with nonsense there, just says less.
    fn read_sections(&mut self, file: &'a [u8], header: &FileHeader64<LE>, executable: &[Region<'a>]) {
        let Ok(sections) = header.sections(LE, file) else {
            return;
        };
        for section in sections.iter() {
            let (addr, offset) = (section.sh_addr(LE), section.sh_offset(LE));
            let Ok(bytes) = section.data(LE, file) else {
                continue;
            };
            let flags = section.sh_flags(LE).0;
            if flags & elf::SHF_ALLOC.0 == 0
                || bytes.is_empty()
                || addr.checked_add(bytes.len() as u64).is_none()
            {
                continue;
            }
            let region = Region { addr, offset, bytes };
            if let Ok(name) = sections.section_name(LE, section) {
                self.sections.push((name, region));
            }
            // Where the loader puts the section is the program headers' word, not the section's.
            let is_mapped_so = executable.iter().any(|load| {
                load.range().start <= addr
                    && region.range().end <= load.range().end
                    && addr - load.addr == offset.wrapping_sub(load.offset)
            });
            if flags & elf::SHF_EXECINSTR.0 != 0 && section.sh_type(LE) == elf::SHT_PROGBITS && is_mapped_so {
                self.code.push(region);
            }
        }
        for kind in [elf::SHT_SYMTAB, elf::SHT_DYNSYM] {
            let Ok(table) = sections.symbols(LE, file, kind) else {
                continue;
            };
            self.symbols.extend(
                table
                    .iter()
                    .filter(|symbol| {
                        matches!(symbol.st_type(), elf::STT_FUNC | elf::STT_GNU_IFUNC)
                            && symbol.st_shndx(LE) != elf::SHN_UNDEF
                    })
                    .map(|symbol| FunctionSymbol {
                        addr: symbol.st_value(LE),
                        size: symbol.st_size(LE),
                    }),
            );
        }
        self.symbols.sort_unstable();
        self.symbols.dedup();
    }

    /// Function symbols of both tables, in ascending order of address.
    pub(crate) fn symbols(&self) -> &[FunctionSymbol] {
        &self.symbols
    }

    /// A section that is mapped, by its name.
    pub(crate) fn section(&self, name: &str) -> Option<Region<'a>> {
        self.sections
            .iter()
            .find(|(other, _)| *other == name.as_bytes())
            .map(|(_, region)| *region)
    }

    /// `.eh_frame_hdr`, by its program header.
    pub(crate) fn eh_frame_hdr(&self) -> Option<Region<'a>> {
        self.eh_frame_hdr
    }

    /// The value of a dynamic tag.
    pub(crate) fn dynamic(&self, tag: u64) -> Option<u64> {
        self.dynamic
            .iter()
            .find(|(other, _)| *other == tag)
            .map(|(_, value)| *value)
    }

    /// What the loader will write to this address, as an address of the file: the addend of its relative relocation.
    pub(crate) fn relocated(&self, addr: u64) -> Option<u64> {
        const DT_RELA: u64 = 7;
        const DT_RELASZ: u64 = 8;
        const R_X86_64_RELATIVE: u64 = 8;
        let len = usize::try_from(self.dynamic(DT_RELASZ)?).ok()?;
        let table = self.bytes_from(self.dynamic(DT_RELA)?)?.get(..len)?;
        let (words, _) = table.as_chunks::<8>();
        words
            .as_chunks::<3>()
            .0
            .iter()
            .map(|entry| entry.map(u64::from_le_bytes))
            .find_map(|[offset, info, addend]| {
                (offset == addr && info == R_X86_64_RELATIVE).then_some(addend)
            })
    }

    /// The machine code that this address lies in.
    pub(crate) fn code_at(&self, addr: u64) -> Option<&Region<'a>> {
        let behind = self.code.partition_point(|region| region.addr <= addr);
        let region = self.code.get(behind.checked_sub(1)?)?;
        region.range().contains(&addr).then_some(region)
    }

    /// The mapped bytes from an address on, to the end of its segment.
    pub(crate) fn bytes_from(&self, addr: u64) -> Option<&'a [u8]> {
        self.loads
            .iter()
            .find(|load| load.range().contains(&addr))?
            .bytes_from(addr)
    }

    /// The bytes in a range of addresses that lies in one piece of machine code.
    pub(crate) fn code_bytes(&self, range: Range<u64>) -> Option<&'a [u8]> {
        let len = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
        self.code_at(range.start)?.bytes_from(range.start)?.get(..len)
    }

    /// Whether the loader rewrites code: what the scanner reads is then not what runs.
    fn has_text_relocations(&self) -> bool {
        const DT_TEXTREL: u64 = 22;
        const DT_FLAGS: u64 = 30;
        const DF_TEXTREL: u64 = 4;
        self.dynamic(DT_TEXTREL).is_some()
            || self
                .dynamic(DT_FLAGS)
                .is_some_and(|flags| flags & DF_TEXTREL != 0)
    }
}

fn overlap(mut ranges: impl Iterator<Item = Range<u64>>) -> bool {
    let mut end = 0;
    ranges.any(|range| std::mem::replace(&mut end, range.end) > range.start)
}
