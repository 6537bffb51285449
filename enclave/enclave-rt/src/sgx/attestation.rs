//! What the processor says of the enclave (EREPORT), and the keys that it derives for it (EGETKEY).
//!
//! Both take structures from memory that may come from a program or the host; one that the processor does not take raises #GP,
//! which the exception handler turns into [`Refused`] here. So nothing has to be guessed about which bits a processor reserves.

use core::arch::global_asm;

use sgx_arch::{Enclu, KeyRequest, Malformed, Report, ReportBody, TargetInfo};

use crate::frame::Exception;

/// The processor does not take an operand (#GP), or not the enclave's wish (EGETKEY's error code).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// A key of the enclave's. It is overwritten when it goes.
#[repr(C, align(16))]
pub struct Key([u8; KeyRequest::KEY_SIZE]);

impl Key {
    /// A key with these bytes.
    pub const fn new(bytes: [u8; KeyRequest::KEY_SIZE]) -> Self {
        Self(bytes)
    }

    /// The secret itself.
    pub const fn bytes(&self) -> &[u8; KeyRequest::KEY_SIZE] {
        &self.0
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites a secret that nobody is going to read any more.
pub fn wipe(secret: &mut [u8]) {
    for byte in secret {
        // SAFETY: our own byte; volatile, so that the compiler does not leave it out.
        unsafe { core::ptr::from_mut(byte).write_volatile(0) };
    }
}

/// A structure where the processor wants it.
#[repr(C, align(512))]
struct Operand<const N: usize>([u8; N]);

const _: () = assert!(align_of::<Operand<{ TargetInfo::SIZE }>>() >= TargetInfo::SIZE);
const _: () = assert!(align_of::<Operand<{ KeyRequest::SIZE }>>() >= KeyRequest::SIZE);
const _: () = assert!(align_of::<Operand<{ Report::SIZE }>>() >= Report::ALIGNMENT);
const _: () = assert!(align_of::<Operand<{ ReportBody::DATA_SIZE }>>() >= ReportBody::DATA_ALIGNMENT);
const _: () = assert!(align_of::<Key>() >= KeyRequest::KEY_SIZE);

/// EREPORT: the REPORT of this enclave for the one that `target` (a TARGETINFO) names.
pub fn report(
    target: &[u8; TargetInfo::SIZE],
    data: &[u8; ReportBody::DATA_SIZE],
) -> Result<[u8; Report::SIZE], Refused> {
    let (target, data) = (Operand(*target), Operand(*data));
    let mut report = Operand([0; Report::SIZE]);
    let operands = [
        &raw const target as u64,
        &raw const data as u64,
        &raw mut report as u64,
    ];
    // SAFETY: RBX and RCX are read, RDX is written: each a structure of the leaf's size and alignment on this stack.
    match unsafe { enclu(Enclu::EReport, operands) } {
        REFUSED => Err(Refused),
        _ => Ok(report.0),
    }
}

/// What this enclave is, as the processor says. The report is for nobody, so its MAC means nothing.
pub fn own_body() -> Result<ReportBody, Malformed> {
    let nobody = [0; TargetInfo::SIZE];
    let report = report(&nobody, &[0; ReportBody::DATA_SIZE]);
    let report = report.map_err(|Refused| Malformed("the processor makes no report"))?;
    Ok(Report::from_bytes(&report)?.body)
}

/// EGETKEY.
pub fn key(request: &KeyRequest) -> Result<Key, Refused> {
    let request = Operand(request.to_bytes());
    let mut key = Key::new([0; KeyRequest::KEY_SIZE]);
    let operands = [&raw const request as u64, &raw mut key as u64, 0];
    // SAFETY: RBX is read, RCX is written: each a structure of the leaf's size and alignment on this stack.
    match unsafe { enclu(Enclu::EGetKey, operands) } {
        0 => Ok(key),
        _ => Err(Refused),
    }
}

/// What a leaf that raised #GP gives. No leaf leaves it in RAX: error codes are small, and so is a leaf's number.
const REFUSED: u64 = u64::MAX;

// extern "C" fn(leaf, rbx, rcx, rdx) -> rax. An exception at the instruction goes on at `nacre_enclu_refused`.
global_asm!(
    r#"
.globl nacre_enclu_refusable
.globl nacre_enclu_refusable_site
.globl nacre_enclu_refused
nacre_enclu_refusable:
    push rbx
    mov rax, rdi
    mov rbx, rsi
    xchg rcx, rdx
nacre_enclu_refusable_site:
    enclu
    .byte 0x66, 0x90
    pop rbx
    ret
nacre_enclu_refused:
    mov rax, -1
    pop rbx
    ret
"#
);

unsafe extern "C" {
    fn nacre_enclu_refusable(leaf: u64, rbx: u64, rcx: u64, rdx: u64) -> u64;
    fn nacre_enclu_refusable_site();
    fn nacre_enclu_refused();
}

/// # Safety
/// The operands (RBX, RCX, RDX) are valid memory where the leaf reads or writes.
unsafe fn enclu(leaf: Enclu, [rbx, rcx, rdx]: [u64; 3]) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { nacre_enclu_refusable(leaf as u64, rbx, rcx, rdx) }
}

/// Where a thread goes on whose leaf the processor has refused.
pub(crate) fn fixup(rip: u64, exception: Exception) -> Option<u64> {
    let is_ours = rip == nacre_enclu_refusable_site as *const () as u64;
    let is_refusal = exception.vector == Exception::GENERAL_PROTECTION;
    (is_ours && is_refusal).then_some(nacre_enclu_refused as *const () as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_overwritten_when_it_goes() {
        let mut key = core::mem::MaybeUninit::new(Key::new([7; 16]));
        // SAFETY: a key, which is not used as one after this.
        unsafe { key.assume_init_drop() };
        // SAFETY: bytes that were initialised before, and any are good.
        let left = unsafe { key.as_ptr().cast::<[u8; 16]>().read_volatile() };
        assert_eq!(left, [0; 16]);
    }
}
