//! close, close_range.

use kobject::{Errno, Result};

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(3, "close", sys_close, "d"),
    Row::full(436, "close_range", sys_close_range, "ddx"),
];

fn sys_close(call: &mut Call<'_>) -> Result<u64> {
    let process = &call.thread.process;
    let closed = process.take_descriptor(call.fd(0))?;
    libos_fs::release_records(&closed, process.pid);
    Ok(0)
}

fn sys_close_range(call: &mut Call<'_>) -> Result<u64> {
    const UNSHARE: u32 = 2;
    const CLOEXEC: u32 = 4;
    let (first, last, flags) = (call.fd(0), call.fd(1), call.uint(2));
    if flags & !(UNSHARE | CLOEXEC) != 0 || first > last {
        return Err(Errno::EINVAL);
    }
    let mut descriptors = call.thread.process.descriptors.lock();
    let closed = descriptors.remove_range(first, last, flags & CLOEXEC != 0);
    drop(descriptors);
    for file in &closed {
        libos_fs::release_records(file, call.thread.process.pid);
    }
    Ok(0)
}
