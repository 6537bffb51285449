//! unlink, unlinkat, rmdir.

use kobject::{Errno, Result};
use libos_fs::At;
use linux_abi::AtFlags;

use super::Call;
use super::path::{at, context};
use super::table::Row;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(84, "rmdir", sys_rmdir, "s"),
    Row::full(87, "unlink", sys_unlink, "s"),
    Row::full(263, "unlinkat", sys_unlinkat, "dsx"),
];

fn sys_rmdir(call: &mut Call<'_>) -> Result<u64> {
    let path = call.path(0)?;
    container()
        .vfs()
        .remove_directory(&context(call), At::Cwd, &path)?;
    Ok(0)
}

fn sys_unlink(call: &mut Call<'_>) -> Result<u64> {
    let path = call.path(0)?;
    container().vfs().unlink(&context(call), At::Cwd, &path)?;
    Ok(0)
}

fn sys_unlinkat(call: &mut Call<'_>) -> Result<u64> {
    let (fd, path, flags) = (call.fd(0), call.pointer(1), call.uint(2));
    let path = user::get_path(path)?;
    let context = context(call);
    at(call, fd, &path, |at| match AtFlags::from_bits_retain(flags) {
        flags if flags.is_empty() => container().vfs().unlink(&context, at, &path),
        AtFlags::AT_REMOVEDIR => container().vfs().remove_directory(&context, at, &path),
        _ => Err(Errno::EINVAL),
    })?;
    Ok(0)
}
