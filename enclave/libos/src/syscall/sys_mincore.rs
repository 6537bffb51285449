//! mincore.

use enclave_layout::PAGE_SIZE;
use kobject::{Errno, Result};

use super::Call;
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(
    27,
    "mincore",
    sys_mincore,
    "xlx",
    "pages that were brought in ahead of their use count as resident",
)];

/// How much is looked at under one lock, in bytes.
const PART: u64 = 64 << 20;

fn sys_mincore(call: &mut Call<'_>) -> Result<u64> {
    let (address, len, out) = (call.pointer(0), call.ulong(1), call.pointer(2));
    if !address.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    let space = call.thread.process.space();
    space.check_mapped(address, len)?;
    // In parts: programs may have reserved terabytes.
    let mut done = 0;
    while done < len {
        let part = (len - done).min(PART);
        let residency = space.residency(address + done, part)?;
        let to = out.checked_add(done / PAGE_SIZE).ok_or(Errno::EFAULT)?;
        user::put_bytes(to, &residency)?;
        done += part;
    }
    Ok(0)
}
