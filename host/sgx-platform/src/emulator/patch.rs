//! Turns the enclave's ENCLU sites into calls of the emulator, after the enclave has been measured.
//!
//! A trap costs some twelve microseconds, a call two nanoseconds. Sites are marked by the no-op behind the instruction
//! ([`ENCLU_SITE`]); any other ENCLU raises #UD and is served all the same.

use enclave_layout::{ENCLU_SITE, PAGE_SIZE, PageRange};
use sgx_arch::SecInfo;

use super::address_space::{AddressSpace, TRAMPOLINE};
use super::crossing;
use crate::PlatformError;

/// The page that sites call: a jump to the emulator, which lies farther away than a call reaches.
pub(super) fn write_trampoline(space: &AddressSpace) -> Result<(), PlatformError> {
    // jmp [rip + 0]
    let mut code = vec![0xff, 0x25, 0, 0, 0, 0];
    code.extend(crossing::enclu().to_le_bytes());
    space.write_trampoline(&code)
}

/// Patches the sites in executable pages, which have the given permissions. Returns how many.
pub(super) fn sites(space: &AddressSpace, code: PageRange, permissions: u64) -> Result<usize, PlatformError> {
    let unmappable = |_| PlatformError::Page(code.start(), "cannot be patched: the host has no memory");
    // Through a window that stays in the cache; windows overlap by what is less than a site.
    let mut window = [0; 64 * 1024];
    let overlap = ENCLU_SITE.len() as u64 - 1;
    let mut calls = Vec::new();
    for start in (code.start()..code.end()).step_by(window.len() - overlap as usize) {
        let len = (code.end() - start).min(window.len() as u64);
        let bytes = &mut window[..len as usize];
        space.read(start, bytes);
        let sites = memchr::memmem::find_iter(bytes, &ENCLU_SITE).map(|at| start + at as u64);
        calls.extend(sites.filter_map(|site| Some((site, call(site)?))));
    }
    // Only the pages that hold sites become private copies.
    for (site, call) in &calls {
        let page = site & !(PAGE_SIZE - 1);
        let pages = if site + call.len() as u64 > page + PAGE_SIZE {
            2
        } else {
            1
        };
        let range = PageRange::new(page, pages * PAGE_SIZE).expect("within the code's pages");
        space
            .protect(range, SecInfo::R | SecInfo::W)
            .map_err(unmappable)?;
        space.write(*site, call);
        space.protect(range, permissions).map_err(unmappable)?;
    }
    Ok(calls.len())
}

/// The call at `site`, if it can reach.
fn call(site: u64) -> Option<[u8; 5]> {
    let distance = i32::try_from(TRAMPOLINE.checked_sub(site + ENCLU_SITE.len() as u64)?).ok()?;
    let [a, b, c, d] = distance.to_le_bytes();
    Some([0xe8, a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_within_two_gibibytes_are_reached() {
        assert_eq!(call(TRAMPOLINE - 5), Some([0xe8, 0, 0, 0, 0]));
        assert_eq!(call(TRAMPOLINE - 4), None);
        assert!(call(enclave_layout::IMAGE_BASE).is_some());
        assert_eq!(call(0x1_0000), None);
    }
}
