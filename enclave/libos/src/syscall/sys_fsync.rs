//! fsync, fdatasync, syncfs, sync_file_range, sync.

use kobject::{Errno, Result};
use linux_abi::OpenFlags;

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(74, "fsync", sys_fsync, "d"),
    Row::full(75, "fdatasync", sys_fsync, "d"),
    Row::full(306, "syncfs", sys_syncfs, "d"),
    Row::full(277, "sync_file_range", sys_syncfs, "dllx"),
    Row::full(162, "sync", sys_sync, ""),
];

fn sys_fsync(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.fd(0))?;
    if file.flags().contains(OpenFlags::O_PATH) {
        return Err(Errno::EBADF);
    }
    file.object().sync()?;
    Ok(0)
}

fn sys_syncfs(call: &mut Call<'_>) -> Result<u64> {
    call.file(call.fd(0))?;
    Ok(0)
}

fn sys_sync(_: &mut Call<'_>) -> Result<u64> {
    crate::container().sync();
    Ok(0)
}
