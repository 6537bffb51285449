//! fsync, fdatasync, syncfs, sync_file_range, sync.

use kobject::{Errno, FileKind, Result};
use linux_abi::SyncRangeFlags;

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(74, "fsync", sys_fsync, "d"),
    Row::full(75, "fdatasync", sys_fsync, "d"),
    Row::full(306, "syncfs", sys_syncfs, "d"),
    Row::full(277, "sync_file_range", sys_sync_file_range, "dllx"),
    Row::full(162, "sync", sys_sync, ""),
];

fn sys_fsync(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.fd(0))?;
    file.object().sync()?;
    Ok(0)
}

fn sys_syncfs(call: &mut Call<'_>) -> Result<u64> {
    call.file(call.fd(0))?;
    Ok(0)
}

/// Files are in memory: there is nothing to write back.
fn sys_sync_file_range(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.fd(0))?;
    let _: SyncRangeFlags = call.flags(3)?;
    call.offset(1)?
        .checked_add_signed(call.long(2))
        .ok_or(Errno::EINVAL)?;
    if call.long(2) < 0 {
        return Err(Errno::EINVAL);
    }
    match file.object().stat()?.kind {
        FileKind::Regular | FileKind::Directory | FileKind::BlockDevice => Ok(0),
        _ => Err(Errno::ESPIPE),
    }
}

fn sys_sync(_: &mut Call<'_>) -> Result<u64> {
    crate::container().sync();
    Ok(0)
}
