//! What of the LibOS's own memory is there, and what it allows: by the layout that was measured, not by what the host's page tables
//! say at the moment.
//!
//! The exception handler asks, where no lock may be taken.

use core::sync::atomic::{AtomicU64, Ordering};

use enclave_layout::{
    CONFIG_START, EXCEPTION_STACK_SIZE, HEAP_START, IMAGE_BASE, IMAGE_END, PAGE_SIZE, SLOT_STRIDE,
    SLOTS_START, SSA_FRAME_PAGES, SSA_FRAMES, STACK_SIZE, Slot,
};

use crate::user::Access;
use crate::{heap, measured};

/// How many slots the enclave was laid out with; just the first one until the configuration has been read.
static SLOTS: AtomicU64 = AtomicU64::new(1);

/// Tells how many threads the measured configuration gives the enclave.
pub fn set_threads(count: u64) {
    SLOTS.store(count, Ordering::Relaxed);
}

/// Whether the page at this address is one of the LibOS's own and allows the access.
pub(crate) fn is_present(address: u64, access: Access) -> bool {
    match address {
        HEAP_START.. if address < HEAP_START + heap::committed() => access != Access::Execute,
        IMAGE_BASE..IMAGE_END => image::is_present(address, access),
        CONFIG_START..SLOTS_START => {
            let len = measured::known_len();
            access == Access::Read && address < CONFIG_START + len.next_multiple_of(PAGE_SIZE)
        }
        SLOTS_START.. => access != Access::Execute && is_in_slot(address),
        _ => false,
    }
}

/// Whether a slot has a page here that software can touch: neither a guard page nor the TCS.
fn is_in_slot(address: u64) -> bool {
    let index = (address - SLOTS_START) / SLOT_STRIDE;
    let Some(slot) = Slot::new(index).filter(|_| index < SLOTS.load(Ordering::Relaxed)) else {
        return false;
    };
    let parts = [
        (slot.stack(), STACK_SIZE),
        (slot.exception_stack(), EXCEPTION_STACK_SIZE),
        (slot.gs(), PAGE_SIZE),
        (slot.ssa(), SSA_FRAMES * SSA_FRAME_PAGES * PAGE_SIZE),
    ];
    parts
        .iter()
        .any(|&(start, len)| (start..start + len).contains(&address))
}

/// The LibOS's segments, as its own program headers have them.
#[cfg(feature = "image")]
mod image {
    use enclave_layout::{IMAGE_BASE, PAGE_SIZE};

    use crate::user::Access;

    /// `Elf64_Ehdr`: only what is read here has a name.
    #[repr(C)]
    struct Header {
        _before: [u8; 32],
        program_headers: u64,
        _between: [u8; 16],
        program_header_count: u16,
    }

    /// `Elf64_Phdr`.
    #[repr(C)]
    struct ProgramHeader {
        kind: u32,
        flags: u32,
        _offset: u64,
        address: u64,
        _physical: u64,
        _file_size: u64,
        size: u64,
        _align: u64,
    }

    const PT_LOAD: u32 = 1;
    const PF_X: u32 = 1;
    const PF_W: u32 = 2;
    const PF_R: u32 = 4;

    pub(super) fn is_present(address: u64, access: Access) -> bool {
        let wanted = match access {
            Access::Read => PF_R,
            Access::Write => PF_W,
            Access::Execute => PF_X,
        };
        program_headers().iter().any(|header| {
            let start = header.address & !(PAGE_SIZE - 1);
            let end = (header.address + header.size).next_multiple_of(PAGE_SIZE);
            header.kind == PT_LOAD && (start..end).contains(&address) && header.flags & wanted != 0
        })
    }

    fn program_headers() -> &'static [ProgramHeader] {
        let header = IMAGE_BASE as *const Header;
        // SAFETY: the linker puts the ELF header at the image's base, in measured pages that nobody can write.
        let offset = unsafe { (*header).program_headers };
        // SAFETY: as above.
        let count = unsafe { (*header).program_header_count };
        let first = (IMAGE_BASE + offset) as *const ProgramHeader;
        // SAFETY: the table lies in the same segment.
        unsafe { core::slice::from_raw_parts(first, count.into()) }
    }
}

/// Unit tests on the host link without an enclave's image.
#[cfg(not(feature = "image"))]
mod image {
    pub(super) fn is_present(_: u64, _: crate::user::Access) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_its_stacks_and_areas_but_no_guards_and_no_tcs() {
        set_threads(2);
        let slot = Slot::new(1).unwrap();
        for address in [
            slot.stack(),
            slot.stack() + STACK_SIZE - 1,
            slot.exception_stack(),
            slot.gs() + 8,
            slot.ssa(),
            slot.ssa() + PAGE_SIZE,
        ] {
            assert!(is_present(address, Access::Read), "{address:#x}");
            assert!(is_present(address, Access::Write), "{address:#x}");
            assert!(!is_present(address, Access::Execute), "{address:#x}");
        }
        let absent = [
            slot.stack() - 1,
            slot.stack() + STACK_SIZE,
            slot.tcs(),
            slot.tcs() + PAGE_SIZE,
            Slot::new(2).unwrap().stack(),
            HEAP_START,
            HEAP_START - 1,
        ];
        for address in absent {
            assert!(!is_present(address, Access::Read), "{address:#x}");
        }
    }
}
