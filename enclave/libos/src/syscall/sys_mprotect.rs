//! mprotect.

use host_abi::Protection;
use kobject::{Errno, Result};

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(10, "mprotect", sys_mprotect, "xdx")];

const PROT_MASK: u64 = 7;

/// PROT_GROWSDOWN, PROT_GROWSUP and PROT_SEM mean nothing here.
pub(super) const PROT_KNOWN: u64 = PROT_MASK | 0x0300_0000 | 8;

pub(super) fn protection(bits: u64) -> Result<Protection> {
    if bits & !PROT_KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    Protection::from_bits(bits & PROT_MASK).ok_or(Errno::EINVAL)
}

fn sys_mprotect(call: &mut Call<'_>) -> Result<u64> {
    let (address, len, prot) = (call.pointer(0), call.ulong(1), call.ulong(2));
    call.thread
        .process
        .space
        .protect(address, len, protection(prot)?)?;
    Ok(0)
}
