//! Gives back the pages of the host runtime's own program: the start touches many of them, what serves an enclave few.

use enclave_layout::PAGE_SIZE;
use libc::{c_int, c_void, dl_phdr_info, size_t};

/// Lets go of the pages that the start has touched. What is needed again is mapped again, from the page cache.
pub(crate) fn give_back() {
    // SAFETY: the callback keeps to its contract: it only looks at what it is given.
    unsafe { libc::dl_iterate_phdr(Some(give_back_program), std::ptr::null_mut()) };
}

/// # Safety
/// To be called by `dl_iterate_phdr` only.
unsafe extern "C" fn give_back_program(info: *mut dl_phdr_info, _: size_t, _: *mut c_void) -> c_int {
    /// The program itself comes first; its libraries may be shared with others, which pay for them too.
    const STOP: c_int = 1;
    // SAFETY: the caller's promise.
    let info = unsafe { &*info };
    if info.dlpi_phdr.is_null() {
        return STOP;
    }
    // SAFETY: so many headers lie there, and stay as long as the program.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    for header in headers {
        // What can never be written holds nothing but the file's content; relocated constants are in a writable segment.
        if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W != 0 {
            continue;
        }
        let start = (info.dlpi_addr + header.p_vaddr) & !(PAGE_SIZE - 1);
        let end = info.dlpi_addr + header.p_vaddr + header.p_memsz;
        let start = std::ptr::with_exposed_provenance_mut::<c_void>(start as usize);
        // SAFETY: a private mapping of a file that was never written to: the same bytes are there when they are next looked at.
        // That it may fail does not matter.
        unsafe { libc::madvise(start, (end - start.addr() as u64) as usize, libc::MADV_DONTNEED) };
    }
    STOP
}
