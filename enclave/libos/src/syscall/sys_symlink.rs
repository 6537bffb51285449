//! symlink, symlinkat.

use kobject::Result;

use super::Call;
use super::path::{AT_FDCWD, at, context};
use super::table::Row;
use crate::process::descriptors::Fd;
use crate::user::Address;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(88, "symlink", sys_symlink, "ss"),
    Row::full(266, "symlinkat", sys_symlinkat, "sds"),
];

fn sys_symlink(call: &mut Call<'_>) -> Result<u64> {
    make_symlink(call, call.pointer(0), AT_FDCWD, call.pointer(1))
}

fn sys_symlinkat(call: &mut Call<'_>) -> Result<u64> {
    make_symlink(call, call.pointer(0), call.fd(1), call.pointer(2))
}

fn make_symlink(call: &Call<'_>, target: Address, fd: Fd, path: Address) -> Result<u64> {
    let (target, path) = (user::get_path(target)?, user::get_path(path)?);
    at(call, fd, &path, |at| {
        container().vfs().make_symlink(&context(call), &target, at, &path)
    })?;
    Ok(0)
}
