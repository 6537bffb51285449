//! mkdir, mkdirat.

use kobject::Result;

use super::Call;
use super::path::{AT_FDCWD, at, context};
use super::table::Row;
use crate::process::descriptors::Fd;
use crate::user::Address;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(83, "mkdir", sys_mkdir, "sx"),
    Row::full(258, "mkdirat", sys_mkdirat, "dsx"),
];

fn sys_mkdir(call: &mut Call<'_>) -> Result<u64> {
    make_directory(call, AT_FDCWD, call.pointer(0), call.uint(1))
}

fn sys_mkdirat(call: &mut Call<'_>) -> Result<u64> {
    make_directory(call, call.fd(0), call.pointer(1), call.uint(2))
}

fn make_directory(call: &Call<'_>, fd: Fd, path: Address, mode: u32) -> Result<u64> {
    let path = user::get_path(path)?;
    at(call, fd, &path, |at| {
        container().vfs().make_directory(&context(call), at, &path, mode)
    })?;
    Ok(0)
}
