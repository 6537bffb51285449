//! close, close_range.

use kobject::{Errno, Result};
use linux_abi::CloseRangeFlags;

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
    let (first, last, flags): (_, _, CloseRangeFlags) = (call.fd(0), call.fd(1), call.flags(2)?);
    if first > last {
        return Err(Errno::EINVAL);
    }
    let process = &call.thread.process;
    match flags.contains(CloseRangeFlags::CLOSE_RANGE_CLOEXEC) {
        true => process.descriptors.lock().close_range_on_exec(first, last),
        false => process.close_descriptors(first, last),
    }
    Ok(0)
}
