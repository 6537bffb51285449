//! The programs' memory: copied from and to, with faults as errors.
//!
//! Addresses come from programs, so they may be anything: a range outside the programs' part of the enclave is a
//! [`Fault`] at once, and an access to a page that is not there, or does not allow it, is caught by the exception handler,
//! which sends the thread to the copy routine's failure path. Programs run on while the LibOS copies, so no Rust
//! reference into their memory ever exists. What the host does to the page tables makes no copy fail (`sgx/exception.rs`), and a fault
//! at the host's side of a copy ends the enclave: the host must not choose which calls fail.
//!
//! A page that is only promised (a large mapping that nobody has touched) is populated when the LibOS meets it
//! first, through [`crate::handlers::Kernel::populate`]: callers must not hold a lock that population takes.

use core::arch::global_asm;
use core::sync::atomic::Ordering;

use enclave_layout::{USER_END, USER_START};

use crate::area::ThreadArea;
use crate::frame::Exception;
use crate::handlers;
use crate::host_copy;
use crate::untrusted::HostMemory;

/// An address that a program named, in its memory or not.
pub type Address = u64;

/// A program's memory cannot be used as asked: EFAULT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault;

impl From<Fault> for host_abi::Errno {
    fn from(_: Fault) -> Self {
        Self::EFAULT
    }
}

/// How memory is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Read,
    /// Written.
    Write,
    /// Executed.
    Execute,
}

/// Copies from a program's memory.
pub fn read(from: Address, out: &mut [u8]) -> Result<(), Fault> {
    check(from, out.len())?;
    retrying(|| {
        // SAFETY: the destination is exclusively ours, the source is programs' memory, checked above.
        unsafe { nacre_user_copy(out.as_mut_ptr() as u64, from, out.len()) }
    })
}

/// Copies to a program's memory.
pub fn write(to: Address, bytes: &[u8]) -> Result<(), Fault> {
    check(to, bytes.len())?;
    retrying(|| {
        // SAFETY: the destination is programs' memory, checked above.
        unsafe { nacre_user_copy(to, bytes.as_ptr() as u64, bytes.len()) }
    })
}

/// Fills a program's memory with zeros.
pub fn zero(to: Address, len: usize) -> Result<(), Fault> {
    check(to, len)?;
    retrying(|| {
        // SAFETY: the destination is programs' memory, checked above.
        unsafe { nacre_user_zero(to, len) }
    })
}

/// Copies from the host's memory straight to a program's.
///
/// # Panics
/// If `from` is shorter than `len`.
pub fn write_untrusted(to: Address, from: HostMemory, len: usize) -> Result<(), Fault> {
    check(to, len)?;
    let from = from.part(0, len);
    retrying(|| {
        // SAFETY: from host memory to programs' memory, both checked.
        unsafe { host_copy::read(to, from.address(), len) }
    })
}

/// Copies from a program's memory straight to the host's.
///
/// # Panics
/// If `to` is shorter than `len`.
pub fn read_untrusted(from: Address, to: HostMemory, len: usize) -> Result<(), Fault> {
    check(from, len)?;
    let to = to.part(0, len);
    retrying(|| {
        // SAFETY: from programs' memory to host memory, both checked.
        unsafe { host_copy::write(to.address(), from, len) }
    })
}

/// Copies within the programs' memory (from one mapping to another; the two do not overlap).
pub fn copy(to: Address, from: Address, len: usize) -> Result<(), Fault> {
    check(to, len)?;
    check(from, len)?;
    // Either side may have to be populated; the exception tells which it was.
    retrying(|| {
        // SAFETY: both are programs' memory, checked above.
        unsafe { nacre_user_copy(to, from, len) }
    })
}

/// Reads an aligned 32-bit word at once.
pub fn load(at: Address) -> Result<u32, Fault> {
    check_word(at)?;
    let mut value = 0u32;
    retrying(|| {
        // SAFETY: an aligned word of programs' memory, and a word of ours.
        unsafe { nacre_user_load(at, &raw mut value) }
    })?;
    Ok(value)
}

/// Writes an aligned 32-bit word at once.
pub fn store(at: Address, value: u32) -> Result<(), Fault> {
    check_word(at)?;
    retrying(|| {
        // SAFETY: an aligned word of programs' memory.
        unsafe { nacre_user_store(at, value) }
    })
}

/// Replaces an aligned 32-bit word by `new` if it is `expected`; gives what it was.
pub fn compare_exchange(at: Address, expected: u32, new: u32) -> Result<u32, Fault> {
    check_word(at)?;
    let mut value = expected;
    retrying(|| {
        // SAFETY: an aligned word of programs' memory, and a word of ours.
        unsafe { nacre_user_compare_exchange(at, &raw mut value, new) }
    })?;
    Ok(value)
}

/// Whether a program may name this range at all.
pub fn check(address: Address, len: usize) -> Result<(), Fault> {
    let end = address.checked_add(len as u64).ok_or(Fault)?;
    if len == 0 || (address >= USER_START && end <= USER_END) {
        Ok(())
    } else {
        Err(Fault)
    }
}

fn check_word(at: Address) -> Result<(), Fault> {
    if at.is_multiple_of(4) {
        check(at, 4)
    } else {
        Err(Fault)
    }
}

/// Runs a routine that gives 0 when done and 1 when it faulted; populates what it met, and runs it again. Another thread may take
/// away again what was populated, so the same address may come more than once.
fn retrying(mut routine: impl FnMut() -> u64) -> Result<(), Fault> {
    while routine() != 0 {
        let area = ThreadArea::current();
        let fault = Exception {
            vector: Exception::PAGE_FAULT,
            error: area.fault_error.load(Ordering::Relaxed),
            address: area.fault_address.load(Ordering::Relaxed),
        };
        if !handlers::kernel().populate(fault.address, fault.access()) {
            return Err(Fault);
        }
    }
    Ok(())
}

// Each routine gives 0 in rax; a fault between its label and `nacre_user_end` goes on at `nacre_user_failed`.
// None of them touches the stack, so the return address is still on top. Few bytes are loaded and stored in pieces that
// may overlap: starting a string instruction costs more than they do.
global_asm!(
    r#"
.globl nacre_user_copy
.globl nacre_user_copy_words
.globl nacre_user_zero
.globl nacre_user_load
.globl nacre_user_store
.globl nacre_user_compare_exchange
.globl nacre_user_end
nacre_user_copy:
    mov rcx, rdx
    cmp rdx, 64
    ja 3f
    cmp edx, 16
    jae 2f
    cmp edx, 8
    jb 5f
    mov rax, [rsi]
    mov r8, [rsi + rdx - 8]
    mov [rdi], rax
    mov [rdi + rdx - 8], r8
    xor eax, eax
    ret
2:  movups xmm0, [rsi]
    movups xmm3, [rsi + rdx - 16]
    cmp edx, 32
    jbe 4f
    movups xmm1, [rsi + 16]
    movups xmm2, [rsi + rdx - 32]
    movups [rdi + 16], xmm1
    movups [rdi + rdx - 32], xmm2
4:  movups [rdi], xmm0
    movups [rdi + rdx - 16], xmm3
    xor eax, eax
    ret
5:  cmp edx, 4
    jb 6f
    mov eax, [rsi]
    mov r8d, [rsi + rdx - 4]
    mov [rdi], eax
    mov [rdi + rdx - 4], r8d
    xor eax, eax
    ret
6:  test edx, edx
    jz 7f
    shr ecx, 1
    movzx eax, byte ptr [rsi]
    movzx r8d, byte ptr [rsi + rcx]
    movzx r9d, byte ptr [rsi + rdx - 1]
    mov [rdi], al
    mov [rdi + rcx], r8b
    mov [rdi + rdx - 1], r9b
7:  xor eax, eax
    ret
3:  rep movsb
    xor eax, eax
    ret
nacre_user_copy_words:
    mov rcx, rdx
    cmp rdx, 16
    ja 3f
    jmp 2f
1:  mov rax, [rsi + rcx * 8]
    mov [rdi + rcx * 8], rax
2:  dec rcx
    jns 1b
    xor eax, eax
    ret
3:  rep movsq
    xor eax, eax
    ret
nacre_user_zero:
    xor eax, eax
    mov rcx, rsi
    cmp rsi, 16
    ja 3f
    cmp esi, 8
    jb 5f
    mov [rdi], rax
    mov [rdi + rsi - 8], rax
    ret
5:  cmp esi, 4
    jb 6f
    mov [rdi], eax
    mov [rdi + rsi - 4], eax
    ret
6:  test esi, esi
    jz 7f
    shr ecx, 1
    mov [rdi], al
    mov [rdi + rcx], al
    mov [rdi + rsi - 1], al
7:  ret
3:  rep stosb
    ret
nacre_user_load:
    mov eax, [rdi]
    mov [rsi], eax
    xor eax, eax
    ret
nacre_user_store:
    xchg [rdi], esi
    xor eax, eax
    ret
nacre_user_compare_exchange:
    mov eax, [rsi]
    lock cmpxchg [rdi], edx
    mov [rsi], eax
    xor eax, eax
    ret
nacre_user_end:
nacre_user_failed:
    mov eax, 1
    ret
"#
);

unsafe extern "C" {
    fn nacre_user_copy(to: u64, from: u64, len: usize) -> u64;
    fn nacre_user_copy_words(to: u64, from: u64, words: usize) -> u64;
    fn nacre_user_zero(to: u64, len: usize) -> u64;
    fn nacre_user_load(at: u64, out: *mut u32) -> u64;
    fn nacre_user_store(at: u64, value: u32) -> u64;
    fn nacre_user_compare_exchange(at: u64, expected_then_found: *mut u32, new: u32) -> u64;
    fn nacre_user_end();
}

/// Copies bytes between two places in the enclave, one of which may be a program's. 0, or 1 if that faulted.
///
/// # Safety
/// Both places are valid for `len` bytes, or a program's.
pub(crate) unsafe fn copy_bytes(to: u64, from: u64, len: usize) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { nacre_user_copy(to, from, len) }
}

/// As [`copy_bytes`], words of eight bytes, each by one instruction. Either place may be the host's.
///
/// # Safety
/// As [`copy_bytes`].
pub(crate) unsafe fn copy_words(to: u64, from: u64, words: usize) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { nacre_user_copy_words(to, from, words) }
}

/// Where a thread that met an exception in one of the routines goes on.
pub(crate) fn fixup(rip: u64, exception: Exception) -> Option<u64> {
    let start = nacre_user_copy as *const () as u64;
    let end = nacre_user_end as *const () as u64;
    let is_ours = (start..end).contains(&rip);
    let is_expected =
        exception.vector == Exception::PAGE_FAULT && (USER_START..USER_END).contains(&exception.address);
    (is_ours && is_expected).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_programs_part_can_be_named() {
        for (address, len) in [
            (0, 1),
            (USER_START - 1, 2),
            (USER_END - 1, 2),
            (u64::MAX, 1),
            (1 << 46, 1),
        ] {
            assert_eq!(check(address, len), Err(Fault), "{address:#x} {len}");
        }
        assert_eq!(check(USER_START, 1), Ok(()));
        assert_eq!(check(u64::MAX, 0), Ok(()));
        assert_eq!(check_word(USER_START + 2), Err(Fault));
    }

    #[test]
    fn every_length_is_copied_and_cleared_exactly() {
        const ROOM: usize = 80;
        let from: [u8; ROOM] = core::array::from_fn(|index| index as u8 + 1);
        for len in 0..=ROOM {
            let mut to = [0xee; ROOM + 2];
            // SAFETY: `len` bytes fit into both arrays, the second from its second byte on.
            let failed = unsafe { nacre_user_copy(to.as_mut_ptr() as u64 + 1, from.as_ptr() as u64, len) };
            assert_eq!((failed, to[0], to[len + 1]), (0, 0xee, 0xee), "{len}");
            assert_eq!(to[1..=len], from[..len], "{len}");
            // SAFETY: as above.
            let failed = unsafe { nacre_user_zero(to.as_mut_ptr() as u64 + 1, len) };
            assert_eq!((failed, to[0], to[len + 1]), (0, 0xee, 0xee), "{len}");
            assert!(to[1..=len].iter().all(|&byte| byte == 0), "{len}");
        }
    }
}
