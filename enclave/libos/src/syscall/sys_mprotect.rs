//! mprotect.

use host_abi::Protection;
use kobject::{Errno, Result};
use linux_abi::ProtectionFlags;

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(10, "mprotect", sys_mprotect, "xlx")];

/// What the host is asked for: PROT_GROWSDOWN, PROT_GROWSUP and PROT_SEM mean nothing here.
pub(super) fn protection(flags: ProtectionFlags) -> Result<Protection> {
    let access = flags & ProtectionFlags::ACCESS;
    Protection::from_bits(access.bits().into()).ok_or(Errno::EINVAL)
}

fn sys_mprotect(call: &mut Call<'_>) -> Result<u64> {
    let (address, len, prot) = (call.pointer(0), call.ulong(1), call.ulong(2));
    let prot = u32::try_from(prot).ok().and_then(ProtectionFlags::from_bits);
    let prot = prot.ok_or(Errno::EINVAL)?;
    call.thread
        .process
        .space()
        .protect(address, len, protection(prot)?)?;
    Ok(0)
}
