//! exit, exit_group, wait4, waitid.

use kobject::{Errno, Result};

use super::Call;
use super::table::{Restart, Row};
use crate::process::exit::{self, Status};

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::full(60, "exit", sys_exit, "d"),
    Row::full(231, "exit_group", sys_exit_group, "d"),
    Row::partial(
        61,
        "wait4",
        sys_wait4,
        "dxxx",
        "there are no children yet: ECHILD",
    )
    .restarts(Restart::WithFlag),
    Row::partial(
        247,
        "waitid",
        sys_wait4,
        "ddxx",
        "there are no children yet: ECHILD",
    )
    .restarts(Restart::WithFlag),
];

pub(super) fn sys_exit(call: &mut Call<'_>) -> Result<u64> {
    exit::thread(call.thread, call.args[0] as u8)
}

pub(super) fn sys_exit_group(call: &mut Call<'_>) -> Result<u64> {
    exit::process(call.thread, Status::exited(call.args[0] as u8))
}

/// There are no children as long as there is no fork.
pub(super) fn sys_wait4(_: &mut Call<'_>) -> Result<u64> {
    Err(Errno::ECHILD)
}
