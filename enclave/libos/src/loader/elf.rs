//! Maps an ELF file (elf(5)).
//!
//! The file may be anything: every number in it is checked before it is used.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use enclave_layout::{PAGE_SIZE, USER_END};
use enclave_rt::user;
use host_abi::{PageRange, Protection};
use kobject::{Description, Errno, KernelSink, Mapping, Result};
use libos_mm::{AddressSpace, Backing};
use linux_abi::elf::{EM_X86_64, ET_DYN, ET_EXEC, IDENT, PF_R, PF_W, PF_X, PT_INTERP, PT_LOAD};
use linux_abi::{MapFlags, ProtectionFlags};
use zerocopy::{FromBytes, Immutable, KnownLayout};

#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Header {
    ident: [u8; 16],
    kind: u16,
    machine: u16,
    version: u32,
    entry: u64,
    program_headers: u64,
    pub(super) section_headers: u64,
    flags: u32,
    header_size: u16,
    program_header_size: u16,
    program_header_count: u16,
    pub(super) section_header_size: u16,
    pub(super) section_header_count: u16,
    _section_names: u16,
}

#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct ProgramHeader {
    pub(super) kind: u32,
    flags: u32,
    pub(super) offset: u64,
    pub(super) address: u64,
    _physical: u64,
    pub(super) file_size: u64,
    memory_size: u64,
    align: u64,
}

const _: () = assert!(size_of::<Header>() == 64 && size_of::<ProgramHeader>() == 56);

/// Room that the heap of a position-independent program finds behind it, if as much as the program may use cannot be had in one
/// piece. Without any, `brk` fails, and C libraries go on with `mmap`.
const HEAP_ROOMS: [u64; 4] = [4 << 30, 256 << 20, 16 << 20, 0];

/// What a file is loaded as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Program,
    Interpreter,
}

/// A mapped ELF file.
pub(super) struct Program {
    /// What is added to the file's addresses.
    pub(super) base: u64,
    pub(super) entry: u64,
    /// Where its program headers lie in memory, and how many they are.
    pub(super) headers: u64,
    pub(super) header_count: u64,
    /// Where its heap begins.
    pub(super) heap_start: u64,
    /// Where its code begins and ends: (0, 0) if it has none.
    pub(super) code: (u64, u64),
}

/// An ELF file that has been looked at and can be mapped.
pub(super) struct Parsed {
    file: Arc<Description>,
    role: Role,
    header: Header,
    headers: Vec<ProgramHeader>,
    extent: Extent,
    /// What a program names as its interpreter.
    pub(super) interpreter: Option<Vec<u8>>,
}

/// Looks at a file whose first bytes are `head`. ENOEXEC for what is no such file.
pub(super) fn parse(file: Arc<Description>, head: &[u8], role: Role) -> Result<Parsed> {
    let header = self::header(head)?;
    let headers = program_headers(&file, &header)?;
    let extent = Extent::of(&loads(&headers))?;
    let interpreter = match headers.iter().find(|header| header.kind == PT_INTERP) {
        Some(header) if role == Role::Program => Some(read_interpreter(&file, header)?),
        _ => None,
    };
    Ok(Parsed {
        file,
        role,
        header,
        headers,
        extent,
        interpreter,
    })
}

impl Parsed {
    /// The file itself.
    pub(super) fn file(&self) -> &Description {
        &self.file
    }

    /// The addresses that it must have, if it is linked at fixed ones.
    pub(super) fn fixed_range(&self) -> Option<PageRange> {
        let is_fixed = self.header.kind != ET_DYN;
        is_fixed.then(|| PageRange::new(self.extent.start, self.extent.end - self.extent.start))?
    }

    /// Maps it. If it is linked at fixed addresses, the space is one for them.
    pub(super) fn map(&self, space: &AddressSpace) -> Result<Program> {
        let loads = loads(&self.headers);
        let mapping = self.file.object().clone().mapping()?;
        let base = match self.header.kind {
            ET_DYN => self.extent.reserve(space, self.role, &mapping, &loads)?,
            _ => {
                self.extent.take_fixed(space)?;
                0
            }
        };
        for load in &loads {
            map_segment(space, &mapping, base, load)?;
        }
        let headers_at = loads.iter().find_map(|load| {
            let inside = self.header.program_headers.checked_sub(load.offset)?;
            (inside < load.file_size).then(|| base + load.address + inside)
        });
        Ok(Program {
            base,
            entry: base.wrapping_add(self.header.entry),
            headers: headers_at.unwrap_or(0),
            header_count: self.header.program_header_count.into(),
            heap_start: base + self.extent.end,
            code: code_of(base, &loads),
        })
    }
}

/// From the first to the last byte of all executable segments.
fn code_of(base: u64, loads: &[&ProgramHeader]) -> (u64, u64) {
    let code = loads.iter().filter(|load| load.flags & PF_X != 0);
    let bounds = code.map(|load| {
        let start = base.saturating_add(load.address);
        (start, start.saturating_add(load.file_size))
    });
    bounds
        .reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)))
        .unwrap_or((0, 0))
}

fn loads(headers: &[ProgramHeader]) -> Vec<&ProgramHeader> {
    headers.iter().filter(|header| header.kind == PT_LOAD).collect()
}

/// The header of a file whose first bytes are `head`. ENOEXEC for what is no program or library for this machine.
pub(super) fn header(head: &[u8]) -> Result<Header> {
    let (header, _) = Header::read_from_prefix(head).map_err(|_| Errno::ENOEXEC)?;
    let is_program = header.kind == ET_EXEC || header.kind == ET_DYN;
    if header.ident[..7] != IDENT || header.machine != EM_X86_64 || !is_program {
        return Err(Errno::ENOEXEC);
    }
    Ok(header)
}

pub(super) fn program_headers(file: &Description, header: &Header) -> Result<Vec<ProgramHeader>> {
    let count = usize::from(header.program_header_count);
    if usize::from(header.program_header_size) != size_of::<ProgramHeader>() || count == 0 || count > 512 {
        return Err(Errno::ENOEXEC);
    }
    let bytes = read_exactly(file, header.program_headers, count * size_of::<ProgramHeader>())?;
    let all = bytes.chunks_exact(size_of::<ProgramHeader>());
    all.map(|bytes| ProgramHeader::read_from_bytes(bytes).map_err(|_| Errno::ENOEXEC))
        .collect()
}

fn read_interpreter(file: &Description, header: &ProgramHeader) -> Result<Vec<u8>> {
    let len = usize::try_from(header.file_size)
        .ok()
        .filter(|len| (2..=4096).contains(len))
        .ok_or(Errno::ENOEXEC)?;
    let mut path = read_exactly(file, header.offset, len)?;
    if path.pop() != Some(0) {
        return Err(Errno::ENOEXEC);
    }
    Ok(path)
}

pub(super) fn read_exactly(file: &Description, offset: u64, len: usize) -> Result<Vec<u8>> {
    let mut sink = KernelSink::new(len);
    while sink.len() < len {
        let at = offset.checked_add(sink.len() as u64).ok_or(Errno::ENOEXEC)?;
        if file.read_at(at, &mut sink)? == 0 {
            return Err(Errno::ENOEXEC);
        }
    }
    Ok(sink.into_bytes())
}

/// The addresses that a file's segments take, page-aligned.
struct Extent {
    start: u64,
    end: u64,
    align: u64,
}

impl Extent {
    fn of(loads: &[&ProgramHeader]) -> Result<Self> {
        let mut extent = Self {
            start: u64::MAX,
            end: 0,
            align: PAGE_SIZE,
        };
        for load in loads {
            let end = load
                .address
                .checked_add(load.memory_size)
                .filter(|&end| end <= USER_END);
            let end = end.ok_or(Errno::ENOEXEC)?.next_multiple_of(PAGE_SIZE);
            extent.start = extent.start.min(load.address & !(PAGE_SIZE - 1));
            extent.end = extent.end.max(end);
            if load.align.is_power_of_two() {
                extent.align = extent.align.max(load.align.min(2 << 20));
            }
            if load.file_size > load.memory_size || load.offset.checked_add(load.file_size).is_none() {
                return Err(Errno::ENOEXEC);
            }
        }
        if extent.start < extent.end {
            Ok(extent)
        } else {
            Err(Errno::ENOEXEC)
        }
    }

    /// Finds addresses for a position-independent file; gives what to add to the file's addresses. A program is placed so that
    /// its heap can grow behind it, or where it was before.
    fn reserve(
        &self,
        space: &AddressSpace,
        role: Role,
        file: &Arc<dyn Mapping>,
        loads: &[&ProgramHeader],
    ) -> Result<u64> {
        let len = self.end - self.start;
        let first = loads.iter().min_by_key(|load| load.address);
        let offset = first.map_or(0, |load| load.offset & !(PAGE_SIZE - 1));
        if let Some(at) = space.map_kept(file, offset, len) {
            return Ok(at - self.start);
        }
        let most = crate::container().memory.next_multiple_of(PAGE_SIZE);
        let rooms = match role {
            Role::Program => core::iter::once(most).chain(HEAP_ROOMS).collect(),
            Role::Interpreter => vec![0],
        };
        let reserve = |&room: &u64| {
            let whole = len + room + self.align;
            let flags = MapFlags::empty();
            let reserved = space.map(0, whole, Protection::NONE, flags, Backing::Anonymous, b"");
            Some((reserved.ok()?, room))
        };
        let (reserved, room) = rooms.iter().find_map(reserve).ok_or(Errno::ENOMEM)?;
        let at = reserved.next_multiple_of(self.align);
        // The heap takes what it needs of the rest again. What the file needs is never given back: other processes look for addresses
        // at the same time.
        if at > reserved {
            space.unmap(reserved, at - reserved)?;
        }
        space.unmap(at + len, reserved + room + self.align - at)?;
        Ok(at - self.start)
    }

    fn take_fixed(&self, space: &AddressSpace) -> Result<()> {
        // The space has reserved them, or takes turns with those that have them.
        let flags = MapFlags::MAP_FIXED;
        let taken = space.map(
            self.start,
            self.end - self.start,
            Protection::NONE,
            flags,
            Backing::Anonymous,
            b"",
        );
        taken.map(drop).map_err(|_| Errno::ENOMEM)
    }
}

fn map_segment(space: &AddressSpace, file: &Arc<dyn Mapping>, base: u64, load: &ProgramHeader) -> Result<()> {
    // PF_X, PF_W, PF_R to PROT_ bits.
    let bit = |flag, bit: ProtectionFlags| {
        if load.flags & flag != 0 {
            bit
        } else {
            ProtectionFlags::empty()
        }
    };
    let access = bit(PF_R, ProtectionFlags::PROT_READ)
        | bit(PF_W, ProtectionFlags::PROT_WRITE)
        | bit(PF_X, ProtectionFlags::PROT_EXEC);
    let protection = Protection::from_bits(access.bits().into()).ok_or(Errno::ENOEXEC)?;
    let address = base + load.address;
    let skew = address % PAGE_SIZE;
    if load.offset % PAGE_SIZE != skew {
        return Err(Errno::ENOEXEC);
    }
    let start = address - skew;
    let file_end = address + load.file_size;
    let memory_end = address + load.memory_size;
    let mut covered = start;
    if load.file_size > 0 {
        covered = file_end.next_multiple_of(PAGE_SIZE);
        let backing = Backing::File(file.clone(), load.offset - skew);
        space.map(
            start,
            covered - start,
            protection,
            MapFlags::MAP_FIXED,
            backing,
            b"",
        )?;
        if load.memory_size > load.file_size && file_end < covered {
            if !protection.contains(Protection::READ_WRITE) {
                return Err(Errno::ENOEXEC);
            }
            // What lies behind the file's part in its last page is not the file's.
            user::zero(file_end, (covered - file_end) as usize)?;
        }
    }
    let end = memory_end.next_multiple_of(PAGE_SIZE);
    if end > covered {
        space.map(
            covered,
            end - covered,
            protection,
            MapFlags::MAP_FIXED,
            Backing::Anonymous,
            b"",
        )?;
    }
    Ok(())
}
