//! eventfd, eventfd2.

use kobject::Result;
use libos_io::EventFd;
use linux_abi::EventFdFlags;

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
    make_eventfd(call, call.uint(1))
}

fn make_eventfd(call: &Call<'_>, raw: u32) -> Result<u64> {
    let semaphore = EventFdFlags::EFD_SEMAPHORE.bits();
    let (flags, on_exec) = flags(raw, semaphore)?;
    let mode = if raw & semaphore != 0 {
        libos_io::EventMode::Semaphore
    } else {
        libos_io::EventMode::Counter
    };
    let fd = add(
        &call.thread.process,
        EventFd::new(call.uint(0), mode),
        flags,
        on_exec,
    )?;
    Ok(fd.into())
}
