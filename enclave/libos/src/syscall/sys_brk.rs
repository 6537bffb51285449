//! brk.

use kobject::Result;

use super::Call;
use super::table::Row;
use crate::memory_limit;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(12, "brk", sys_brk, "x")];

fn sys_brk(call: &mut Call<'_>) -> Result<u64> {
    let asked = call.pointer(0);
    let end = call.thread.process.space().set_break(asked);
    if end < asked {
        memory_limit::say_if_used_up(call.thread, asked - end);
    }
    Ok(end)
}
