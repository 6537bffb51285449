//! truncate, ftruncate.

use kobject::{Errno, FileKind, Result};
use libos_fs::At;
use linux_abi::AtFlags;

use super::Call;
use super::path::context;
use super::table::Row;
use super::write_effects::{check_file_size, modified};
use crate::container;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(76, "truncate", sys_truncate, "sl"),
    Row::full(77, "ftruncate", sys_ftruncate, "dl"),
];

fn sys_truncate(call: &mut Call<'_>) -> Result<u64> {
    let len = call.offset(1)?;
    let path = call.path(0)?;
    let context = context(call);
    let stat = container()
        .vfs()
        .stat(&context, At::Cwd, &path, AtFlags::empty())?;
    if stat.kind == FileKind::Regular && len > stat.size {
        check_file_size(call, len)?;
    }
    container().vfs().truncate(&context, &path, len)?;
    Ok(0)
}

fn sys_ftruncate(call: &mut Call<'_>) -> Result<u64> {
    let len = call.offset(1)?;
    let file = call.file(call.fd(0))?;
    if !file.flags().writable() {
        return Err(Errno::EINVAL);
    }
    if len > file.object().end()? {
        check_file_size(call, len)?;
    }
    file.object().truncate(len)?;
    modified(call, &file);
    Ok(0)
}
