//! close, close_range.

use kobject::{Errno, Result};
use linux_abi::CloseRangeFlags;

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(3, "close", sys_close, "d"),
    Row::partial(
        436,
        "close_range",
        sys_close_range,
        "ddx",
        "CLOSE_RANGE_UNSHARE is EINVAL in a process with several threads: they share one table",
    ),
];

fn sys_close(call: &mut Call<'_>) -> Result<u64> {
    let process = &call.thread.process;
    let closed = process.take_descriptor(call.fd(0))?;
    process.forget_file(&closed);
    Ok(0)
}

fn sys_close_range(call: &mut Call<'_>) -> Result<u64> {
    let (first, last, flags): (_, _, CloseRangeFlags) = (call.fd(0), call.fd(1), call.flags(2)?);
    if first > last {
        return Err(Errno::EINVAL);
    }
    let process = &call.thread.process;
    if flags.contains(CloseRangeFlags::CLOSE_RANGE_UNSHARE) {
        // A thread has the table of its process, and the other threads would lose what it closes.
        if process.threads().len() > 1 {
            return Err(Errno::EINVAL);
        }
        process.descriptors.unshare();
    }
    match flags.contains(CloseRangeFlags::CLOSE_RANGE_CLOEXEC) {
        true => process
            .descriptors
            .with(|table| table.close_range_on_exec(first, last)),
        false => process.close_descriptors(first, last),
    }
    Ok(0)
}
