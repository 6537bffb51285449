//! The enclave's pages: asked for from the host, accepted by the enclave (SGX2).
//!
//! The host cannot slip a page in or keep one: EACCEPT fails unless the EPCM says what was agreed, and a page that
//! cannot be accepted ends the enclave.

use alloc::boxed::Box;
use core::ops::{Deref, DerefMut};

use enclave_layout::{HEAP_END, HEAP_START, PAGE_SIZE, USER_END, USER_START};
use host_abi::{Acceptance, Commit, Errno, PageRange, Protect, Protection, Remove, Trim};
use sgx_arch::{Enclu, PageType, SecInfo};

use crate::call;
use crate::entry;

/// SECINFO where the processor wants it.
#[repr(C, align(64))]
struct Operand([u8; SecInfo::SIZE]);

const _: () = assert!(align_of::<Operand>() >= SecInfo::SIZE);

/// A regular page with this protection, in the given state.
fn regular(protection: Protection, state: u64) -> SecInfo {
    SecInfo::new(PageType::Reg, u64::from(protection.bits()) | state)
}

/// Whole pages of the LibOS's own memory, zeros at first: what pages of programs are filled from.
pub struct PageBuffer(Box<[Page]>);

#[repr(C, align(4096))]
struct Page([u8; PAGE_SIZE as usize]);

impl PageBuffer {
    /// One of at least `len` bytes.
    pub fn new(len: u64) -> Self {
        let pages = Box::new_zeroed_slice(len.div_ceil(PAGE_SIZE) as usize);
        // SAFETY: zeros are a valid page.
        Self(unsafe { pages.assume_init() })
    }
}

impl Deref for PageBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: pages are bytes without padding, and follow each other.
        unsafe { core::slice::from_raw_parts(self.0.as_ptr().cast(), size_of_val(&*self.0)) }
    }
}

impl DerefMut for PageBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and any bytes are a valid page.
        unsafe { core::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), size_of_val(&*self.0)) }
    }
}

/// Adds zeroed, readable and writable pages. ENOMEM if the host has none.
///
/// # Panics
/// If the host adds something else.
pub fn commit(range: PageRange) -> Result<(), Errno> {
    check(range);
    add(range, Acceptance::Zeros)?;
    accept(range, regular(Protection::READ_WRITE, SecInfo::PENDING));
    Ok(())
}

/// Adds pages that hold the first bytes of `content` and allow what `protection` says. No thread sees them before.
///
/// # Panics
/// If the host adds something else, or `content` is shorter than the range.
pub fn commit_copy(range: PageRange, content: &PageBuffer, protection: Protection) -> Result<(), Errno> {
    check(range);
    assert!(range.len() as usize <= content.len(), "content for each page");
    add(range, Acceptance::Copies)?;
    let info = Operand(regular(protection, 0).to_bytes());
    let sources = content.chunks_exact(PAGE_SIZE as usize);
    for (page, source) in range.pages().zip(sources) {
        let (info, source) = (&raw const info as u64, source.as_ptr() as u64);
        // SAFETY: RBX is a SECINFO, RCX a page of the programs' or of unused heap, RDX a page of the LibOS's that can be read.
        let error = unsafe { entry::enclu(Enclu::EAcceptCopy as u64, info, page, source) };
        assert!(
            error == 0,
            "the host added page {page:#x} otherwise (error {error})"
        );
    }
    // The caller knows of no pages then.
    restrict(range, protection).inspect_err(|_| decommit(range))
}

fn add(range: PageRange, acceptance: Acceptance) -> Result<(), Errno> {
    call::call(&Commit { range, acceptance }).map_err(|_| Errno::ENOMEM)
}

/// Changes what committed pages allow. ENOMEM if the host refuses.
///
/// # Panics
/// If the host does something else.
pub fn protect(range: PageRange, protection: Protection) -> Result<(), Errno> {
    check(range);
    leaf(Enclu::EModPe, range, regular(protection, 0));
    restrict(range, protection)
}

/// Lets the host set its page tables, and take away what the EPCM allows beyond `protection`.
fn restrict(range: PageRange, protection: Protection) -> Result<(), Errno> {
    call::call(&Protect { range, protection }).map_err(|_| Errno::ENOMEM)?;
    accept(range, regular(protection, SecInfo::PR));
    Ok(())
}

/// Takes pages away: they read as nothing until they are committed again, then as zeros.
///
/// # Panics
/// If the host does not play along: the pages may not stay half gone.
pub fn decommit(range: PageRange) {
    check(range);
    call::call(&Trim { range }).expect("the host trims pages");
    accept(range, SecInfo::new(PageType::Trim, SecInfo::MODIFIED));
    call::call(&Remove { range }).expect("the host removes trimmed pages");
}

/// Only programs' memory and the heap are dynamic: the LibOS's own image and stacks are not in reach.
fn check(range: PageRange) {
    let user = range.start() >= USER_START && range.end() <= USER_END;
    let heap = range.start() >= HEAP_START && range.end() <= HEAP_END;
    assert!(user || heap, "pages outside of what is dynamic");
}

fn accept(range: PageRange, expected: SecInfo) {
    leaf(Enclu::EAccept, range, expected);
}

fn leaf(leaf: Enclu, range: PageRange, info: SecInfo) {
    let info = Operand(info.to_bytes());
    for page in range.pages() {
        // SAFETY: RBX is a SECINFO, RCX a page of the enclave that is programs' memory or unused heap.
        let error = unsafe { entry::enclu(leaf as u64, &raw const info as u64, page, 0) };
        // EMODPE leaves RAX alone: it is still the leaf's number.
        assert!(
            error == 0 || leaf == Enclu::EModPe,
            "the host changed page {page:#x} otherwise (error {error})"
        );
    }
}
