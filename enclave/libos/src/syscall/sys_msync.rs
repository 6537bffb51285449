//! msync.

use enclave_layout::PAGE_SIZE;
use kobject::{Errno, Result};
use linux_abi::SyncFlags;

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(26, "msync", sys_msync, "xlx")];

fn sys_msync(call: &mut Call<'_>) -> Result<u64> {
    let (address, len, flags) = (call.pointer(0), call.ulong(1), call.uint(2));
    let flags = SyncFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    if !address.is_multiple_of(PAGE_SIZE) || flags.contains(SyncFlags::MS_ASYNC | SyncFlags::MS_SYNC) {
        return Err(Errno::EINVAL);
    }
    // As on Linux, a length that wraps when it is rounded to pages is none.
    let len = len.checked_next_multiple_of(PAGE_SIZE).unwrap_or(0);
    let space = call.thread.process.space();
    if flags.contains(SyncFlags::MS_INVALIDATE) && space.is_locked(address, len) {
        return Err(Errno::EBUSY);
    }
    space.check_mapped(address, len)?;
    Ok(0)
}
