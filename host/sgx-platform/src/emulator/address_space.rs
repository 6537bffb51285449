//! The emulator's address space: ELRANGE at its fixed place, and its own tables right above it.
//!
//! ```text
//! 0x1_0000      ELRANGE (the lowest 64 KiB cannot be mapped)
//! 2^46          the page that ENCLU sites call
//! + 16 MiB      a context and signal stack per thread, 64 KiB each
//! + 256 MiB     the EPCM, 2 bytes per page of ELRANGE: 32 GiB, which can only be read at first
//! ```
//!
//! The tables have fixed addresses because who reads them has nothing else to find them by: a thread that leaves the
//! enclave has the enclave's FS and GS, and so has a signal handler.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use enclave_layout::{ELRANGE_SIZE, PAGE_SIZE, PageRange};

use crate::{EnclaveError, PlatformError};

/// Address of the page that ENCLU sites call.
pub(super) const TRAMPOLINE: u64 = ELRANGE_SIZE;
/// Address of the first thread's context.
pub(super) const CONTEXTS: u64 = ELRANGE_SIZE + (16 << 20);
/// Distance between contexts; also their alignment.
pub(super) const CONTEXT_STRIDE: u64 = 1 << 16;
/// Most contexts.
pub(super) const MAX_CONTEXTS: u64 = 2048;
/// Address of the EPCM.
pub(super) const EPCM: u64 = ELRANGE_SIZE + (256 << 20);
/// Bytes of the EPCM.
pub(super) const EPCM_SIZE: u64 = ELRANGE_SIZE / PAGE_SIZE * 2;

/// Linux's vm.mmap_min_addr.
const LOWEST: u64 = 0x1_0000;

const _: () = assert!(CONTEXTS.is_multiple_of(CONTEXT_STRIDE));
const _: () = assert!(CONTEXTS + MAX_CONTEXTS * CONTEXT_STRIDE <= EPCM);
const _: () = assert!(enclave_layout::MAX_SLOTS <= MAX_CONTEXTS);

/// The process's memory as a file, by which pages can be written that the page tables protect. For who has nothing else to find it
/// by: a signal handler, and the assembly of EACCEPTCOPY.
pub(super) static MEMORY: AtomicI32 = AtomicI32::new(-1);

/// A mapping at a fixed place, lazily backed by zeros.
#[derive(Debug)]
pub(super) struct Mapping {
    start: u64,
    len: u64,
}

impl Mapping {
    fn new(start: u64, end: u64, protection: libc::c_int) -> Result<Self, PlatformError> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
        let len = end - start;
        let wanted = ptr::without_provenance_mut(start as usize);
        // SAFETY: MAP_FIXED_NOREPLACE does not touch what is mapped already.
        let address = unsafe { libc::mmap(wanted, len as usize, protection, flags, -1, 0) };
        if address == libc::MAP_FAILED {
            return Err(PlatformError::AddressRange {
                start,
                end,
                source: io::Error::last_os_error(),
            });
        }
        let mapping = Self {
            start: address as u64,
            len,
        };
        if address != wanted {
            // A kernel before 4.17 takes the address as a hint.
            let source = io::Error::from_raw_os_error(libc::EEXIST);
            return Err(PlatformError::AddressRange { start, end, source });
        }
        Ok(mapping)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our own mapping, whose users borrow from its owner.
        unsafe {
            libc::munmap(
                ptr::without_provenance_mut(self.start as usize),
                self.len as usize,
            )
        };
    }
}

fn open_memory() -> Result<File, PlatformError> {
    let unusable = |source| {
        PlatformError::Kernel(
            "cannot write protected memory by /proc/self/mem (see proc_mem.force_override in the kernel's parameters)",
            source,
        )
    };
    let memory = File::options()
        .read(true)
        .write(true)
        .open("/proc/self/mem")
        .map_err(unusable)?;
    MEMORY.store(memory.as_raw_fd(), Ordering::Relaxed);
    // Zeros over what is zero, where nothing is accessible.
    memory.write_all_at(&[0], LOWEST).map_err(unusable)?;
    Ok(memory)
}

/// Copies a page of the enclave's to another one, whatever the page tables allow there. Fails if the source cannot be read.
pub(super) fn copy_page(to: u64, from: u64) -> bool {
    let source = ptr::with_exposed_provenance::<libc::c_void>(from as usize);
    let len = PAGE_SIZE as usize;
    // SAFETY: the kernel reads and writes pages of ELRANGE, which no Rust object lives in.
    let copied = unsafe { libc::pwrite(MEMORY.load(Ordering::Relaxed), source, len, to as libc::off_t) };
    usize::try_from(copied) == Ok(len)
}

/// Reads memory of the enclave's, whatever the page tables allow there.
pub(super) fn read<const N: usize>(address: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let to = bytes.as_mut_ptr().cast();
    // SAFETY: the kernel writes `bytes`.
    let read = unsafe { libc::pread(MEMORY.load(Ordering::Relaxed), to, N, address as libc::off_t) };
    (usize::try_from(read) == Ok(N)).then_some(bytes)
}

/// Writes memory of the enclave's, whatever the page tables allow there. Whether it could be written.
pub(super) fn write(address: u64, bytes: &[u8]) -> bool {
    let (from, len) = (bytes.as_ptr().cast(), bytes.len());
    // SAFETY: the kernel writes a part of ELRANGE, which no Rust object lives in.
    let written = unsafe { libc::pwrite(MEMORY.load(Ordering::Relaxed), from, len, address as libc::off_t) };
    usize::try_from(written) == Ok(len)
}

/// Sets what the page tables allow in a part of ELRANGE, which is reserved; `permissions` are PROT_ bits, which are SECINFO's.
pub(super) fn protect(range: PageRange, permissions: u64) -> Result<(), EnclaveError> {
    assert!(range.end() <= ELRANGE_SIZE);
    let start = ptr::without_provenance_mut(range.start() as usize);
    // SAFETY: a part of ELRANGE, which no Rust object lives in.
    let result = unsafe { libc::mprotect(start, range.len() as usize, permissions as libc::c_int) };
    if result == 0 {
        Ok(())
    } else {
        Err(EnclaveError::Memory)
    }
}

/// All of the emulator's memory.
#[derive(Debug)]
pub(super) struct AddressSpace {
    _elrange: Mapping,
    _trampoline: Mapping,
    _contexts: Mapping,
    _epcm: Mapping,
    _memory: File,
}

impl AddressSpace {
    /// Reserves everything at once, so that nothing else of the process can come to lie there.
    pub(super) fn reserve() -> Result<Self, PlatformError> {
        let read_write = libc::PROT_READ | libc::PROT_WRITE;
        let contexts_end = CONTEXTS + MAX_CONTEXTS * CONTEXT_STRIDE;
        let elrange = Mapping::new(LOWEST, ELRANGE_SIZE, libc::PROT_NONE)?;
        let memory = open_memory()?;
        Ok(Self {
            _elrange: elrange,
            _memory: memory,
            _trampoline: Mapping::new(TRAMPOLINE, TRAMPOLINE + PAGE_SIZE, read_write)?,
            _contexts: Mapping::new(CONTEXTS, contexts_end, read_write)?,
            _epcm: Mapping::new(EPCM, EPCM + EPCM_SIZE, libc::PROT_READ)?,
        })
    }

    /// Makes the page at [`TRAMPOLINE`] executable code.
    pub(super) fn write_trampoline(&self, code: &[u8]) -> Result<(), PlatformError> {
        assert!(code.len() as u64 <= PAGE_SIZE);
        let page = ptr::with_exposed_provenance_mut::<u8>(TRAMPOLINE as usize);
        // SAFETY: our own page, which nobody executes yet.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), page, code.len()) };
        let protection = libc::PROT_READ | libc::PROT_EXEC;
        // SAFETY: our own page.
        let result = unsafe { libc::mprotect(page.cast(), PAGE_SIZE as usize, protection) };
        if result != 0 {
            return Err(PlatformError::Kernel(
                "cannot make code executable",
                io::Error::last_os_error(),
            ));
        }
        Ok(())
    }

    /// As [`protect`].
    pub(super) fn protect(&self, range: PageRange, permissions: u64) -> Result<(), EnclaveError> {
        protect(range, permissions)
    }

    /// Gives the memory of a range back and makes it inaccessible.
    pub(super) fn discard(&self, range: PageRange) -> Result<(), EnclaveError> {
        assert!(range.end() <= ELRANGE_SIZE);
        let start = ptr::without_provenance_mut(range.start() as usize);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
        // SAFETY: replaces a part of ELRANGE, which no Rust object lives in, by a fresh reservation.
        let address = unsafe { libc::mmap(start, range.len() as usize, libc::PROT_NONE, flags, -1, 0) };
        if address == start {
            Ok(())
        } else {
            Err(EnclaveError::Memory)
        }
    }

    /// Copies bytes into pages that are writable.
    pub(super) fn write(&self, address: u64, bytes: &[u8]) {
        assert!(address >= LOWEST && address + bytes.len() as u64 <= ELRANGE_SIZE);
        let to = ptr::with_exposed_provenance_mut::<u8>(address as usize);
        // SAFETY: within ELRANGE, which no Rust object lives in; the caller has made it writable.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }

    /// Copies bytes out of pages that are readable.
    pub(super) fn read(&self, address: u64, bytes: &mut [u8]) {
        assert!(address >= LOWEST && address + bytes.len() as u64 <= ELRANGE_SIZE);
        let from = ptr::with_exposed_provenance::<u8>(address as usize);
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) };
    }
}
