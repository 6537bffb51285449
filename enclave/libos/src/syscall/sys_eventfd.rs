//! eventfd, eventfd2.

use kobject::Result;
use libos_io::EventFd;

use super::Call;
use super::new_descriptor::{add, flags};
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(284, "eventfd", sys_eventfd, "d"),
    Row::full(290, "eventfd2", sys_eventfd2, "dx"),
];

fn sys_eventfd(call: &mut Call<'_>) -> Result<u64> {
    make_eventfd(call, 0)
}

fn sys_eventfd2(call: &mut Call<'_>) -> Result<u64> {
    make_eventfd(call, call.args[1])
}

fn make_eventfd(call: &Call<'_>, raw: u64) -> Result<u64> {
    const SEMAPHORE: u64 = 1;
    let (flags, on_exec) = flags(raw, SEMAPHORE)?;
    let mode = if raw & SEMAPHORE != 0 {
        libos_io::EventMode::Semaphore
    } else {
        libos_io::EventMode::Counter
    };
    add(
        &call.thread.process,
        EventFd::new(call.args[0] as u32, mode),
        flags,
        on_exec,
    )
}
