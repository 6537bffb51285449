//! mseal.

use kobject::{Errno, Result};

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(462, "mseal", sys_mseal, "xlx")];

fn sys_mseal(call: &mut Call<'_>) -> Result<u64> {
    let (address, len, flags) = (call.pointer(0), call.ulong(1), call.ulong(2));
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    call.thread.process.space().seal(address, len)?;
    Ok(0)
}
