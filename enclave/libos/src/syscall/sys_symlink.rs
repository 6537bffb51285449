//! symlink, symlinkat.

use kobject::Result;

use super::Call;
use super::path::{AT_FDCWD, at, context};
use super::table::Row;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(88, "symlink", sys_symlink, "ss"),
    Row::full(266, "symlinkat", sys_symlinkat, "sds"),
];

fn sys_symlink(call: &mut Call<'_>) -> Result<u64> {
    make_symlink(call, call.args[0], AT_FDCWD as u64, call.args[1])
}

fn sys_symlinkat(call: &mut Call<'_>) -> Result<u64> {
    make_symlink(call, call.args[0], call.args[1], call.args[2])
}

fn make_symlink(call: &Call<'_>, target: u64, fd: u64, path: u64) -> Result<u64> {
    let (target, path) = (user::get_path(target)?, user::get_path(path)?);
    at(call, fd, &path, |at| {
        container().vfs.make_symlink(&context(call), &target, at, &path)
    })?;
    Ok(0)
}
