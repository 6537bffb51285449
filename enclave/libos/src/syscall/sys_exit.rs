//! exit, exit_group.

use kobject::Result;

use super::Call;
use super::table::Row;
use crate::process::exit;
use crate::process::exit::Status;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(60, "exit", sys_exit, "d"),
    Row::full(231, "exit_group", sys_exit_group, "d"),
];

fn sys_exit(call: &mut Call<'_>) -> Result<u64> {
    exit::thread(call.thread, call.int(0) as u8)
}

fn sys_exit_group(call: &mut Call<'_>) -> Result<u64> {
    exit::process(call.thread, Status::exited(call.int(0) as u8))
}
