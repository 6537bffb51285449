//! statfs, fstatfs.

use kobject::Result;

use super::Call;
use super::path::context;
use super::table::Row;
use crate::uapi::Statfs;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(137, "statfs", sys_statfs, "sx"),
    Row::full(138, "fstatfs", sys_fstatfs, "dx"),
];

fn sys_statfs(call: &mut Call<'_>) -> Result<u64> {
    let path = call.path(0)?;
    let stat = container().vfs.stat_file_system(&context(call), &path)?;
    user::put(call.pointer(1), &raw_statfs(&stat))?;
    Ok(0)
}

fn sys_fstatfs(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.fd(0))?;
    let stat = container().vfs.stat_file_system_at(&file)?;
    user::put(call.pointer(1), &raw_statfs(&stat))?;
    Ok(0)
}

fn raw_statfs(stat: &libos_fs::FileSystemStat) -> Statfs {
    Statfs {
        kind: stat.magic as i64,
        block_size: stat.block_size as i64,
        blocks: stat.blocks,
        free: stat.free_blocks,
        available: stat.free_blocks,
        files: stat.files,
        free_files: stat.free_files,
        id: [stat.device as i32, (stat.device >> 32) as i32],
        name_len: stat.name_max as i64,
        fragment_size: stat.block_size as i64,
        flags: stat.flags.bits() as i64,
        _spare: [0; 4],
    }
}
