//! mkdir, mkdirat.

use kobject::Result;

use super::Call;
use super::path::{AT_FDCWD, at, context};
use super::table::Row;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(83, "mkdir", sys_mkdir, "sx"),
    Row::full(258, "mkdirat", sys_mkdirat, "dsx"),
];

fn sys_mkdir(call: &mut Call<'_>) -> Result<u64> {
    make_directory(call, AT_FDCWD as u64, call.args[0], call.args[1])
}

fn sys_mkdirat(call: &mut Call<'_>) -> Result<u64> {
    make_directory(call, call.args[0], call.args[1], call.args[2])
}

fn make_directory(call: &Call<'_>, fd: u64, path: u64, mode: u64) -> Result<u64> {
    let path = user::get_path(path)?;
    at(call, fd, &path, |at| {
        container()
            .vfs
            .make_directory(&context(call), at, &path, mode as u32)
    })?;
    Ok(0)
}
