//! sysinfo.

use kobject::Result;
use kobject::clock::SECOND;

use super::Call;
use super::table::Row;
use crate::process::table;
use crate::uapi::Sysinfo;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(99, "sysinfo", sys_sysinfo, "x", "no load averages")];

fn sys_sysinfo(call: &mut Call<'_>) -> Result<u64> {
    let total = crate::container().memory;
    let used = call.thread.process.space().size().1;
    let info = Sysinfo {
        uptime: (table::uptime() / SECOND) as i64,
        loads: [0; 3],
        total_ram: total,
        free_ram: total.saturating_sub(used),
        shared_ram: 0,
        buffer_ram: 0,
        total_swap: 0,
        free_swap: 0,
        processes: table::processes().len() as u16,
        pad: 0,
        pad2: 0,
        total_high: 0,
        free_high: 0,
        unit: 1,
        _end: 0,
    };
    user::put(call.pointer(0), &info)?;
    Ok(0)
}
