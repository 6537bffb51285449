//! brk.

use kobject::Result;

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(12, "brk", sys_brk, "x")];

fn sys_brk(call: &mut Call<'_>) -> Result<u64> {
    Ok(call.thread.process.space().set_break(call.pointer(0)))
}
