//! mincore.

use kobject::Result;

use super::Call;
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(27, "mincore", sys_mincore, "xlx")];

fn sys_mincore(call: &mut Call<'_>) -> Result<u64> {
    let (address, len, out) = (call.pointer(0), call.ulong(1), call.pointer(2));
    if len == 0 {
        return Ok(0);
    }
    user::put_bytes(out, &call.thread.process.space().residency(address, len)?)?;
    Ok(0)
}
