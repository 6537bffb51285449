//! The numbers of a process and of its threads: getpid, gettid, getppid, set_tid_address.

use core::sync::atomic::Ordering;

use kobject::Result;

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(39, "getpid", sys_getpid, ""),
    Row::full(186, "gettid", sys_gettid, ""),
    Row::full(110, "getppid", sys_getppid, ""),
    Row::full(218, "set_tid_address", sys_set_tid_address, "x"),
];

fn sys_getpid(call: &mut Call<'_>) -> Result<u64> {
    Ok(call.thread.process.pid.into())
}

fn sys_gettid(call: &mut Call<'_>) -> Result<u64> {
    Ok(call.thread.tid.into())
}

fn sys_getppid(call: &mut Call<'_>) -> Result<u64> {
    Ok(call.thread.process.parent().into())
}

fn sys_set_tid_address(call: &mut Call<'_>) -> Result<u64> {
    call.thread.clear_tid.store(call.pointer(0), Ordering::Relaxed);
    Ok(call.thread.tid.into())
}
